/** What taking packets apart costs, in one thread and without a network: the kinds of packet one by one, and mixed, as traffic is. */
import { PacketBatch } from '../../dist/src/index.js';
import { REPETITIONS } from '../lib/interleave.mjs';
import { spread, table } from '../lib/table.mjs';

const PACKETS = 1000;
/** A round of one way to look at a batch. */
const ROUND_MS = 300;

const hex = (...parts) => Buffer.from(parts.join('').replaceAll(' ', ''), 'hex');
const macs = '020000000002 020000000001';
const frames = {
  'TCP with timestamps': hex(
    macs,
    '0800 4500003900014000 4006b6c0 c0000201 c0000202',
    '04d20050 00000001 00000002 8018 01f5 0000 0000',
    '0101080a0000000100000002',
    '68656c6c6f',
  ),
  'UDP in a VLAN': hex(macs, '8100 0005 0800 4500002100014000 4011b6c8 c0000201 c0000202', '0fa00035 000d0000 68656c6c6f'),
  'UDP over IPv6': hex(
    macs,
    '86dd 60000000 000d1140 fe800000000000000000000000000001 20010db8000000000000000000000002',
    '0fa00035 000d0000 68656c6c6f',
  ),
  ARP: hex('ffffffffffff 020000000001 0806 0001 0800 06 04 0001', '020000000001 c0000201 000000000000 c0000202'),
};

/** Ways to look at a batch: what a flow or a program would do with each packet. Each returns something that depends on every packet. */
const ways = {
  'decode, ports': (batch) => {
    let sum = 0;
    for (let i = 0; i < batch.length; i++) {
      const { tcp, udp } = batch.decodeAt(i);
      sum += (tcp ?? udp)?.destinationPort ?? 0;
    }
    return sum;
  },
  'decode, addresses': (batch) => {
    let sum = 0;
    for (let i = 0; i < batch.length; i++) sum += batch.decodeAt(i).ip?.source.length ?? 0;
    return sum;
  },
  'a line': (batch) => {
    let sum = 0;
    for (const packet of batch) sum += packet.toString().length;
    return sum;
  },
  'output packets': (batch) => batch.toArray().length,
  'output decoded': (batch) => batch.toDecoded().length,
};

export const decode = {
  title: 'decoding packets, ns of CPU a packet',
  run: async ({ print, progress }) => {
    const kinds = Object.entries(frames);
    const batches = Object.fromEntries([
      ...kinds.map(([name, frame]) => [name, PacketBatch.from(Array(PACKETS).fill(frame))]),
      ['mixed', PacketBatch.from(Array.from({ length: PACKETS }, (_, i) => kinds[i % kinds.length][1]))],
    ]);
    const measured = {};
    // Every kind has been seen before anything is measured: code that has met only one is faster than any program finds it.
    for (const way of Object.values(ways)) for (const batch of Object.values(batches)) for (let n = 0; n < 50; n++) way(batch);
    for (let run = 0; run < REPETITIONS; run++) {
      progress(`decode, run ${run + 1}`);
      for (const [name, way] of Object.entries(ways))
        for (const [kind, batch] of Object.entries(batches)) ((measured[name] ??= {})[kind] ??= []).push(perPacket(way, batch));
    }
    const rows = Object.entries(measured).map(([name, byKind]) => [name, ...Object.values(byKind).map((runs) => spread(runs))]);
    print(table(['way', ...Object.keys(batches)], rows));
    const mixed = Object.entries(measured).map(([name, byKind]) => [name, (1e3 / Math.min(...byKind.mixed)).toFixed(2)]);
    print(table(['way', 'M packets/s at best, mixed'], mixed));
    return measured;
  },
};

/** CPU time, not wall time: other processes do not count. */
function perPacket(way, batch) {
  let packets = 0;
  let sum = 0;
  const start = process.cpuUsage();
  for (const end = performance.now() + ROUND_MS; performance.now() < end; packets += batch.length) sum += way(batch);
  const { user, system } = process.cpuUsage(start);
  if (sum < 0) throw new Error('impossible');
  return ((user + system) * 1000) / packets;
}
