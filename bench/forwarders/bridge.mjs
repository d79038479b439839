/**
 * Our bridge in a process of its own: `bridge.mjs INTERFACE_A INTERFACE_B BLOCKS [run]`; with `run` a function judges every frame. Answers its
 * counters when its input says `stop`, and its memory when it says `memory`.
 */
import { createInterface } from 'node:readline';
import { Bridge } from '../../dist/src/index.js';
import { answer, processCpuNs, residentBytes } from '../receivers/harness.mjs';

const [, , interfaceA, interfaceB, blocks, mode] = process.argv;
const bridge = Bridge.builder({ interfaceA, interfaceB, profile: 'balanced', aBlockCount: +blocks, bBlockCount: +blocks }).build();
const cpu = processCpuNs();
if (mode === 'run') void bridge.run(({ data }) => (data[12] === 0x86 && data[13] === 0xdd ? 'drop' : 'forward'));
else bridge.start();
createInterface({ input: process.stdin })
  .on('line', (command) => {
    if (command === 'memory') return answer(residentBytes());
    // Before the engine's thread ends and takes its share along.
    const cpuNs = processCpuNs() - cpu;
    bridge.stop();
    answer({ ...bridge.cumulativeStats(), cpuNs });
  })
  .on('close', () => process.exit(0));
answer({ ready: true });
