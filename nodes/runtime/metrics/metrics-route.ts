/** The metrics over HTTP: with the admin API behind a permission, and openly beside the HTTP-in nodes when settings.js says so. */
import type { Request, RequestHandler, Response } from 'express';
import { METRICS_CONTENT_TYPES, metricsText, type MetricsFormat } from '../../../src/metrics/text';
import { shown } from '../control';
import './node-metrics';

/** The part of Node-RED's API that serves HTTP-in nodes. */
export interface OpenHttpApi {
  readonly httpNode?: { get(path: string, ...handlers: RequestHandler[]): unknown };
  /** What settings.js has. */
  readonly settings?: object;
  readonly log?: { warn(text: string): void };
}

/** With the version that a scraper asks for; the first is for one that asks for nothing. */
const OFFERED: Readonly<Record<string, MetricsFormat>> = {
  'text/plain; version=0.0.4': 'prometheus',
  'application/openmetrics-text; version=1.0.0': 'openmetrics',
};

export const metricsHandler: RequestHandler = (request: Request, response: Response) => {
  const format = OFFERED[request.accepts(Object.keys(OFFERED)) || ''] ?? 'prometheus';
  response.set({ 'Content-Type': METRICS_CONTENT_TYPES[format], 'Cache-Control': 'no-store', Vary: 'Accept' });
  response.end(metricsText(format));
};

/** `netring: { metrics: { path: '/metrics' } }`. */
interface OpenMetricsSettings {
  readonly netring?: { readonly metrics?: { readonly path?: unknown } };
}

const served = new WeakSet<object>();

/** Effective once for each HTTP application. */
export function serveOpenMetrics({ httpNode, settings, log }: OpenHttpApi): void {
  const metrics = (settings as OpenMetricsSettings | undefined)?.netring?.metrics;
  // Without HTTP-in nodes there is no such application.
  if (metrics === undefined || !httpNode || served.has(httpNode)) return;
  served.add(httpNode);
  const { path } = metrics;
  // Also no pattern of Express: the path is what a scraper asks for.
  if (typeof path === 'string' && /^\/[\w./-]*$/.test(path)) httpNode.get(path, metricsHandler);
  else log?.warn(`netring.metrics.path in settings.js is ${shown(path)}: a path begins with "/" and has letters, digits and . _ - / only`);
}
