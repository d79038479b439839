/** Expressions by chance, most of which tcpdump takes. */
import { ETHERTYPES, HOSTS, HOSTS6, LABELS, MACS, PORTS, PROTOCOL_NUMBERS, SESSIONS, VIDS } from './pools';
import { type Random } from './random';

const PROTOCOLS = [
  'ip',
  'ip6',
  'arp',
  'rarp',
  'tcp',
  'udp',
  'sctp',
  'icmp',
  'icmp6',
  'igmp',
  'pim',
  'stp',
  'iso',
  'ipx',
  'atalk',
  'isis',
  'esp',
];
const INDEXED = ['ether', 'ip', 'ip6', 'arp', 'tcp', 'udp', 'icmp', 'icmp6', 'sctp', 'igmp', 'rarp'];

export function randomExpression(random: Random, depth = 3): string {
  const terms = 1 + random.below(3);
  let text = term(random, depth);
  for (let index = 1; index < terms; index++) text += ` ${random.of(['and', 'or', 'and', 'or', '&&', '||'])} ${term(random, depth)}`;
  return text;
}

/** A list as machines write it, of terms of one kind or two: what is known on the way through it decides most of its tests. */
export function randomList(random: Random, length: number): string {
  const side = (): string => random.of(['src', 'dst']);
  const host = (): string => (random.chance(40) ? random.of(HOSTS) : `10.9.${random.below(4)}.${random.below(200)}`);
  const port = (): number => (random.chance(40) ? random.of(PORTS) : 20_000 + random.below(500));
  const kinds: readonly (() => string)[] = [
    () => `(${side()} host ${host()} and ${side()} port ${port()})`,
    () => `(${side()} host ${host()} and ${random.of(['tcp', 'udp', 'ip'])})`,
    () => `host ${host()}`,
    () => `not ${side()} host ${host()}`,
    () => `${random.of(['', 'not '])}${random.of(['', 'tcp ', 'udp '])}port ${port()}`,
    () => `portrange ${port()}-${port()}`,
    () => `ether ${side()} ${random.of(MACS)}`,
    () => `(ether ${side()} ${random.of(MACS)} and ip6 proto ${random.of(PROTOCOL_NUMBERS)})`,
    () => `tcp[${random.below(40)}] & ${1 + random.below(255)} ${random.of(['=', '!='])} ${random.below(3)}`,
    () => `ip[${random.below(40)}] ${random.of(['=', '!=', '>', '<='])} ${random.below(256)}`,
    () => `net 10.${random.below(4)}.0.0/16`,
    () => `ip6 host ${random.of(HOSTS6)}`,
  ];
  const [one, other] = [random.of(kinds), random.of(kinds)];
  const joint = random.of([' or ', ' and ']);
  const terms = Array.from({ length }, () => {
    const term = random.chance(70) ? one() : other();
    // As they stand, few frames match all of them.
    return joint === ' and ' && random.chance(95) ? `not (${term})` : term;
  });
  return `${random.of(['', '', '', 'vlan and ', 'tcp and '])}(${terms.join(joint)})`;
}

function term(random: Random, depth: number): string {
  const not = random.chance(15) ? random.of(['not ', '! ', '!']) : '';
  if (depth > 0 && random.chance(25)) return `${not}(${randomExpression(random, depth - 1)})`;
  return not + primitive(random);
}

function primitive(random: Random): string {
  switch (random.below(16)) {
    case 0:
    case 1:
      return random.of(PROTOCOLS);
    case 2:
      return `${random.of(['', 'ip ', 'arp '])}${direction(random)}host ${items(random, HOSTS)}`;
    case 3:
      return `${random.of(['', 'ip6 '])}${direction(random)}host ${items(random, HOSTS6)}`;
    case 4:
      return `${direction(random)}net ${random.of(['10', '10.1', '10.1.2.0/24', '192.168.0.0/16', '0.0.0.0/0', '10.0.0.0 mask 255.0.0.0', '2001:db8::/32', 'fe80::/9', '::/0'])}`;
    case 5:
    case 6:
      return `${random.of(['', 'tcp ', 'udp ', 'sctp '])}${direction(random)}port ${items(random, PORTS.map(String))}`;
    case 7:
      return `${random.of(['', 'tcp ', 'udp '])}${direction(random)}portrange ${random.of(PORTS)}-${random.of(PORTS)}`;
    case 8:
      return `${random.of(['ip ', 'ip6 ', ''])}proto ${items(random, PROTOCOL_NUMBERS.map(String))}`;
    case 9:
      return `ether proto ${items(random, ETHERTYPES.map(String))}`;
    case 10:
      return `ether ${random.of(['host', 'src', 'dst', 'src or dst'])} ${items(random, MACS)}`;
    case 11:
      return random.of([
        'broadcast',
        'multicast',
        'ip broadcast',
        'ip multicast',
        'ip6 multicast',
        'inbound',
        'outbound',
        `less ${random.below(120)}`,
        `greater ${random.below(120)}`,
      ]);
    case 12:
      return random.of([
        `vlan`,
        `vlan ${random.of(VIDS)}`,
        'vlan',
        `mpls ${random.of(LABELS)}`,
        'mpls',
        'pppoes',
        `pppoes ${random.of(SESSIONS)}`,
      ]);
    default:
      return `${arithmetic(random, 2)} ${random.of(['=', '==', '!=', '<', '>', '<=', '>='])} ${random.chance(70) ? constant(random) : arithmetic(random, 1)}`;
  }
}

const direction = (random: Random): string => random.of(['', '', 'src ', 'dst ', 'src or dst ', 'src and dst ', 'dst or src ']);

/** One, or several that share the words before them. */
function items(random: Random, pool: readonly string[]): string {
  if (random.chance(60)) return random.of(pool);
  const listed = `${random.of(pool)} or ${random.of(pool)}${random.chance(20) ? ` or not ${random.of(pool)}` : ''}`;
  return random.chance(50) ? `(${listed})` : listed;
}

const constant = (random: Random): string =>
  random.of([
    () => `${random.below(256)}`,
    () => `0x${random.word().toString(16)}`,
    () => `${random.below(65536)}`,
    () => '0',
    () => 'tcp-syn',
    () => 'len',
  ])();

function arithmetic(random: Random, depth: number): string {
  if (depth === 0 || random.chance(40)) return random.chance(80) ? bytes(random, depth) : constant(random);
  if (random.chance(5)) return `- ${arithmetic(random, depth - 1)}`;
  const operator = random.of(['+', '-', '*', '/', '%', '&', '&', '&', '|', '^', '<<', '>>']);
  // Division and shifts by a constant have rules of their own.
  const right =
    operator === '<<' || operator === '>>'
      ? `${random.below(32)}`
      : operator === '/' || operator === '%'
        ? `${1 + random.below(20)}`
        : arithmetic(random, depth - 1);
  return `${group(random, arithmetic(random, depth - 1))} ${operator} ${group(random, right)}`;
}

/** In parentheses, where grammar allows them. */
const group = (random: Random, text: string): string => (random.chance(50) ? `(${text})` : text);

function bytes(random: Random, depth: number): string {
  const index = depth > 0 && random.chance(15) ? arithmetic(random, depth - 1) : `${random.below(24)}`;
  return `${random.of(INDEXED)}[${index}${random.of(['', '', ':1', ':2', ':4'])}]`;
}
