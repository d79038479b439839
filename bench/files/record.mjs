/** Records an interface to a file, until SIGINT. Arguments: interface, file, options of the capture, `pcap` or `pcapng`. Says what tcpdump says. */
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { AsyncCapture, Capture, PcapngWriter, PcapWriter } from '../../dist/src/index.js';

const [, , device, path, options, format] = process.argv;
const stream = new AsyncCapture(Capture.builder({ interface: device, ...JSON.parse(options) }).build()).intoStream();
const writer = format === 'pcap' ? new PcapWriter() : new PcapngWriter();
process.once('SIGINT', () => {
  console.error(`${writer.packets} packets captured\n${stream.cumulativeStats().drops} packets dropped by kernel`);
  process.exit(0);
});
console.error(`listening on ${device}`);
await pipeline(stream, writer, createWriteStream(path));
