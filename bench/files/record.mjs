/**
 * Records an interface to a file, until SIGINT. Arguments: interface, file, options of the capture, `pcap` or `pcapng`, and `stream` (a writer piped into
 * a file stream) or `file` (a RotatingWriter). Says what tcpdump says.
 */
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { AsyncCapture, Capture, PcapngWriter, PcapWriter, RotatingWriter } from '../../dist/src/index.js';

const [, , device, path, options, format, way] = process.argv;
const stream = new AsyncCapture(Capture.builder({ interface: device, ...JSON.parse(options) }).build()).intoStream();
process.once('SIGINT', () => {
  const { packets, drops } = stream.cumulativeStats();
  console.error(`${packets} packets captured\n${drops} packets dropped by kernel`);
  process.exit(0);
});
console.error(`listening on ${device}`);
if (way === 'file') {
  await pipeline(stream, new RotatingWriter({ path: `${path}-{number}`, format, keep: 1 }));
} else {
  await pipeline(stream, format === 'pcap' ? new PcapWriter() : new PcapngWriter(), createWriteStream(path));
}
