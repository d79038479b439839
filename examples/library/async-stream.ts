/**
 * Reads an interface as a Node stream of batches. Who reads slowly fills the kernel's ring, not the memory of the process.
 *
 *   node async-stream.js INTERFACE [PACKETS]      ends after so many packets
 */
import { AsyncCapture, type PacketBatch } from '@netring/node-red';

async function main([interfaceName = 'lo', limit = 'Infinity']: readonly string[]): Promise<void> {
  const stream = AsyncCapture.open(interfaceName).intoStream();
  console.error(`capturing on ${interfaceName}`);
  let packets = 0;
  for await (const batch of stream as AsyncIterable<PacketBatch>) {
    console.log(
      `batch ${batch.seqNum}: ${batch.length} packets, ${batch.byteLength} bytes${batch.timedOut ? ', retired by its timeout' : ''}`,
    );
    packets += batch.length;
    // Leaving the loop destroys the stream, and that closes the capture.
    if (packets >= Number(limit)) break;
  }
  console.log(stream.cumulativeStats().toString());
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
