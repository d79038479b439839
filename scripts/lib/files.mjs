/** Files of the build. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from './run.mjs';

/** Paths of all files below a folder, sorted; none when there is no such folder. */
export function filesBelow(folder, matches = () => true) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .filter(matches)
    .sort();
}

/** Writes a file whole or not at all, and leaves one alone that already has the content: a Node-RED may be reading it. */
export function writeIfChanged(path, content) {
  const bytes = Buffer.from(content);
  if (existsSync(path) && readFileSync(path).equals(bytes)) return false;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, bytes);
  renameSync(`${path}.new`, path);
  return true;
}

export const hashOf = (...parts) => parts.reduce((hash, part) => hash.update(part).update('\0'), createHash('sha256')).digest('hex');

/** Remembers in .cache/ that something was found good, by the hash of all it depends on. */
export class Memory {
  #folder;

  constructor(name) {
    this.#folder = join(root, '.cache', name);
  }

  has(key) {
    return existsSync(join(this.#folder, key));
  }

  add(key) {
    mkdirSync(this.#folder, { recursive: true });
    writeFileSync(join(this.#folder, key), '');
  }

  /** Forgets what is not among the keys in use. */
  keepOnly(keys) {
    if (!existsSync(this.#folder)) return;
    for (const name of readdirSync(this.#folder)) if (!keys.has(name)) rmSync(join(this.#folder, name));
  }
}
