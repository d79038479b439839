/** Ports of TCP, UDP and SCTP, over IPv4 (only what is no later fragment) and over IPv6 without extension headers. */
import { above, all, any, atLeast, equals, hasBit, not, type Condition, type Value } from './condition';
import { FilterError } from './filter-error';
import { oneOf } from './hosts';
import { ETHERTYPE, type Link } from './link';
import { carries } from './protocols';
import { type Qualifiers } from './syntax';

const NUMBERS = { tcp: 6, udp: 17, sctp: 132 } as const;
const ALL = [NUMBERS.tcp, NUMBERS.udp, NUMBERS.sctp];

const IPV6_HEADER = 40;

/** Every name that people try, with what its number is. They are not resolved: what a name means is a matter of the machine's /etc/services. */
const WELL_KNOWN: Readonly<Record<string, number>> = {
  ...{
    'ftp-data': 20,
    ftp: 21,
    ssh: 22,
    telnet: 23,
    smtp: 25,
    domain: 53,
    dns: 53,
    bootps: 67,
    bootpc: 68,
    tftp: 69,
    http: 80,
    kerberos: 88,
  },
  ...{ pop3: 110, ntp: 123, 'netbios-ns': 137, imap2: 143, imap: 143, snmp: 161, 'snmp-trap': 162, snmptrap: 162, bgp: 179, ldap: 389 },
  ...{ https: 443, syslog: 514, ldaps: 636, imaps: 993, mqtt: 1883, mysql: 3306, sip: 5060, modbus: 502, mbap: 502, postgresql: 5432 },
};

/** The later fragments of a datagram have no header of what it carries. */
export function isFirstFragment(link: Link): Condition {
  return link.asked('first fragment', () => not(hasBit(link.fromNetwork(2, 6), 0x1fff)));
}

/** From the first to the second, both included. */
export type PortRange = readonly [number, number];

/** A port in one of some ranges. */
export function ports(link: Link, { protocol, direction, type }: Qualifiers, ranges: readonly PortRange[], column: number): Condition {
  if (protocol !== null && protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'sctp')
    throw new FilterError(column, `"${type}" stands after "${protocol}", expected tcp, udp, sctp or nothing before it`);
  const numbers = protocol === null ? ALL : [NUMBERS[protocol]];
  const carriesPorts = (value: Value): Condition => any(...numbers.map((one) => equals(value, one)));
  const within = (src: Value, dst: Value): Condition =>
    oneOf(
      direction,
      ranges,
      (range) => isWithin(src, range),
      (range) => isWithin(dst, range),
    );
  return any(
    all(
      carries(link, ETHERTYPE.ip6, column),
      carriesPorts(link.fromNetwork(1, 6)),
      within(link.fromNetwork(2, IPV6_HEADER), link.fromNetwork(2, IPV6_HEADER + 2)),
    ),
    all(
      carries(link, ETHERTYPE.ip, column),
      carriesPorts(link.fromNetwork(1, 9)),
      isFirstFragment(link),
      within(link.fromTransport(2, 0), link.fromTransport(2, 2)),
    ),
  );
}

function isWithin(value: Value, [low, high]: PortRange): Condition {
  return low === high ? equals(value, low) : all(atLeast(value, low), not(above(value, high)));
}

/** `443`, or for a range `1000-2000` in either order. */
export function parsePorts(text: string, isRange: boolean, column: number): PortRange {
  const parts = isRange ? text.split('-') : [text];
  const [low, high = low] = parts.map((part) => portNumber(part, column));
  if (low === undefined || high === undefined || parts.length > 2)
    throw new FilterError(column, `"${text}" stands there, expected a range such as 1000-2000`);
  return low <= high ? [low, high] : [high, low];
}

function portNumber(text: string, column: number): number {
  if (/^[0-9]+$/.test(text)) return checkPort(Number(text), column);
  const shown = text.slice(0, 40);
  const known = Object.hasOwn(WELL_KNOWN, text) ? WELL_KNOWN[text] : undefined;
  throw new FilterError(
    column,
    `"${shown}" stands there, expected the number of a port`,
    /^[0-9]+-[0-9]+$/.test(text)
      ? `a range wants another word before it: "portrange ${shown}"`
      : `names of services are not looked up${known === undefined ? '' : `; ${text} is ${known}`}`,
  );
}

export function checkPort(port: number, column: number): number {
  if (port > 65535) throw new FilterError(column, `port ${port} is more than 65535`);
  return port;
}
