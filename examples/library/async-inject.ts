/**
 * Sends broadcast frames of the EtherType for experiments, each with its number.
 *
 *   node async-inject.js INTERFACE [FRAMES]      100 frames
 */
import { AsyncInjector } from '@netring/node-red';

const ETHERTYPE = 0x88b5;

function numbered(number: number): Buffer {
  const frame = Buffer.alloc(60);
  frame.fill(0xff, 0, 6);
  frame.set([2, 0, 0, 0, 0, 1], 6);
  frame.writeUInt16BE(ETHERTYPE, 12);
  frame.writeUInt32BE(number, 14);
  return frame;
}

async function main([interfaceName = 'lo', count = '100']: readonly string[]): Promise<void> {
  await using injector = AsyncInjector.open(interfaceName);
  // One frame: resolves when the kernel has taken it, which may be a while on a slow link.
  await injector.send(numbered(0));
  // Many frames in one call are cheaper by far. What the kernel refuses is counted, the rest still goes.
  const { sent, rejected } = await injector.sendBatch(Array.from({ length: Number(count) - 1 }, (_, i) => numbered(i + 1)));
  await injector.waitDrained(1000);
  console.log(`${sent + 1} frames sent on ${interfaceName}, ${rejected} refused`);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
