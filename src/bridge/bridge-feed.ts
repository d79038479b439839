/** Batches between the engine of a bridge and JavaScript: copies for the tap, or frames that wait for a verdict. */
import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { batchMemory, isPacketBatch, PacketBatch } from '../batches/batch';
import type { FrameLike } from '../batches/columns';
import { requestCollection, requestMinorCollection } from '../batches/collector';
import { NetringError } from '../errors/errors';
import type { NativeBridge, NativeBridgeAudience } from '../native';
import { knownOptions, type NamesOf } from '../options/known-options';
import type { BridgeSettings } from '../options/generated/builders';
import { fill } from '../options/rules';
import { BRIDGE_ACTIONS, BRIDGE_DIRECTIONS, type BridgeAction, type BridgeDirection } from '../options/values';

/** Copies of what is forwarded. They never hold the wire up: those that nobody takes in time are left out and counted as `tapShed`. */
export interface TapOptions {
  /** One frame in so many of each direction; 1, the default, is all. */
  every?: number;
  /** Gets owned batches of copies, on the event loop, at most 16 in a turn of it. What it throws is not caught. */
  onBatch(batch: PacketBatch, direction: BridgeDirection): void;
}

/** Frames go on only after `Bridge.answer`, or after the timeout, which the engine's own thread keeps. Order is kept. */
export interface InlineOptions {
  /** How long an answer may take, in ms from when the engine has read the frames. Default 100. */
  timeoutMs?: number;
  /** What frames get that are not answered in time, and those still out when the bridge stops; default `forward`. */
  default?: BridgeAction;
  /** Gets owned batches and the token by which `Bridge.answer` names them, on the event loop. */
  onBatch(batch: PacketBatch, direction: BridgeDirection, token: string): void;
}

/** What JavaScript sees of the frames; with neither it sees none. `inline` leaves nothing to tap. */
export interface BridgeAudience {
  /** Copies of the frames that are forwarded. */
  tap?: TapOptions;
  /** The frames themselves, which wait for an answer. */
  inline?: InlineOptions;
}

/** An answer to an inline batch. */
export interface BridgeAnswer {
  /** For all frames, or for each; default `forward`. */
  verdict?: BridgeAction | readonly BridgeAction[];
  /**
   * The frames as they are to go out, as many as the batch had: those whose bytes differ go out changed, with their IP, TCP, UDP and ICMP checksums
   * completed. Frames that may travel as super-frames keep doing so.
   */
  frames?: PacketBatch | readonly FrameLike[];
}

const TAP_OPTIONS: NamesOf<TapOptions> = { every: true, onBatch: true };
const INLINE_OPTIONS: NamesOf<InlineOptions> = { timeoutMs: true, default: true, onBatch: true };
const AUDIENCE: NamesOf<BridgeAudience> = { tap: true, inline: true };
const ANSWER: NamesOf<BridgeAnswer> = { verdict: true, frames: true };

/** @internal Gets every inline batch and answers it at once. */
export type Judge = (batch: PacketBatch, direction: BridgeDirection) => Uint8Array;

type Deliver = (batch: PacketBatch, which: 0 | 1) => void;

const DEFAULT_TIMEOUT_MS = 100;
const SILENT: NativeBridgeAudience = { tapEvery: 0, inline: false, timeoutMs: -1, timeoutForwards: true };
/** Batches handed out before the event loop is let turn. */
const BATCHES_PER_TURN = 16;
/** Pauses between looks at the memory while live batches fill it, in ms. */
const RECLAIM_PAUSES = [2, 5, 10, 20, 50, 100] as const;

export class BridgeFeed {
  readonly #native: NativeBridge;
  readonly #settings: BridgeSettings;
  readonly #linkTypes: readonly [number, number];
  /** Begins the tokens of this bridge, so that an answer meant for another one is known to be late. */
  readonly #id = randomBytes(6).toString('base64url');
  #deliver: Deliver | undefined;
  #inline = false;
  #pending: NodeJS.Immediate | undefined;
  #reclaim: NodeJS.Timeout | undefined;
  #pauses = 0;

