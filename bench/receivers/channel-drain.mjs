/** A channel, all packets that are there on each wake-up. */
import { ChannelCapture } from '../../dist/src/index.js';
import { serve, totals } from './harness.mjs';

const channel = ChannelCapture.spawn({ interface: process.argv[2], ...JSON.parse(process.argv[3]) }, Number(process.argv[4]));
serve({
  drops: () => {
    const { drops, dropped } = channel.cumulativeStats();
    return drops + dropped;
  },
});
for (;;) {
  for (let packet = await channel.recv(); packet !== null; packet = channel.tryRecv()) {
    const { data, length } = packet;
    for (let k = 0; k < 14; k++) totals.sum += data[k];
    totals.bytes += length;
    totals.packets++;
  }
}
