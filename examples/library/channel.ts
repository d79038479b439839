/**
 * A consumer that thinks in packets, and takes its time over some of them: a native thread reads the ring meanwhile into a bounded queue. Who talks
 * most is printed at the end, with what came, what was dropped, and that the sums add up.
 *
 *   node channel.js INTERFACE [CAPACITY [MS-PER-PACKET]]      Ctrl-C ends it
 */
import { setTimeout as delay } from 'node:timers/promises';
import { ChannelCapture, type OwnedPacket } from '@netring/node-red';

async function main([interfaceName = 'lo', capacity = '100000', msPerPacket = '0']: readonly string[]): Promise<void> {
  await using channel = ChannelCapture.spawn(interfaceName, Number(capacity));
  channel.on('down', () => console.error(`${interfaceName} is down`)).on('up', () => console.error(`${interfaceName} is up again`));
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());
  console.error(`capturing on ${interfaceName}`);

  const bytesOf = new Map<string, number>();
  const count = ({ sourceAddress, originalLength }: OwnedPacket): void =>
    void bytesOf.set(sourceAddress, (bytesOf.get(sourceAddress) ?? 0) + originalLength);
  try {
    for (;;) {
      count(await channel.recv({ signal: interrupted.signal }));
      if (msPerPacket !== '0') await delay(Number(msPerPacket));
    }
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
  }
  // What waits in the queue, and the block that the kernel was filling.
  for (const packet of await channel.stopAndDrain()) count(packet);

  for (const [address, bytes] of [...bytesOf].sort(([, a], [, b]) => b - a).slice(0, 10)) console.log(`${address} ${bytes} bytes`);
  const { received, packets, dropped, drops } = channel.cumulativeStats();
  console.log(`${received} on the wire = ${packets} fetched + ${dropped} dropped by the queue + ${drops} dropped by the kernel`);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
