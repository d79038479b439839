/**
 * Capture files: records an interface, shows what is in a file, and replays it.
 *
 *   node pcap.js record INTERFACE FILE.pcapng [PACKETS]      until so many packets, or Ctrl-C; .pcap writes the older format
 *   node pcap.js alarm INTERFACE FILE.pcapng ETHERTYPE       holds the newest 10 MB back; once a frame of that type (hexadecimal) comes, writes them
 *                                                            and goes on with all that comes, until Ctrl-C
 *   node pcap.js show FILE                                   one line a packet, then the interfaces and their counters
 *   node pcap.js replay FILE INTERFACE [SPEED] [LOOPS]       with the recorded rhythm
 */
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AsyncCapture, AsyncInjector, PcapngWriter, PcapWriter, PreTrigger, readPcap, replay, type PacketBatch } from '@netring/node-red';

/** The batches of a capture, until it is closed or has given so many packets. */
async function* captured(capture: AsyncCapture, limit = Infinity): AsyncGenerator<PacketBatch> {
  process.once('SIGINT', () => capture.close());
  let packets = 0;
  try {
    for await (const batch of capture) {
      yield batch;
      packets += batch.length;
      if (packets >= limit) return;
    }
  } catch (error) {
    if ((error as { code?: string }).code !== 'ECANCELED') throw error;
  }
}

async function record(interfaceName: string, file: string, limit = 'Infinity'): Promise<void> {
  await using capture = AsyncCapture.open(interfaceName);
  console.error(`capturing on ${interfaceName}`);
  const writer = file.endsWith('.pcap') ? new PcapWriter() : new PcapngWriter({ statistics: () => capture.cumulativeStats() });
  await pipeline(Readable.from(captured(capture, Number(limit))), writer, createWriteStream(file));
  console.log(`${file}: ${writer.packets} packets, ${writer.bytes} bytes`);
}

async function alarm(interfaceName: string, file: string, etherType: string): Promise<void> {
  await using capture = AsyncCapture.open(interfaceName);
  console.error(`capturing on ${interfaceName}`);
  const trigger = new PreTrigger({ maxBytes: 10_000_000 });
  const writer = new PcapngWriter();
  const wanted = parseInt(etherType, 16);
  async function* watched(): AsyncGenerator<PacketBatch> {
    for await (const batch of captured(capture)) {
      yield batch;
      for (let i = 0; i < batch.length && !trigger.live; i++) if (batch.protocolAt(i) === wanted) trigger.trigger();
    }
  }
  await pipeline(Readable.from(watched()), trigger, writer, createWriteStream(file));
  console.log(`${file}: ${writer.packets} packets`);
}

async function show(file: string): Promise<void> {
  const reader = readPcap(file);
  for await (const batch of reader)
    for (const { timestamp, direction, length, originalLength } of batch)
      console.log(
        `${timestamp.sec}.${String(timestamp.nsec).padStart(9, '0')} ${batch.interface || '-'} ${direction} ${length}/${originalLength} bytes`,
      );
  for (const { name, statistics } of reader.interfaces)
    console.log(
      `${name || '-'}: ${statistics === undefined ? 'no counters' : `received ${statistics.received}, lost ${statistics.drops}`}`,
    );
}

async function again(file: string, interfaceName: string, speed = '1', loop = '1'): Promise<void> {
  await using injector = AsyncInjector.open(interfaceName);
  const { sent, rejected, loops } = await replay(file, injector, { speed: Number(speed), loop: Number(loop) });
  console.log(`${sent} packets sent on ${interfaceName} in ${loops} passes, ${rejected} refused`);
}

async function main([verb = '', ...args]: readonly string[]): Promise<void> {
  const verbs: Readonly<Record<string, (...args: string[]) => Promise<void>>> = { record, alarm, show, replay: again };
  const run = verbs[verb];
  if (run === undefined) throw new Error('usage: pcap.js record | alarm | show | replay ...');
  await run(...args);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
