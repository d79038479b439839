/** What the panels ask the runtime. Errors are JSON too: the editor shows them. */
import type { Request, RequestHandler, Response } from 'express';
import { NetringError } from '../../src/errors/errors';
import { FilterError } from '../../src/filter/filter-error';
import { FILTER_TARGETS, type FilterTarget } from '../../src/filter/filter-target';
import { interfaces } from '../../src/interfaces/interfaces';
import { parseFilter } from '../../src/options/filter-program';
import { shown } from './control';
import { metricsHandler, serveOpenMetrics, type OpenHttpApi } from './metrics/metrics-route';

/** The part of Node-RED's API that serves requests. */
export interface AdminApi extends OpenHttpApi {
  readonly httpAdmin: {
    get(path: string, ...handlers: RequestHandler[]): unknown;
    post(path: string, ...handlers: RequestHandler[]): unknown;
  };
  readonly auth: { needsPermission(permission: string): RequestHandler };
}

const served = new WeakSet<object>();

/** Called by each of the nodes' files, effective once for each HTTP application (a process may embed one runtime after the other). */
export function registerAdminRoutes(api: AdminApi): void {
  serveOpenMetrics(api);
  const { httpAdmin, auth } = api;
  // An embedding application may run without the admin API.
  if (!httpAdmin || served.has(httpAdmin)) return;
  served.add(httpAdmin);
  httpAdmin.get(
    '/netring/interfaces',
    auth.needsPermission('netring.read'),
    // It makes the process open what the path names.
    whenAsked('netns', auth.needsPermission('netring.write')),
    answer(({ query }) => (typeof query['netns'] === 'string' ? interfaces({ netns: query['netns'] }) : interfaces())),
  );
  httpAdmin.get('/netring/metrics', auth.needsPermission('netring.read'), metricsHandler);
  httpAdmin.post('/netring/filter', auth.needsPermission('netring.write'), answer(checkFilter));
}

/** Applies a handler only to requests that have the parameter. */
function whenAsked(parameter: string, handler: RequestHandler): RequestHandler {
  return (request, response, next): unknown => (request.query[parameter] === undefined ? next() : handler(request, response, next));
}

function answer(handle: (request: Request) => unknown): RequestHandler {
  return (request: Request, response: Response) => {
    try {
      response.json(handle(request));
    } catch (error) {
      const { message } = error as Error;
      const known = error instanceof NetringError;
      // Not a status of its own: the panel shows the reason, which only the body holds.
      response.json({ error: { message, code: known ? error.code : 'ERR_NETRING', hint: known ? error.hint : '' } });
    }
  };
}

interface FilterAnswer {
  ok: boolean;
  instructions?: readonly unknown[];
  error?: { message: string; column: number };
}

/** Characters of a filter that are looked at: the longest program has 4096 lines of 25, and the runtime stands still while an expression is compiled. */
const MAX_FILTER_LENGTH = 1 << 17;

/** `for` is what the filter is for, as `compileFilter` takes it; a socket without it. */
function checkFilter(request: Request): FilterAnswer {
  const { expression, for: use = 'socket' } = (request.body ?? {}) as { expression?: unknown; for?: unknown };
  if (typeof expression !== 'string') return refuse(`expression must be a string, not ${shown(expression)}`);
  if (!isTarget(use)) return refuse(`for must be socket, file, xdp or bridge, not ${shown(use)}`);
  if (expression.length > MAX_FILTER_LENGTH)
    return refuse(`a filter has at most ${MAX_FILTER_LENGTH} characters, not ${expression.length}`);
  try {
    return { ok: true, instructions: parseFilter(expression, 'filter', { for: use }) };
  } catch (error) {
    const { message, hint } = error as NetringError;
    const text = message.replace(/^invalid configuration: /, '');
    // The text of a program is wrong by lines, which the message names.
    return refuse(hint ? `${text} (${hint})` : text, error instanceof FilterError ? error.column : 0);
  }
}

const isTarget = (use: unknown): use is FilterTarget => FILTER_TARGETS.includes(use as FilterTarget);

/** `column` counts from 1; 0: no place in the expression. */
function refuse(message: string, column = 0): FilterAnswer {
  return { ok: false, error: { message, column } };
}
