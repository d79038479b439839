/** The side of Node-RED that the nodes touch. */
import type { Node } from 'node-red';
import type { Message } from './control';
import type { Log } from './log';
import { statusOf, troubleOf, type NodeStatus } from './node-status';

/** What @types/node-red lacks. */
export interface FlowNode extends Node {
  /** Ids of the nodes behind each output; changes while the node runs, when only wires are deployed. */
  wires: string[][];
}

export type Done = (error?: Error) => void;

/** Input handlers and timers must not throw: Node-RED ends on an uncaught exception. */
export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

export function logOf(node: FlowNode): Log {
  return {
    info: (text) => node.log(text),
    warn: (text) => node.warn(text),
    error: (text) => node.error(text),
  };
}

export function statusSetter(node: FlowNode): (status: NodeStatus) => void {
  return (status) => node.status(status);
}

export function isWired(node: FlowNode, output: number): boolean {
  return (node.wires[output]?.length ?? 0) > 0;
}

/** Hands something to the flow. Sending clones for every wire but the first, and clones can throw; so can the hooks of other modules. */
export function guarded(log: Log, hand: () => void): void {
  try {
    hand();
  } catch (error) {
    log.error(`cannot send: ${asError(error).message}`);
  }
}

/** Sends to one of the outputs. */
export function sendTo(node: FlowNode, output: number, message: Message, log: Log): void {
  guarded(log, () => node.send([...Array<null>(output).fill(null), message]));
}

/** What is left of a node whose properties are wrong: it says why, to whoever looks and to whoever sends. */
export function standStill(node: FlowNode, error: unknown): void {
  const trouble = troubleOf(error, '');
  node.status(statusOf(trouble.state, trouble.text));
  node.error(trouble.message);
  node.on('input', (_msg, _send, done) => done(asError(error)));
}

/** Hands a promise's outcome to Node-RED's `done`. */
export function settle(work: Promise<void>, done: Done): void {
  work.then(
    () => done(),
    (error: unknown) => done(asError(error)),
  );
}
