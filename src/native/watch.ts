/** What handles of the core have in common on the event loop, and where they work. */

/** The network namespace to work in. */
export interface NativeNamespace {
  /** What errors call it. */
  netns: string;
  /** Of a file of nsfs; empty: the process's own namespace. */
  netnsPath: string;
}

/** Kinds of events a handle on the event loop reports. */
export const enum LoopEvent {
  /** What `arm()` waited for: the ring has a batch, or the socket takes frames again. One event per `arm()`. */
  Ready = 0,
  /** The link is administratively down or has no carrier. */
  Down = 1,
  Up = 2,
  /** The interface was deleted; nothing will come of this handle any more. */
  Gone = 3,
  /** `detail` is an errno. */
  Error = 4,
}
export type LoopListener = (event: LoopEvent, detail: number) => void;

/** An event-loop registration. `watch` starts it, `close` of the handle ends it. */
export interface NativeWatchable {
  /** Registers with the environment's event loop; called once. Link events follow by themselves, `Ready` only after `arm()`. */
  watch(listener: LoopListener): void;
  /** Asks for one `Ready`; the last call counts until it came. A capture is left alone for `delayMs` (whole ms) first. */
  arm(delayMs?: number): void;
  disarm(): void;
  ref(): void;
  unref(): void;
}

/** Readiness for reading of a descriptor that somebody else owns; it may be closed meanwhile. */
export interface NativeFdWatch extends NativeWatchable {
  close(): void;
}
