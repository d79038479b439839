/**
 * The metrics as a scraper reads them: Prometheus's text format 0.0.4, and OpenMetrics 1.0.
 *
 * Written here, for a Node-RED palette installs without asking a registry, and prom-client with what it needs is 4.7 MiB.
 * https://github.com/prometheus/docs/blob/main/docs/instrumenting/exposition_formats.md,
 * https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md
 */
import { inspect } from 'node:util';
import { families, type Family, type Sample } from './families';

/** Prometheus's text format 0.0.4, or OpenMetrics 1.0. */
export type MetricsFormat = 'prometheus' | 'openmetrics';

/** Values of the header Content-Type. */
export const METRICS_CONTENT_TYPES: Readonly<Record<MetricsFormat, string>> = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/**
 * The metrics of every open handle of this thread as text, for a server that does without prom-client. Throws RangeError for another format.
 *
 * @example A server that Prometheus can scrape
 * ```ts
 * import { createServer } from 'node:http';
 * import { METRICS_CONTENT_TYPES, metricsText } from '@netring/node-red';
 *
 * const server = createServer((_request, response) => {
 *   response.setHeader('Content-Type', METRICS_CONTENT_TYPES.prometheus).end(metricsText());
 * });
 * server.listen(9464, '127.0.0.1', async () => {
 *   const answer = await fetch('http://127.0.0.1:9464/metrics');
 *   console.log(answer.headers.get('content-type'), await answer.text());
 *   server.close();
 * });
 * ```
 */
export function metricsText(format: MetricsFormat = 'prometheus'): string {
  if (!Object.hasOwn(METRICS_CONTENT_TYPES, format)) throw new RangeError(`format is prometheus or openmetrics, not ${inspect(format)}`);
  const text = families()
    .map((family) => textOf(family, format))
    .join('');
  return format === 'openmetrics' ? `${text}# EOF\n` : text;
}

function textOf(family: Family, format: MetricsFormat): string {
  const { name, help, type } = family;
  // In OpenMetrics the suffix belongs to the sample, not to the metric.
  const title = format === 'openmetrics' ? name.replace(/_total$/, '') : name;
  const lines = family.samples().map(({ labels, value }) => `${name}${labelsOf(labels)} ${value}\n`);
  return `# HELP ${title} ${help}\n# TYPE ${title} ${type}\n${lines.join('')}`;
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' };

function labelsOf(labels: Sample['labels']): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, (sign) => ESCAPES[sign] ?? sign)}"`);
  return `{${pairs.join(',')}}`;
}
