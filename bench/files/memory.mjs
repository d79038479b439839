/**
 * Capture files without a disk or a network: writing batches to memory, reading a file from memory and from the page cache.
 * Arguments: `write` or `read`, `pcap` or `pcapng`, bytes of a frame, and for `read` a path to write the file to first. Prints one line of JSON.
 */
import { createWriteStream, readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { PacketBatch, PcapngWriter, PcapWriter, readPcap } from '../../dist/src/index.js';

const [, , what, format, length, path] = process.argv;
/** Bytes of frames: a batch as a block of the ring gives it, all batches of a run, and those before that are not counted. */
const BATCH = 1_000_000;
const RUN = 1_000_000_000;
const WARM_UP = 200_000_000;

const count = Math.floor(BATCH / Number(length));
const frames = Array.from({ length: count }, (_, i) => ({
  data: Buffer.alloc(Number(length), i),
  timestamp: { sec: 1_700_000_000, nsec: i * 1000 },
}));
const batch = PacketBatch.from(frames, { interface: 'eth0' });
const writer = () => (format === 'pcap' ? new PcapWriter() : new PcapngWriter());

function* batches(bytes) {
  for (let made = 0; made < bytes; made += batch.byteLength) yield batch;
}

/** Seconds on the clock and of CPU that `run` takes, and the bytes it says it moved. */
async function measured(run) {
  const cpu = process.cpuUsage();
  const start = performance.now();
  const bytes = await run();
  const { user, system } = process.cpuUsage(cpu);
  return { bytes, wallNs: (performance.now() - start) * 1e6, cpuNs: (user + system) * 1000 };
}

async function write(bytes) {
  let written = 0;
  const memory = new Writable({ write: (chunk, _, done) => done(void (written += chunk.length)) });
  await pipeline(Readable.from(batches(bytes)), writer(), memory);
  return bytes;
}

async function read(input) {
  const reader = readPcap(input);
  let packets = 0;
  for await (const { length: more } of reader) packets += more;
  if (packets === 0) throw new Error('no packets');
  return reader.bytes;
}

if (what === 'write') {
  await write(WARM_UP);
  console.log(JSON.stringify(await measured(() => write(RUN))));
} else {
  await pipeline(Readable.from(batches(RUN / 4)), writer(), createWriteStream(path));
  const input = what === 'read' ? path : readFileSync(path);
  await read(input);
  console.log(JSON.stringify(await measured(() => read(input))));
}
