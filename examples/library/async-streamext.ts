/**
 * Puts the combinators of Node's streams to work on packets: the first large ones, as lines of hexadecimal digits.
 *
 *   node async-streamext.js INTERFACE [PACKETS] [BYTES]      the first 10 packets of at least 100 bytes
 */
import { AsyncCapture, type OwnedPacket, type PacketBatch } from '@netring/node-red';

async function main([interfaceName = 'lo', limit = '10', size = '100']: readonly string[]): Promise<void> {
  const stream = AsyncCapture.open(interfaceName).intoStream();
  console.error(`capturing on ${interfaceName}`);
  const lines = stream
    .filter((batch: PacketBatch) => batch.byteLength >= Number(size))
    .flatMap((batch: PacketBatch) => batch.toArray())
    .filter((packet: OwnedPacket) => packet.originalLength >= Number(size))
    .map((packet: OwnedPacket) => `${packet.originalLength} ${packet.data.toString('hex')}`)
    .take(Number(limit));
  for await (const line of lines as AsyncIterable<string>) console.log(line);
  stream.destroy();
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
