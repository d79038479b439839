/** The bridge node, inline, in a Node-RED of its own, with a function that judges every packet: `inline.mjs INTERFACE_A INTERFACE_B BLOCKS`. */
import { createInterface } from 'node:readline';
import { startNodeRed } from '../lib/node-red.mjs';
import { answer, processCpuNs } from '../receivers/harness.mjs';

const [, , interfaceA, interfaceB, blocks] = process.argv;
// Made once, "On Start", it is compiled as any other function; the text of a function node itself is evaluated anew for every message.
const initialize = `
context.set('judge', (batch) => {
  const { length, bytes } = batch;
  const verdict = new Array(length);
  for (let i = 0; i < length; i++) {
    const at = batch.offsetAt(i);
    verdict[i] = bytes[at + 12] === 0x86 && bytes[at + 13] === 0xdd ? 'drop' : 'forward';
  }
  return verdict;
});`;
const func = `
msg.verdict = context.get('judge')(msg.payload);
return msg;`;
const seen = {};
await startNodeRed(
  [
    { id: 'tab', type: 'tab', label: 'bench' },
    {
      id: 'bridge',
      type: 'netring-bridge',
      z: 'tab',
      schema: 1,
      interfaceA,
      interfaceB,
      mode: 'inline',
      aBlockCount: blocks,
      bBlockCount: blocks,
      wires: [['judge'], ['judge'], ['count']],
    },
    { id: 'judge', type: 'function', z: 'tab', initialize, func, outputs: 1, libs: [], wires: [['bridge']] },
    { id: 'count', type: 'function', z: 'tab', func: `global.get('seen').payload = msg.payload;`, outputs: 0, libs: [], wires: [] },
  ],
  'bridge',
  { seen },
);
const cpu = processCpuNs();
createInterface({ input: process.stdin })
  .on('line', () => answer({ ...seen.payload, cpuNs: processCpuNs() - cpu }))
  .on('close', () => process.exit(0));
answer({ ready: true });
