/**
 * A pipeline: capture -> bounded queue -> workers that compress on Node's thread pool -> one file, in order. The file is pcapng under gzip, which
 * Wireshark opens as it is. When the disk is slow, the pressure goes back through all of it to the kernel's ring.
 *
 *   node async-pipeline.js INTERFACE FILE.pcapng.gz [PACKETS]      ends after so many packets, or with Ctrl-C
 */
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { AsyncCapture, type PacketBatch } from '@netring/node-red';

const WORKERS = 4;
const QUEUE = 16;
const compress = promisify(gzip);

async function* firstPackets(capture: AsyncCapture, limit: number): AsyncGenerator<PacketBatch> {
  let packets = 0;
  for await (const batch of capture) {
    yield batch;
    packets += batch.length;
    if (packets >= limit) return;
  }
}

async function main([interfaceName = 'lo', file = 'capture.pcapng.gz', limit = 'Infinity']: readonly string[]): Promise<void> {
  await using capture = AsyncCapture.open(interfaceName);
  process.once('SIGINT', () => capture.close());
  console.error(`capturing on ${interfaceName}`);
  await pipeline(
    Readable.from(firstPackets(capture, Number(limit)), { highWaterMark: QUEUE }).map((batch: PacketBatch) => compress(batch.toPcapng()), {
      concurrency: WORKERS,
    }),
    createWriteStream(file),
  );
  console.log(`${file}: ${capture.cumulativeStats().toString()}`);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
