import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { root } from '../support/paths';

describe('asking for collections', () => {
  it("works in threads that do so for the first time at once: the flag for it is the process's", async () => {
    const script = `const { SlabCollector } = require('${join(root, 'dist', 'src', 'batches', 'collector.js')}');
      const collector = new SlabCollector(1 << 20); collector.reclaim(0); collector.collectInTime(0); collector.collectInTime(1 << 20);`;
    for (let round = 0; round < 5; round++)
      await Promise.all(
        Array.from({ length: 8 }, () => {
          const worker = new Worker(script, { eval: true });
          return new Promise<void>((resolve, reject) => {
            worker.on('error', reject);
            worker.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`exit code ${code}`))));
          });
        }),
      ).catch((error: unknown) => assert.fail(String(error)));
  }).timeout(60_000);
});
