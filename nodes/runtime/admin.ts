/** What the panels ask the runtime. Errors are JSON too: the editor shows them. */
import type { Request, RequestHandler, Response } from 'express';
import { NetringError } from '../../src/errors';
import { interfaces } from '../../src/interfaces';
import { parseFilter } from '../../src/options/filter-program';
import { shown } from './control';

/** The part of Node-RED's API that serves requests. */
export interface AdminApi {
  readonly httpAdmin: {
    get(path: string, ...handlers: RequestHandler[]): unknown;
    post(path: string, ...handlers: RequestHandler[]): unknown;
  };
  readonly auth: { needsPermission(permission: string): RequestHandler };
}

const served = new WeakSet<object>();

/** Called by each of the nodes' files, effective once for each HTTP application (a process may embed one runtime after the other). */
export function registerAdminRoutes({ httpAdmin, auth }: AdminApi): void {
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

function checkFilter(request: Request): FilterAnswer {
  const expression = (request.body as { expression?: unknown } | undefined)?.expression;
  if (typeof expression !== 'string') return refuse(`expression must be a string, not ${shown(expression)}`);
  try {
    return { ok: true, instructions: parseFilter(expression) };
  } catch (error) {
    return refuse((error as Error).message);
  }
}

/** The text of a program is wrong by lines, which its message names; a column is for expressions. */
function refuse(message: string): FilterAnswer {
  return { ok: false, error: { message, column: 0 } };
}