  constructor(native: NativeBridge, settings: BridgeSettings) {
    this.#native = native;
    this.#settings = settings;
    this.#linkTypes = native.linkTypes;
  }

  /** Prepares for a run. Throws `Config` on a bad audience. */
  open(audience: BridgeAudience): NativeBridgeAudience {
    const { tap, inline } = knownOptions(audience, AUDIENCE);
    if (inline !== undefined) {
      assertListens(knownOptions(inline, INLINE_OPTIONS));
      const timeoutMs = positive('timeoutMs', inline.timeoutMs ?? DEFAULT_TIMEOUT_MS);
      const fallback = inline.default ?? 'forward';
      if (!BRIDGE_ACTIONS.includes(fallback))
        throw NetringError.config(`default ${String(fallback)} is not one of ${BRIDGE_ACTIONS.join(', ')}`, 'default');
      this.#listen((batch, which) => inline.onBatch(batch, BRIDGE_DIRECTIONS[which], `${this.#id}.${which}.${batch.seqNum}`), true);
      return { tapEvery: 0, inline: true, timeoutMs, timeoutForwards: fallback === 'forward' };
    }
    if (tap === undefined) return SILENT;
    assertListens(knownOptions(tap, TAP_OPTIONS));
    const tapEvery = positive('every', tap.every ?? 1);
    this.#listen((batch, which) => tap.onBatch(batch, BRIDGE_DIRECTIONS[which]), false);
    return { ...SILENT, tapEvery };
  }

