/** Filter expressions: how long one takes to compile, and how many frames a second the interpreter judges. No network. */
import { createRequire } from 'node:module';
import { median, table } from '../lib/table.mjs';

const { compileFilter, filterMatches } = createRequire(import.meta.url)('../../dist/src/index.js');

const ROUNDS = 7;
const LONG = Array.from({ length: 1000 }, (_, index) => `10.${index >> 8}.${index & 255}.1`).join(' or ');

const EXPRESSIONS = [
  'tcp port 80',
  'tcp port 502 and not host 10.0.0.1',
  'vlan 5 and udp port 53',
  'port 80 or 443 or 8080 and (net 10.0.0.0/8 or net 2001:db8::/32)',
  'tcp[tcpflags] & (tcp-syn|tcp-fin) != 0',
  `ip src host ${LONG}`,
  `not (${Array.from({ length: 300 }, (_, index) => `ip[${index % 30}] = ${index % 251}`).join(' or ')})`,
];

/** TCP to port 80, TCP elsewhere, UDP, ARP, IPv6: as they come. */
function frames() {
  const ipv4 = (protocol, port) => {
    const frame = new Uint8Array(64);
    frame.set([8, 0, 0x45], 12);
    frame[23] = protocol;
    frame.set([10, 0, 0, 1, 10, 0, 0, 2, 0x80, 0, port >> 8, port & 255], 26);
    return frame;
  };
  const arp = new Uint8Array(64);
  arp.set([8, 6], 12);
  const ipv6 = new Uint8Array(80);
  ipv6.set([0x86, 0xdd, 0x60], 12);
  ipv6[20] = 17;
  return [ipv4(6, 80), ipv4(6, 443), ipv4(17, 53), arp, ipv6, ipv4(6, 80), ipv4(6, 8080), ipv4(1, 0)];
}

/** Medians of some rounds, in µs; the first compilation apart, because it is what a user waits for. */
function compileTime(expression) {
  const start = process.hrtime.bigint();
  compileFilter(expression);
  const first = Number(process.hrtime.bigint() - start) / 1e3;
  const times = [];
  for (let round = 0; round < 20 * ROUNDS; round++) {
    const from = process.hrtime.bigint();
    compileFilter(expression);
    times.push(Number(process.hrtime.bigint() - from) / 1e3);
  }
  return { first, median: median(times), worst: Math.max(...times) };
}

/** Million frames a second, the median of some rounds of 100 ms and more. */
function matchRate(program, samples) {
  const rates = [];
  let matched = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint();
    const seconds = () => Number(process.hrtime.bigint() - start) / 1e9;
    let count = 0;
    while (seconds() < 0.1) {
      for (let index = 0; index < 80_000; index++) if (filterMatches(program, samples[index & 7])) matched++;
      count += 80_000;
    }
    rates.push(count / seconds() / 1e6);
  }
  return { rate: median(rates), matched };
}

export const filter = {
  title: 'filter expressions',
  async run({ print }) {
    const samples = frames();
    const results = EXPRESSIONS.map((expression) => {
      const time = compileTime(expression);
      const program = compileFilter(expression);
      return { expression, instructions: program.length, ...time, ...matchRate(program, samples) };
    });
    const shown = (text) => (text.length > 60 ? `${text.slice(0, 57)}...` : text);
    print(
      table(
        ['expression', 'instructions', 'first, us', 'median, us', 'worst, us', 'M frames/s'],
        results.map(({ expression, instructions, first, median: middle, worst, rate }) => [
          shown(expression),
          `${instructions}`,
          first.toFixed(0),
          middle.toFixed(0),
          worst.toFixed(0),
          rate.toFixed(1),
        ]),
      ),
    );
    return results;
  },
};
