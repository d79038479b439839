/** npm packages of a folder: installed exactly as its lock file says. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Problem, root, run } from './run.mjs';

/** Runs `npm ci` in `folder` unless what is installed is what the lock file names. */
export async function ensurePackages(folder = root) {
  if (packagesComplete(folder)) return;
  console.log(`installing npm packages${folder === root ? '' : ` in ${folder.slice(root.length + 1)}`}`);
  try {
    await run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: folder, what: 'npm ci' });
  } catch (error) {
    throw new Problem(
      `${error.message}\nThe packages come from the registry that "npm config get registry" names; it must be reachable once.`,
    );
  }
}

/**
 * Compares contents, not times: a checkout touches package-lock.json without changing it, and a needless `npm ci` would pull the packages from
 * under a Node-RED that runs from them.
 */
export function packagesComplete(folder) {
  const installed = join(folder, 'node_modules', '.package-lock.json');
  if (!existsSync(installed)) return false;
  const wanted = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')).packages;
  const present = JSON.parse(readFileSync(installed, 'utf8')).packages;
  return Object.entries(wanted).every(([path, entry]) => path === '' || entry.optional || present[path]?.version === entry.version);
}