  /** Prepares for a run whose frames wait for `judge`, however long it takes. */
  openJudged(judge: Judge): NativeBridgeAudience {
    this.#listen((batch, which) => {
      const forwards = judge(batch, BRIDGE_DIRECTIONS[which]);
      // The judge may have closed the bridge.
      if (this.#deliver !== undefined) this.#native.answer(which, batch.seqNum, forwards);
    }, true);
    return { tapEvery: 0, inline: true, timeoutMs: -1, timeoutForwards: false };
  }

  /** The run has ended. A tap still gets the last copies. */
  close(): void {
    this.#cancel();
    const deliver = this.#deliver;
    this.#deliver = undefined;
    if (deliver === undefined || this.#inline) return;
    const failures: unknown[] = [];
    for (const which of [0, 1] as const) {
      for (let batch; (batch = this.#take(which));) {
        try {
          deliver(batch, which);
        } catch (error) {
          failures.push(error);
        }
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  /** Hands out what there is, a bounded number of batches a turn of the loop. */
  drain(): void {
    if (this.#deliver === undefined || this.#pending !== undefined || this.#reclaim !== undefined) return;
    let more = true;
    try {
      more = this.#turn();
    } finally {
      // Also when a listener has thrown: the engine calls only once for all that is there.
      if (more && this.#isListening()) this.#pending = setImmediate(() => this.#again());
    }
  }

  /**
   * Answers an inline batch. False when it has been answered, or was too late. Throws TypeError on what is no answer, RangeError on one that does
   * not fit the batch, `Config` on one with an unknown name: the frames of a misspelt verdict would be forwarded.
   */
  answer(token: string, answer: BridgeAnswer): boolean {
    const { which, sequence } = this.#resolve(token);
    const { verdict = 'forward', frames } = knownOptions(answer, ANSWER);
    const forwards = forwardsOf(verdict);
    if (sequence === undefined || !this.#inline) return false;
    if (frames === undefined || forwards === false) return this.#native.answer(which, sequence, forwards);
    const batch = batchOf(frames);
    const { bytes, index } = batchMemory(batch);
    return this.#native.answer(which, sequence, forwards, bytes, index);
  }

  #listen(deliver: Deliver, inline: boolean): void {
    this.#deliver = deliver;
    this.#inline = inline;
    this.#pauses = 0;
  }

  #isListening(): boolean {
    return this.#deliver !== undefined;
  }

  #again(): void {
    this.#pending = undefined;
    this.#reclaim = undefined;
    this.drain();
  }

  /** True when there may be more. */
  #turn(): boolean {
    for (let taken = 0; taken < BATCHES_PER_TURN;) {
      let found = false;
      for (const which of [0, 1] as const) {
        const batch = this.#deliver === undefined ? null : this.#take(which);
        if (batch === undefined) return this.#waitForMemory();
        if (batch === null) continue;
        this.#pauses = 0;
        found = true;
        taken++;
        this.#deliver?.(batch, which);
      }
      if (!found) return false;
    }
    return true;
  }

  #take(which: 0 | 1): PacketBatch | null | undefined {
    const slab = this.#native.take(which);
    if (slab === null || slab === undefined) return slab;
    return PacketBatch.fromSlab(slab, which === 0 ? this.#settings.interfaceA : this.#settings.interfaceB, this.#linkTypes[which]);
  }

  /** Batches that the flow has let go of are still there until they are collected. */
  #waitForMemory(): false {
    if (this.#pauses === 0) requestMinorCollection();
    else requestCollection();
    const pause = RECLAIM_PAUSES[Math.min(this.#pauses, RECLAIM_PAUSES.length - 1)]!;
    this.#pauses++;
    // The engine's own handle keeps the process alive, if it is to be.
    this.#reclaim = setTimeout(() => this.#again(), pause).unref();
    return false;
  }

  #cancel(): void {
    clearImmediate(this.#pending);
    clearTimeout(this.#reclaim);
    this.#pending = undefined;
    this.#reclaim = undefined;
  }

  /** Tokens of other bridges, an earlier one of the same node for instance, have no sequence number here. */
  #resolve(token: unknown): { which: 0 | 1; sequence?: number } {
    const [, id, which, sequence] = (typeof token === 'string' ? /^([\w-]+)\.([01])\.(\d{1,15})$/.exec(token) : null) ?? [];
    if (id === undefined) throw new TypeError(`token ${String(token)} is none that a bridge has given out`);
    return { which: which === '1' ? 1 : 0, ...(id === this.#id ? { sequence: Number(sequence) } : {}) };
  }
}

/** Called without one, the first batch would throw on the event loop. */
function assertListens({ onBatch }: { onBatch: unknown }): void {
  if (typeof onBatch !== 'function') throw NetringError.config(fill('onBatch is {onBatch}: a function', { onBatch }), 'onBatch');
}

function positive(name: string, value: number): number {
  if (Number.isInteger(value) && value > 0 && value < 2 ** 31) return value;
  throw NetringError.config(`${name} ${String(value)} is not an integer from 1 to 2147483647`, name);
}

function forwardsOf(verdict: BridgeAction | readonly BridgeAction[]): boolean | Uint8Array {
  if (!Array.isArray(verdict)) return isForward(verdict as BridgeAction, 'verdict');
  const each = verdict as readonly BridgeAction[];
  const forwards = new Uint8Array(each.length);
  for (let i = 0; i < each.length; i++) forwards[i] = isForward(each[i], `verdict[${i}]`) ? 1 : 0;
  return forwards;
}

/** @internal */
export function isForward(verdict: BridgeAction | undefined, name: string): boolean {
  if (verdict === 'forward') return true;
  if (verdict === 'drop') return false;
  throw new TypeError(`${name} ${inspect(verdict)} is not one of ${BRIDGE_ACTIONS.join(', ')}`);
}

function batchOf(frames: PacketBatch | readonly FrameLike[]): PacketBatch {
  if (isPacketBatch(frames)) return frames;
  if (!Array.isArray(frames)) throw new TypeError('frames are neither a PacketBatch nor an array of Buffers');
  return PacketBatch.toSend(frames);
}
