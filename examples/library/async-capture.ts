/**
 * Prints every packet of an interface, without copying one: batches are views into the kernel's ring.
 *
 *   node async-capture.js INTERFACE [PACKETS]      ends after so many packets
 */
import { AsyncCapture, type Packet } from '@netring/node-red';

async function main([interfaceName = 'lo', limit = 'Infinity']: readonly string[]): Promise<void> {
  await using capture = AsyncCapture.open(interfaceName);
  console.error(`capturing on ${interfaceName}`);
  for (let packets = 0; packets < Number(limit);) {
    const guard = await capture.readable();
    for (let batch = guard.nextBatch(); batch !== null; batch = guard.nextBatch()) {
      for (const packet of batch) console.log(describe(packet));
      packets += batch.length;
      // Gives the block back to the kernel. What is to be kept longer has to be copied: packet.toOwned(), batch.toOwned().
      batch.release();
    }
  }
}

function describe({ data, timestamp, direction, originalLength, protocol, sourceAddress }: Packet): string {
  const time = `${timestamp.sec}.${String(timestamp.nsec).padStart(9, '0')}`;
  const destination = data.toString('hex', 0, 6).replace(/..(?!$)/g, '$&:');
  return `${time} ${direction} ${sourceAddress} > ${destination} 0x${protocol.toString(16).padStart(4, '0')} ${originalLength} bytes`;
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
