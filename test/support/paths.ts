/** Places in the checkout. Tests run from dist/test, their fixtures and the package itself stand elsewhere. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

function findRoot(folder: string): string {
  return existsSync(join(folder, 'package-lock.json')) ? folder : findRoot(dirname(folder));
}

export const root = findRoot(__dirname);
/** A file below test/, in the source tree. */
export const fixture = (...path: string[]): string => join(root, 'test', ...path);
/** Where things made for tests are kept between runs. */
export const cache = (...path: string[]): string => join(root, '.cache', ...path);
/** The same for one runtime alone: a suite runs under several beside each other. */
export const runtimeCache = (folder: string): string => cache(folder, process.env['NETRING_TEST_RUNTIME'] ?? 'unknown');

/** Whether the suite runs under the runtime that tests everything; others confirm what could be another under them. */
export const isFirstRuntime = process.env['NETRING_TEST_FIRST'] === 'true';
