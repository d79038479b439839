/** Control messages: those whose `action` is a string. */
import { NetringError } from '../../src/errors/errors';

export type Message = Record<string, unknown>;
export type Action = 'start' | 'stop' | 'restart' | 'stats' | 'filter';

export function isControl(msg: Message): msg is Message & { action: string } {
  return typeof msg['action'] === 'string';
}

/** The action of a control message. Throws NetringError kind `Config` on one that is not among `known`. */
export function actionOf<A extends Action>(msg: Message & { action: string }, known: readonly A[]): A {
  const action = known.find((name) => name === msg.action);
  if (action !== undefined) return action;
  throw NetringError.config(`msg.action ${shown(msg.action)} is none of ${known.join(', ')}`, 'action');
}

/** A value for an error text: short, on one line, whatever it is, and without looking into large ones. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 39)}…` : value);
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (ArrayBuffer.isView(value)) return `bytes (${value.byteLength})`;
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'function' ? 'a function' : String(value);
}
