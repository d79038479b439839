/** Names of the files of one recording: a pattern with a number that goes up, and perhaps the time at which each begins. */
import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { NetringError } from '../errors/errors';
import type { Timestamp } from '../batches/packet';

const NUMBER = '{number}';
const TIME = '{time}';
/** More digits when there are more files; the numbers themselves give the order. */
const DIGITS = 5;

export class FileNames {
  readonly #folder: string;
  readonly #pattern: string;
  readonly #shape: RegExp;

  /** Throws NetringError kind `Config` when the name has no place for the number, or the folder has. */
  constructor(path: string) {
    if (typeof path !== 'string') throw NetringError.config(`path is ${typeof path}: a file name with ${NUMBER} in it`, 'path');
    this.#folder = dirname(path);
    this.#pattern = basename(path);
    if (this.#pattern.split(NUMBER).length !== 2 || /\{(number|time)\}/.test(this.#folder))
      throw NetringError.config(`path is ${path}: the name of the file, not its folder, has ${NUMBER} in it once`, 'path');
    const parts = this.#pattern.split(/(\{number\}|\{time\})/);
    const shapes: Readonly<Record<string, string>> = { [NUMBER]: `(\\d{${DIGITS},15})`, [TIME]: '\\d{8}T\\d{6}Z' };
    this.#shape = new RegExp(`^${parts.map((part) => shapes[part] ?? part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('')}$`);
  }

  /** Path of file `number`, which begins at `start`. */
  path(number: number, start: Timestamp): string {
    const time = new Date(start.sec * 1000)
      .toISOString()
      .replace(/[-:]/g, '')
      .replace(/\.\d+Z$/, 'Z');
    const name = this.#pattern.replace(NUMBER, String(number).padStart(DIGITS, '0')).replaceAll(TIME, time);
    return join(this.#folder, name);
  }

  /** Files of the recording that are there already, oldest first. Throws the file system's error when the folder cannot be read. */
  existing(): { number: number; path: string }[] {
    return readdirSync(this.#folder)
      .flatMap((name) => {
        const number = Number(this.#shape.exec(name)?.[1]);
        return Number.isNaN(number) ? [] : [{ number, path: join(this.#folder, name) }];
      })
      .sort((a, b) => a.number - b.number);
  }
}
