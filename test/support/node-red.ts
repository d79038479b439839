/** The real Node-RED of the runtime under test (environment NETRING_NODE_RED), in a process of its own with a user directory of its own. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Lab } from './lab';
import { root } from './paths';
import type { Child } from './process';
import { until, within } from './wait';

/** Folder of the Node-RED package under test. */
export function nodeRedFolder(): string {
  const folder = process.env['NETRING_NODE_RED'];
  if (folder === undefined) throw new Error('NETRING_NODE_RED names the Node-RED to test; npm test sets it');
  return folder;
}

export interface FlowNode {
  id: string;
  type: string;
  wires?: string[][];
  [property: string]: unknown;
}

export interface NodeRedOptions {
  flow?: readonly FlowNode[];
  /** Put the package into the user directory, as `npm link` would; default true. */
  linked?: boolean;
  /** More of settings.js, as JSON. */
  settings?: Record<string, unknown>;
  env?: NodeJS.ProcessEnv;
  namespace?: number | undefined;
  /** Command that starts Node-RED's, such as `['setpriv', '--reuid=1000', …]`. */
  prefix?: readonly string[];
}

export interface Status {
  fill?: string;
  shape?: string;
  text?: string;
}

/** A message on the websocket between runtime and editor. */
interface Comms {
  /** Left out by what is said of logging in. */
  topic?: string;
  data: unknown;
}

interface Socket {
  on(event: string, listener: (data: Buffer) => void): void;
  once(event: string, listener: () => void): void;
  send(text: string): void;
  close(): void;
}

export class NodeRed {
  readonly url: string;
  readonly userDir: string;
  readonly child: Child;
  /** Latest status of each node, and every message of the debug sidebar. */
  readonly statuses = new Map<string, Status>();
  readonly debug: { id?: string; name?: string; msg?: unknown; format?: string }[] = [];
  #log = '';

