/** What thousands of opens and closes leave behind. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { Lab, packetSockets, promiscuity, xdpProgram } from '../support/lab';
import { isFirstRuntime } from '../support/paths';
import { collectGarbage, type Footprint, footprint, ringMappings } from '../support/process';
import { needsXdp } from '../support/skip';

/** Each of the scripts to its end in a thread: the kernel waits for RCU grace periods in bind, attach and close, 10 to 20 ms each, which threads share. */
async function inThreads(scripts: readonly string[]): Promise<void> {
  const ended = (script: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(`(async () => { ${script} })()`, { eval: true });
      worker.on('error', reject);
      worker.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`a worker ended with ${code}`))));
    });
  await Promise.all(scripts.map(ended));
}

async function settled(): Promise<Footprint> {
  collectGarbage();
  await sleep(200);
  return footprint();
}

function assertFlat(before: Footprint, after: Footprint, bound: { mappings: number; rssMiB: number }): void {
  assert.equal(after.descriptors, before.descriptors);
  assert.ok(after.mappings <= before.mappings + bound.mappings, `${before.mappings} -> ${after.mappings} mappings`);
  assert.ok(after.rssBytes < before.rssBytes + (bound.rssMiB << 20), `${before.rssBytes} -> ${after.rssBytes} bytes`);
}

describe('opens and closes leave descriptors, mappings and memory flat', function () {
  this.timeout(240_000);
  const lab = new Lab();
  afterEach(() => lab.close());

  // What is left behind is the first runtime's to find; the others only confirm it.
  const captures = isFirstRuntime ? 10_000 : 2000;
  it(`RX-19 ${captures} captures`, async () => {
    const { a } = await lab.wire();
    const cycle = (times: number): Promise<void> =>
      inThreads(
        Array<string>(10).fill(
          `const { AsyncCapture, Capture } = require('@netring/node-red');
           for (let i = 0; i < ${times}; i++) {
             const rx = new Capture({ interface: '${a}', blockSize: 65536, blockCount: 2, blockTimeoutMs: 10, promiscuous: i % 4 === 0 });
             if (i % 8 !== 0) { rx.close(); continue; }
             const shell = new AsyncCapture(rx);
             shell.recv().catch(() => {});
             shell.close();
             await new Promise(setImmediate);
           }`,
        ),
      );
    await cycle(20);
    const before = await settled();
    await cycle(captures / 10 - 20);
    assertFlat(before, await settled(), { mappings: 40, rssMiB: 40 });
    assert.deepEqual([ringMappings(), packetSockets().length, promiscuity(a)], [0, 0, 0]);
  });

  const xdpSockets = isFirstRuntime ? 500 : 100;
  for (const attach of ['skb', 'driver'] as const)
    it(`XS-09 ${xdpSockets} XDP sockets with their programs (${attach})`, async function () {
      needsXdp(this);
      const wires = await Promise.all(Array.from({ length: 5 }, () => lab.wire()));
      const cycle = (times: number): Promise<void> =>
        inThreads(
          wires.map(
            ({ a }) =>
              `const { XdpSocket } = require('@netring/node-red');
               const options = { interface: '${a}', attach: '${attach}', frameSize: 2048, frameCount: 64 };
               // After a close the kernel frees the queue in its own time, on a busy machine later than opening waits for it.
               const open = async (promiscuous) => {
                 for (let tries = 0; ; tries++) {
                   try {
                     return XdpSocket.builder({ ...options, promiscuous }).build();
                   } catch (error) {
                     if (error.code !== 'EBUSY' || tries === 20) throw error;
                     await new Promise((resolve) => setTimeout(resolve, 50));
                   }
                 }
               };
               for (let i = 0; i < ${times}; i++) {
                 const socket = await open(i % 2 === 0);
                 socket.send(Buffer.alloc(60));
                 socket.nextBatch();
                 socket.close();
                 if (i % 10 === 0) await new Promise(setImmediate);
               }`,
          ),
        );
      await cycle(5);
      const before = await settled();
      await cycle(xdpSockets / 5);
      assertFlat(before, await settled(), { mappings: 20, rssMiB: 20 });
      assert.deepEqual(
        wires.map(({ a }) => xdpProgram(a)),
        wires.map(() => undefined),
      );
    });
});
