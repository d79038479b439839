/** Flows in node-red-node-test-helper: one node under test, collectors behind its outputs, and what it says of itself. */
import type { EventEmitter } from 'node:events';
import helper from 'node-red-node-test-helper';
import bridge from '../../nodes/bridge';
import captureIn from '../../nodes/capture-in';
import injectOut from '../../nodes/inject-out';
import xdp from '../../nodes/xdp';
import type { BridgeReport } from '../../nodes/runtime/bridge/bridge-ledger';
import type { BridgeMessage } from '../../nodes/runtime/bridge/bridge-messages';
import type { RingInfo } from '../../nodes/runtime/capture/capture-output';
import type { InjectReport } from '../../nodes/runtime/inject/inject-queue';
import type { StatisticsReport } from '../../nodes/runtime/capture/capture-ledger';
import type { XdpReport } from '../../nodes/runtime/xdp/xdp-ledger';
import type { OwnedPacket } from '../../src/batches/packet';
import { timed, until } from '../support/wait';

/** A collected message; which of the properties there are depends on the node and the output. */
export interface Seen {
  _msgid: string;
  topic: string;
  payload: unknown;
  ring: RingInfo;
  bridge: BridgeMessage['bridge'];
  packet: Omit<OwnedPacket, 'data'>;
  parts: { id: string; index: number; count: number; type: string };
  error: { message: string };
}

export interface Status {
  fill: string;
  shape: string;
  text: string;
}

interface TestNode extends EventEmitter {
  wires: string[][];
  receive(message: object): void;
  close(): Promise<void>;
  /** A sinon spy, as all methods are in the helper. */
  status: { getCalls(): { args: [Status] }[] };
}

helper.init(require.resolve(process.env['NETRING_NODE_RED'] ?? 'node-red'));

/** Starts the server of the helper around every test of the suite, and stops all nodes after each. */
export function useFlows(): void {
  beforeEach(function (done) {
    helper.startServer(done);
  });
  afterEach(async () => {
    await helper.unload();
    await new Promise<void>((resolve) => helper.stopServer(resolve));
  });
}

export const node = (id: string): TestNode => helper.getNode(id) as TestNode;
/** Asks the admin routes. */
export const request = (): ReturnType<typeof helper.request> => helper.request();

const COLLECTORS = ['first', 'second', 'third', 'caught', 'completed'] as const;
type Collector = (typeof COLLECTORS)[number];

const OUTPUTS = {
  'netring-capture-in': [['first'], ['second']],
  'netring-inject-out': [['first']],
  'netring-bridge': [['first'], ['second'], ['third']],
  'netring-xdp': [['first'], ['second']],
} as const;

/** Loads one node, wired to collectors, with a Catch and a Complete node beside it. */
export async function load(type: keyof typeof OUTPUTS, properties: Record<string, unknown>): Promise<TestFlow> {
  const wires = OUTPUTS[type];
  const flow = [
    { id: 'f', type: 'tab' },
    { id: 'node', z: 'f', type, name: '', wires, ...properties },
    ...COLLECTORS.map((id) => ({ id, z: 'f', type: 'helper' })),
    { id: 'catch', z: 'f', type: 'catch', scope: ['node'], wires: [['caught']] },
    { id: 'complete', z: 'f', type: 'complete', scope: ['node'], wires: [['completed']] },
  ];
  // Without a place on the canvas they would be config nodes.
  await helper.load(
    [bridge, captureIn, injectOut, xdp],
    flow.map((entry) => (entry.type === 'tab' ? entry : { ...entry, x: 0, y: 0 })),
  );
  return new TestFlow();
}

export class TestFlow {
  readonly #seen: Record<Collector, Seen[]> = { first: [], second: [], third: [], caught: [], completed: [] };
  /** When each status after the first came, in ms. */
  readonly statusTimes: number[] = [];

  constructor() {
    for (const id of COLLECTORS) node(id).on('input', (message: Seen) => this.#seen[id].push(message));
    // The helper's own event, which it emits after each call.
    node('node').on('call:status', () => this.statusTimes.push(performance.now()));
  }

  get node(): TestNode {
    return node('node');
  }
  /** Messages of the first output. */
  get messages(): Seen[] {
    return this.#seen.first;
  }
  /** Payloads of the second output of a capture. */
  get statistics(): StatisticsReport[] {
    return this.#seen.second.map(({ payload }) => payload as StatisticsReport);
  }
  /** Payloads of the second output of an xdp node. */
  get xdpStatistics(): XdpReport[] {
    return this.#seen.second.map(({ payload }) => payload as XdpReport);
  }
  /** Messages of the second output. */
  get messagesBack(): Seen[] {
    return this.#seen.second;
  }
  /** Payloads of the third output of a bridge. */
  get bridgeStatistics(): BridgeReport[] {
    return this.#seen.third.map(({ payload }) => payload as BridgeReport);
  }
  /** Payloads of the output of an injector. */
  get reports(): InjectReport[] {
    return this.#seen.first.map(({ payload }) => payload as InjectReport);
  }
  /** Statuses so far. */
  get statuses(): Status[] {
    return this.node.status.getCalls().map(({ args }) => args[0]);
  }

  send(message: object): void {
    this.node.receive(message);
  }

  /** What a collector has, once there are `count` of them. */
  async collected(id: Collector, count = 1, ms = 5000): Promise<Seen[]> {
    const seen = this.#seen[id];
    await until(() => seen.length >= count, ms, `${count} messages at ${id}`).catch((error: Error) => {
      throw new Error(`${error.message}; there are ${seen.length}`);
    });
    return seen;
  }

  /** The first status whose text matches. */
  async status(pattern: RegExp, ms = 5000): Promise<Status> {
    const found = until(() => this.statuses.find(({ text }) => pattern.test(text)), ms, `status ${String(pattern)}`);
    return found.catch((error: Error) => {
      throw new Error(`${error.message}; there were: ${this.statuses.map(({ text }) => text).join(', ')}`);
    });
  }

  /** Sends a message; resolves to the text of the error that `done` is called with. */
  async refused(message: object, ms = 5000): Promise<string> {
    const before = this.#seen.caught.length;
    this.send(message);
    // Node-RED puts the class before it.
    return (await this.collected('caught', before + 1, ms))[before]!.error.message.replace(/^\w*Error: /, '');
  }

  /** As `refused`, which must be within a second in which this process could run. */
  async refusedAtOnce(message: object): Promise<string> {
    const [text, ms] = await timed(() => this.refused(message));
    if (ms >= 1000) throw new Error(`refused only after ${ms} ms`);
    return text;
  }

  /** Sends a message; resolves when `done` is called without an error. */
  async accepted(message: object, ms = 5000): Promise<Seen> {
    const before = this.#seen.completed.length;
    this.send(message);
    return (await this.collected('completed', before + 1, ms))[before]!;
  }
}
