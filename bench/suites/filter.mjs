/** Filter expressions: how long one takes to compile, and how many frames a second the interpreter judges. No network. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { median, table } from '../lib/table.mjs';

const { compileFilter, filterMatches } = createRequire(import.meta.url)('../../dist/src/index.js');

const ROUNDS = 7;
const FRESH = fileURLToPath(new URL('../filters/fresh.mjs', import.meta.url));
const FRESH_ROUNDS = 5;
/** What libpcap gets for an expression: for some of the longest it takes minutes. */
const PEER_MS = 2000;
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

/** `count` terms of one shape. */
const terms = (count, term, joint = ' or ') => Array.from({ length: count }, (_, index) => term(index)).join(joint);
const ipv4 = (index) => `10.${index >> 8}.${index & 255}.1`;
const mac = (index) => `02:00:00:00:${(index >> 8).toString(16).padStart(2, '0')}:${(index & 255).toString(16).padStart(2, '0')}`;
const port = (index) => `port ${index + 1}`;
const pair = (index) => `(src host ${ipv4(index)} and dst port ${index + 1})`;

/** Shapes that come to the 4096 instructions that the kernel takes. */
const LONGEST = [
  terms(1016, (index) => `host ${ipv4(index)}`),
  terms(338, (index) => `not host ${ipv4(index)}`, ' and '),
  terms(676, (index) => `src and dst host ${ipv4(index)}`),
  terms(2034, (index) => `ether host ${mac(index)}`),
  `vlan and (${terms(2031, (index) => `ether host ${mac(index)}`)})`,
  terms(1015, (index) => `net 10.${index >> 8}.${index & 255}.0/24`),
  terms(254, (index) => `ip6 host 2001:db8::${(index + 1).toString(16)}`),
  terms(1014, port),
  `${'('.repeat(63)}${terms(1014, port)}${')'.repeat(63)}`,
  terms(211, (index) => `not ${port(index)}`, ' and '),
  terms(470, (index) => `${index % 2 === 0 ? 'udp' : 'tcp'} ${port(index)}`),
  terms(507, (index) => `portrange ${index * 3 + 1}-${index * 3 + 2}`),
  terms(271, (index) => `(host ${ipv4(index)} and ${port(index)})`),
  terms(406, pair),
  terms(1935, (index) => `tcp[${index}] & 2 != 0`),
  terms(1943, (index) => `tcp[${index}] != ${index & 255}`, ' and '),
  `not (${terms(2000, (index) => `ip[${index % 30}] = ${index % 251}`)})`,
  terms(107, (index) => `vlan ${index} and host ${ipv4(index)}`),
];

/** Shapes that are refused: because they take more instructions, or because 64 KB of text ask for far more. */
const REFUSED = [
  `host ${terms(4676, ipv4)}`,
  terms(2772, (index) => `not host ${ipv4(index)}`, ' and '),
  terms(3702, (index) => `not ${port(index)}`, ' and '),
  terms(1566, pair),
  terms(3029, (index) => `tcp[${index}] & 2 != 0`),
  terms(2046, (index) => `vlan ${index} and host ${ipv4(index)}`),
  `host ${terms(21_844, (index) => `${index % 9}`, '&&')}`,
  `ip6 host ${terms(13_000, () => '::1', '||')}`,
  `proto ${terms(21_800, () => '1', '||')}`,
  `portrange ${terms(13_000, () => '1-2', '||')}`,
  '('.repeat(60_000),
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

/** What an expression comes to: its length in instructions, or null where it is refused. */
function compiled(expression) {
  try {
    return compileFilter(expression).length;
  } catch {
    return null;
  }
}

/** Medians of some rounds, in µs; the first compilation apart, because it is what a user waits for. */
function compileTime(expression, rounds = 20 * ROUNDS) {
  const times = [];
  for (let round = 0; round <= rounds; round++) {
    const from = process.hrtime.bigint();
    compiled(expression);
    times.push(Number(process.hrtime.bigint() - from) / 1e3);
  }
  const [first, ...more] = times;
  return { first, median: median(more), worst: Math.max(...more) };
}

/** The longest, compiled and nothing else: what a runtime stands still for. */
function longest(expressions) {
  return expressions.map((expression) => ({ expression, instructions: compiled(expression), ...compileTime(expression, 60) }));
}

/** The same where nothing is warm, in a process of its own, and what `tcpdump -ddd` takes from its start to its end: null where it does not get there. In ms. */
function besides({ expression, instructions }, folder) {
  const file = join(folder, 'expression');
  writeFileSync(file, expression);
  const fresh = Array.from({ length: FRESH_ROUNDS }, () => Number(execFileSync(process.execPath, [FRESH, file], { encoding: 'utf8' })));
  if (instructions === null) return { fresh: median(fresh), peer: null };
  const from = process.hrtime.bigint();
  const { error, status } = spawnSync('tcpdump', ['-ddd', '-y', 'EN10MB', '-F', file], { stdio: 'ignore', timeout: PEER_MS });
  const peer = Number(process.hrtime.bigint() - from) / 1e6;
  return { fresh: median(fresh), peer: error === undefined && status === 0 ? peer : null };
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
    const folder = mkdtempSync(join(tmpdir(), 'netring-bench-'));
    let long;
    try {
      long = longest([...LONGEST, ...REFUSED]).map((result) => ({ ...result, ...besides(result, folder) }));
    } finally {
      rmSync(folder, { recursive: true });
    }
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
    print(
      table(
        [
          'longest expressions',
          'characters',
          'instructions',
          'first, ms',
          'median, ms',
          'worst of 60, ms',
          'fresh process, ms',
          'tcpdump, ms',
        ],
        long.map(({ expression, instructions, first, median: middle, worst, fresh, peer }) => [
          shown(expression),
          `${expression.length}`,
          instructions === null ? 'refused' : `${instructions}`,
          ...[first, middle, worst].map((time) => (time / 1e3).toFixed(1)),
          fresh.toFixed(1),
          peer?.toFixed(0) ?? '-',
        ]),
      ),
    );
    return [...results, ...long];
  },
};
