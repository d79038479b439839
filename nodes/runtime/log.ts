/** The log of a node. Warnings and errors also reach the editor's sidebar, so what repeats is said once. */
export interface Log {
  info(text: string): void;
  warn(text: string): void;
  error(text: string): void;
}

const MAX_REMEMBERED = 64;

export class QuietLog {
  readonly #log: Log;
  readonly #said = new Set<string>();

  constructor(log: Log) {
    this.#log = log;
  }

  info(text: string): void {
    this.#log.info(text);
  }

  warn(text: string): void {
    if (this.#first(text)) this.#log.warn(text);
  }

  error(text: string): void {
    if (this.#first(text)) this.#log.error(text);
  }

  /** All is well again: the next failure is news. */
  forget(): void {
    this.#said.clear();
  }

  #first(text: string): boolean {
    if (this.#said.has(text) || this.#said.size >= MAX_REMEMBERED) return false;
    this.#said.add(text);
    return true;
  }
}