  private constructor(url: string, userDir: string, child: Child) {
    this.url = url;
    this.userDir = userDir;
    this.child = child;
    for (const stream of [child.process.stdout, child.process.stderr]) stream.on('data', (text: Buffer) => (this.#log += text.toString()));
  }

  /** Resolves when the flows run. The lab ends it and removes its user directory. */
  static async start(lab: Lab, options: NodeRedOptions = {}): Promise<NodeRed> {
    const userDir = mkdtempSync(join(tmpdir(), 'netring-node-red-'));
    lab.defer(() => rmSync(userDir, { recursive: true, force: true }));
    const port = await freePort();
    const dependencies = options.linked === false ? {} : { '@netring/node-red': '*' };
    writeFileSync(
      join(userDir, 'package.json'),
      JSON.stringify({ name: 'node-red-project', version: '0.0.1', private: true, dependencies }),
    );
    if (options.linked !== false) {
      mkdirSync(join(userDir, 'node_modules', '@netring'), { recursive: true });
      symlinkSync(root, join(userDir, 'node_modules', '@netring', 'node-red'));
    }
    const settings = {
      flowFile: 'flows.json',
      credentialSecret: 'for tests',
      uiHost: '127.0.0.1',
      uiPort: port,
      editorTheme: { tours: false, palette: { catalogues: [] } },
      telemetry: { enabled: false, updateNotification: false },
      ...options.settings,
    };
    writeFileSync(join(userDir, 'settings.js'), `module.exports = ${JSON.stringify(settings)};`);
    writeFileSync(join(userDir, 'flows.json'), JSON.stringify(options.flow ?? []));
    const [command, ...args] = [
      ...(options.prefix ?? []),
      process.execPath,
      join(nodeRedFolder(), 'red.js'),
      '-u',
      userDir,
      '-s',
      join(userDir, 'settings.js'),
    ];
    const child = lab.start(command ?? process.execPath, args, {
      cwd: userDir,
      env: { ...process.env, ...options.env },
      namespace: options.namespace,
    });
    const red = new NodeRed(`http://127.0.0.1:${port}`, userDir, child);
    await red.logs('Started flows', 30_000);
    if (options.namespace === undefined) await red.#listen();
    return red;
  }

  get pid(): number {
    return this.child.pid;
  }

  get log(): string {
    return this.#log;
  }

  /** Resolves when the log contains the text. */
  async logs(text: string, ms = 10_000): Promise<void> {
    const seen = (): boolean => this.#log.includes(text) || this.child.ended;
    await until(seen, ms, `"${text}" in Node-RED's log`).catch((error: Error) => {
      throw new Error(`${error.message}:\n${this.#log}`);
    });
    if (!this.#log.includes(text)) throw new Error(`Node-RED ended before it logged "${text}":\n${this.#log}`);
  }

  /** A request to the admin API; rejects on anything but success. */
  async request(path: string, init: RequestInit = {}): Promise<Response> {
    const response = await fetch(`${this.url}${path}`, { signal: AbortSignal.timeout(30_000), ...init });
    if (!response.ok) throw new Error(`${init.method ?? 'GET'} ${path}: ${response.status} ${await response.text()}`);
    return response;
  }

  /** Deploys over the admin API. Resolves when the flows run; statuses of the old flow are forgotten. */
  async deploy(flows: readonly FlowNode[], type: 'full' | 'nodes' | 'flows' | 'reload' = 'full'): Promise<void> {
    const headers = { 'Node-RED-API-Version': 'v2', 'Node-RED-Deployment-Type': type, 'Content-Type': 'application/json' };
    const { rev } = (await (await this.request('/flows', { headers })).json()) as { rev: string };
    this.statuses.clear();
    const starts = this.#starts();
    await this.request('/flows', { method: 'POST', headers, body: JSON.stringify({ flows, rev }) });
    // The answer comes before the nodes are made.
    await until(() => this.#starts() > starts, 10_000, `the start of the flows; Node-RED's log:\n${this.#log}`);
  }

  /** Presses the button of an inject node. */
  async inject(id: string): Promise<void> {
    await this.request(`/inject/${id}`, { method: 'POST' });
  }

  /** The node's status once the predicate holds. */
  async status(id: string, predicate: (status: Status) => boolean = () => true, ms = 10_000): Promise<Status> {
    const look = (): Status | undefined => {
      const status = this.statuses.get(id);
      return status !== undefined && predicate(status) ? status : undefined;
    };
    return until(look, ms, `the awaited status of ${id}`).catch((error: Error) => {
      throw new Error(`${error.message}; it is ${JSON.stringify(this.statuses.get(id))}`);
    });
  }

  /** Ends Node-RED as a service manager would. Resolves to its exit code. */
  async stop(): Promise<number> {
    return this.child.stop('SIGTERM');
  }

  #starts(): number {
    return this.#log.match(/Started (modified )?(flows|nodes)/g)?.length ?? 0;
  }

  async #listen(): Promise<void> {
    const WebSocket = createRequire(join(nodeRedFolder(), 'package.json'))('ws') as new (url: string) => Socket;
    const socket = new WebSocket(`${this.url.replace('http', 'ws')}/comms`);
    socket.on('error', () => undefined);
    socket.on('message', (data) => {
      for (const message of [JSON.parse(data.toString()) as Comms | Comms[]].flat()) this.#receive(message);
    });
    await within(new Promise<void>((resolve) => socket.once('open', resolve)), 20_000, "Node-RED's websocket");
    for (const topic of ['status/#', 'debug']) socket.send(JSON.stringify({ subscribe: topic }));
    void this.child.exitCode(2 ** 31 - 1).then(() => socket.close());
  }

  #receive({ topic, data }: Comms): void {
    if (topic?.startsWith('status/')) this.statuses.set(topic.slice('status/'.length), data as Status);
    else if (topic === 'debug') this.debug.push(data as { msg?: unknown });
  }
}

/** A port on localhost that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
