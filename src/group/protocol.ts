/** What the threads of a capture group say to each other. Batches do not go this way: see native/core/slab_channel.h. */
import { NetringError, type ErrorDetails, type ErrorKind } from '../errors/errors';
import type { NativeCaptureGeometry } from '../native';
import type { CaptureOptions } from '../options/generated/builders';

/** What a member's thread starts with. */
export interface MemberTask {
  readonly index: number;
  /** Of the inbox that the batches go to. */
  readonly outboxFd: number;
  /** One word, 1 while the reader waits for a `ready`: there is a batch, or no memory for one. */
  readonly waiting: Int32Array;
}

/** What an opened ring is. */
export interface Opened {
  readonly geometry: NativeCaptureGeometry;
  readonly warnings: readonly string[];
  readonly linkUp: boolean;
}

/** What a member can be asked to do, with its argument. Each is answered once. */
export interface MemberCalls {
  /** Comes first. */
  open: { argument: CaptureOptions; result: Opened };
  setFilter: { argument: CaptureOptions['filter'] | null; result: undefined };
  attachEbpfFilter: { argument: number | string; result: undefined };
  attachFanoutEbpf: { argument: number | string; result: undefined };
  /** The thread ends. */
  close: { argument: undefined; result: undefined };
}
export type MemberCall = keyof MemberCalls;

export interface Request {
  readonly id: number;
  readonly call: MemberCall;
  readonly argument: unknown;
}

/** An error on its way between threads: as an object it would lose its class and its fields. */
export interface PlainError {
  readonly kind: ErrorKind;
  readonly message: string;
  readonly details: ErrorDetails;
}

export type MemberMessage =
  | { readonly type: 'gone' | 'drained' | 'error'; readonly error: PlainError }
  | { readonly type: 'down' | 'up' | 'ready' }
  | { readonly type: 'answer'; readonly id: number; readonly result: unknown }
  | { readonly type: 'failure'; readonly id: number; readonly error: PlainError };

export function toPlain(error: unknown): PlainError {
  if (!(error instanceof NetringError))
    return { kind: 'Io', message: error instanceof Error ? (error.stack ?? error.message) : String(error), details: {} };
  const { kind, message, code, errno, syscall, option, hint } = error;
  return {
    kind,
    message,
    details: {
      code,
      hint,
      ...(errno === undefined ? {} : { errno }),
      ...(syscall === undefined ? {} : { syscall }),
      ...(option === undefined ? {} : { option }),
      ...(error.interface === undefined ? {} : { interface: error.interface }),
    },
  };
}

export function fromPlain({ kind, message, details }: PlainError): NetringError {
  return new NetringError(kind, message, details);
}
