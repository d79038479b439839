/** Metrics as others read them. */
import { spawnSync } from 'node:child_process';
import type { Context } from 'mocha';
import type { MetricsFormat } from '@netring/node-red';
import { fixture } from './paths';
import { output } from './process';
import { skip } from './skip';

/** Samples by name and labels: `netring_capture_packets_total{iface="eth0"}`, labels in the order of their names. */
export type Scraped = ReadonlyMap<string, number>;

/** The system's Python has the system's modules, another one may stand before it. */
const PYTHONS = ['/usr/bin/python3', 'python3'] as const;
let found: string | undefined;

function python(): string | undefined {
  return (found ??= PYTHONS.find((name) => spawnSync(name, ['-c', 'import prometheus_client.openmetrics.parser']).status === 0));
}

/** Skips where nobody can judge the text. */
export function needsParser(context: Context): void {
  if (python() === undefined) skip(context, 'no Python module prometheus_client (Debian: python3-prometheus-client)');
}

interface ParsedFamily {
  name: string;
  type: string;
  samples: [name: string, labels: Record<string, string>, value: number][];
}

/** Parses with Prometheus's Python client, which throws on what the format does not allow. */
export function scraped(text: string, format: MetricsFormat): { families: ParsedFamily[]; samples: Scraped } {
  const families = JSON.parse(output(python() ?? 'python3', [fixture('support', 'scrape.py'), format], { input: text })) as ParsedFamily[];
  const samples = new Map<string, number>();
  for (const [name, labels, value] of families.flatMap((family) => family.samples)) {
    const key = seriesOf(name, labels);
    if (samples.has(key)) throw new Error(`${key} is there twice`);
    samples.set(key, value);
  }
  return { families, samples };
}

export function seriesOf(name: string, labels: Readonly<Record<string, string>>): string {
  const pairs = Object.keys(labels)
    .sort()
    .map((label) => `${label}=${JSON.stringify(labels[label])}`);
  return `${name}{${pairs.join(',')}}`;
}

/** The counters that fell, or went, between two scrapes: none may. */
export function fallen(before: Scraped, after: Scraped): string[] {
  return [...before].filter(([key, value]) => /_total\{/.test(key) && !((after.get(key) ?? -1) >= value)).map(([key]) => key);
}
