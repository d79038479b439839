/** What stands under a node in the editor. */
import { NetringError } from '../../src/errors/errors';
import type { Clock } from './clock';

export type NodeState = 'up' | 'down' | 'gone' | 'missing' | 'denied' | 'stopped' | 'error';

export interface NodeStatus {
  fill: 'green' | 'yellow' | 'red' | 'grey';
  shape: 'dot' | 'ring';
  text: string;
}

const APPEARANCE: Readonly<Record<NodeState, Omit<NodeStatus, 'text'>>> = {
  up: { fill: 'green', shape: 'dot' },
  down: { fill: 'yellow', shape: 'ring' },
  gone: { fill: 'red', shape: 'ring' },
  missing: { fill: 'red', shape: 'ring' },
  denied: { fill: 'red', shape: 'ring' },
  stopped: { fill: 'grey', shape: 'ring' },
  error: { fill: 'red', shape: 'ring' },
};

export function statusOf(state: NodeState, text: string): NodeStatus {
  return { ...APPEARANCE[state], text };
}

/** Running, but not as it should. */
export function warningStatus(text: string): NodeStatus {
  return { fill: 'yellow', shape: 'dot', text };
}

/** What a failure means for a node. */
export interface Trouble {
  state: NodeState;
  /** Short enough to stand under a node. */
  text: string;
  /** The whole story, for the log. */
  message: string;
  /** Whether time may heal it; a wrong option or a missing binary stays as it is until the next deploy. */
  passing: boolean;
}

export function troubleOf(error: unknown, interfaceName: string): Trouble {
  if (!(error instanceof NetringError)) {
    const message = error instanceof Error ? error.message : String(error);
    return { state: 'error', text: short(message), message, passing: true };
  }
  const message = error.hint === '' ? error.message : `${error.message}. ${error.hint}`;
  if (error.code === 'ERR_UNSUPPORTED_PLATFORM') return { state: 'error', text: platformText(), message, passing: false };
  if (error.code === 'ERR_DEFAULT_ROUTE') return { state: 'error', text: 'holds default route', message, passing: true };
  if (error.code === 'ERR_XDP_DETACHED') return { state: 'error', text: 'program detached', message, passing: true };
  if (error.kind === 'Config') {
    // At opening they are measured by what the interface has, queues, an MTU, the program of another node, and that may change.
    const passing = error.code === 'ERR_XDP_SHARED' || error.option === 'queueId' || error.option === 'frameSize';
    return { state: 'error', text: `bad ${error.option ?? 'options'}`, message, passing };
  }
  if (error.code === 'ENOENT' && error.syscall === 'netns') return { state: 'missing', text: 'namespace missing', message, passing: true };
  if (error.kind === 'InterfaceNotFound' || error.code === 'ENODEV' || error.code === 'ENXIO')
    return { state: 'missing', text: `${interfaceName} missing`, message, passing: true };
  const step = error.syscall ?? error.option ?? '';
  const remedy = error.hint.split('\n', 1)[0] ?? '';
  const isXdp = /^(BPF|XDP)_/.test(step);
  // The verifier's refusal of a program is EACCES, too.
  if (error.code === 'EPERM' || (error.code === 'EACCES' && !isXdp))
    return {
      state: 'denied',
      text: remedy.startsWith('needs CAP_') ? remedy : `needs ${error.kind === 'PermissionDenied' ? 'CAP_NET_RAW' : 'CAP_NET_ADMIN'}`,
      message,
      passing: true,
    };
  if (error.code === 'ENETDOWN') return { state: 'down', text: `${interfaceName} down`, message, passing: true };
  if (remedy !== '' && (isXdp || error.code === 'EBUSY' || step === 'SO_ATTACH_FILTER'))
    return { state: 'error', text: short(remedy), message, passing: true };
  if (error.code === 'ENOMEM') return { state: 'error', text: 'no memory for the ring', message, passing: true };
  return {
    state: 'error',
    text: short(error.code === 'ERR_NETRING' ? error.message : `${step || 'failed'}: ${error.code}`),
    message,
    passing: true,
  };
}

function platformText(): string {
  return process.platform === 'linux' ? `no binary for linux-${process.arch}` : 'Linux only';
}

function short(text: string): string {
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
}

const MIN_INTERVAL_MS = 1000;

/** Hands statuses on when they change, at most one a second: each one is an event to every open editor and runs the Status nodes. */
export class StatusLine {
  readonly #show: (status: NodeStatus) => void;
  readonly #clock: Clock;
  #shown = '';
  #shownAt = -Infinity;
  #next: NodeStatus | undefined;
  #cancel: (() => void) | undefined;

  constructor(show: (status: NodeStatus) => void, clock: Clock) {
    this.#show = show;
    this.#clock = clock;
  }

  set(status: NodeStatus): void {
    this.#next = status;
    if (this.#cancel !== undefined) return;
    const wait = this.#shownAt + MIN_INTERVAL_MS - this.#clock.now();
    if (wait <= 0) return this.#flush();
    this.#cancel = this.#clock.after(wait, () => this.#flush());
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#next = undefined;
  }

  #flush(): void {
    this.#cancel = undefined;
    const status = this.#next;
    this.#next = undefined;
    if (status === undefined) return;
    const key = `${status.fill} ${status.shape} ${status.text}`;
    if (key === this.#shown) return;
    this.#shown = key;
    this.#shownAt = this.#clock.now();
    this.#show(status);
  }
}

/** `84.2k`, `312`, `1.1M`: three digits are what can be read while it changes every second. */
export function shortCount(value: number): string {
  if (value >= 999_950) return `${(value / 1e6).toFixed(1)}M`;
  if (value >= 1000) return `${(value / 1000).toFixed(1)}k`;
  return value > 0 && value < 10 ? String(Math.round(value * 10) / 10) : String(Math.round(value));
}
