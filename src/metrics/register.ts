/** The metrics for prom-client, and counts from elsewhere. */
import type { CounterConfiguration, GaugeConfiguration, Registry } from 'prom-client';
import { NetringError } from '../errors/errors';
import type { CaptureStats } from '../capture/capture-stats';
import { CAPTURE_COLUMNS, captures } from './books';
import { fill } from '../options/rules';
import { families, type Family } from './families';

/** What is needed of prom-client's `Registry`. */
export interface MetricsRegistry {
  /** Takes a metric of prom-client. */
  registerMetric(metric: never): void;
  /** The metric of that name, if there is one. */
  getSingleMetric?(name: string): unknown;
}

/** What a capture has counted since it was last asked: `capture.stats()`, or as much of it as there is. */
export type CaptureDelta = Pick<CaptureStats, 'packets' | 'drops' | 'freezes'> &
  Partial<Pick<CaptureStats, 'bytes' | 'received' | 'refiltered' | 'stalls'>>;

/**
 * Puts the metrics of every handle of this thread, those of Node-RED's nodes included, into a registry of prom-client, which has to be installed beside
 * this package. They are read when the registry is, and cost nothing until then.
 *
 * Labels are `iface` (the name by which a handle was opened), `queue`, `direction` and `cause`. Counters go on where the last handle of an interface
 * ended; of interfaces without an open handle the last 256 are kept.
 *
 * Throws `NetringError` kind `Config` when the registry has a metric of one of these names, and leaves it as it is; the same when there is no prom-client.
 *
 * @example With prom-client
 * ```ts
 * import { Registry } from 'prom-client';
 * import { Capture, registerMetrics } from '@netring/node-red';
 *
 * const registry = new Registry();
 * registerMetrics(registry);
 * using capture = Capture.builder({ interface: 'eth0', profile: 'balanced' }).build();
 * capture.nextBatchBlocking(1000)?.release();
 * console.log(await registry.getSingleMetricAsString('netring_capture_packets_total'));
 * ```
 */
export function registerMetrics(registry: MetricsRegistry): void {
  const { Counter, Gauge } = load();
  const all = families();
  const taken = all.find(({ name }) => registry.getSingleMetric?.(name) !== undefined);
  if (taken !== undefined)
    throw NetringError.config(
      `registry: a metric named ${taken.name} has already been registered, by an earlier call or by something else`,
      'registry',
    );
  for (const family of all) {
    const { name, help, labelNames, type } = family;
    const common = { name, help, labelNames: [...labelNames], registers: [registry as unknown as Registry] };
    if (type === 'counter') new Counter({ ...common, collect: refill(family, (metric, sample) => metric.inc(...sample)) });
    else new Gauge({ ...common, collect: refill(family, (metric, sample) => metric.set(...sample)) });
  }
}

/**
 * Counts for a capture that no handle of this thread is open for: one of a worker thread, whose `stats()` were posted here, or of another process.
 * What is open here is counted already. `delta` without `received` had nothing wait in the ring.
 *
 * Throws TypeError for a name, a delta or a number of another type, RangeError for one that is negative or not whole.
 *
 * @example What another process has counted
 * ```ts
 * import { metricsText, recordCaptureDelta } from '@netring/node-red';
 *
 * recordCaptureDelta('eth7', { packets: 1000, drops: 3, freezes: 1 });
 * console.log(metricsText()); // netring_capture_drops_total{iface="eth7"} 3
 * ```
 */
export function recordCaptureDelta(iface: string, delta: CaptureDelta): void {
  if (typeof iface !== 'string' || iface === '')
    throw new TypeError(`iface must be the name of an interface, not ${JSON.stringify(iface)}`);
  if (typeof delta !== 'object' || delta === null)
    throw new TypeError(`delta must be an object with packets, drops and freezes, not ${fill('{delta}', { delta })}`);
  const { packets, drops, freezes, bytes = 0, refiltered = 0, stalls = 0, received } = delta;
  for (const [name, count] of Object.entries({ packets, drops, freezes, bytes, refiltered, stalls, received: received ?? 0 })) {
    if (typeof count !== 'number' || Number.isNaN(count)) throw new TypeError(`${name} must be a number, not ${String(count)}`);
    if (count < 0 || !Number.isInteger(count))
      throw new RangeError(`${name} ${count} is no count: a delta is what was counted since the last one`);
  }
  const counts = { received: received ?? packets + drops + refiltered, packets, bytes, drops, shed: refiltered, stalls, freezes };
  captures.record({ labels: [iface], values: CAPTURE_COLUMNS.map(({ name }) => (counts as Record<string, number>)[name] ?? 0) });
}

type Fill<M> = (metric: M, sample: [labels: Record<string, string>, value: number]) => void;

/** prom-client's hook, whose `this` is the metric. */
function refill<M extends { reset(): void }>(family: Family, put: Fill<M>): (this: M) => void {
  return function (this: M) {
    this.reset();
    for (const { labels, value } of family.samples()) put(this, [{ ...labels }, value]);
  };
}

interface PromClient {
  Counter: new (config: CounterConfiguration<string>) => unknown;
  Gauge: new (config: GaugeConfiguration<string>) => unknown;
}

/** On first use: who scrapes nothing, or has Node-RED do it, needs no prom-client. */
function load(): PromClient {
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- an optional package can only be required
    return require('prom-client') as PromClient;
  } catch (error) {
    throw NetringError.config(
      `registerMetrics needs prom-client beside this package: npm install prom-client (${String(error)})`,
      'registry',
    );
  }
}
