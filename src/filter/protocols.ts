/** Protocols: those that are words, those behind `proto`, and the names that `proto` takes. */
import { all, any, equals, type Condition } from './condition';
import { FilterError, RAW_HINT } from './filter-error';
import { ETHERTYPE, SAP, type Link } from './link';
import { type Protocol } from './words';

/** IANA's protocol numbers of what is a word. */
const OVER_IP = {
  icmp: 1,
  igmp: 2,
  tcp: 6,
  igrp: 9,
  udp: 17,
  esp: 50,
  ah: 51,
  icmp6: 58,
  pim: 103,
  vrrp: 112,
  carp: 112,
  sctp: 132,
} as const;

const IPV6_FRAGMENT = 44;

/** OSI's network layer protocol identifiers. */
const OVER_ISO = { clnp: 0x81, esis: 0x82, isis: 0x83 } as const;

/** IS-IS: the types of its PDUs (ISO 10589). */
const PDU = {
  l1Hello: 15,
  l2Hello: 16,
  pointToPointHello: 17,
  l1Link: 18,
  l2Link: 20,
  l1Full: 24,
  l2Full: 25,
  l1Partial: 26,
  l2Partial: 27,
};
const ISIS: Readonly<Record<string, readonly number[]>> = {
  l1: [PDU.l1Partial, PDU.l1Full, PDU.l1Link, PDU.l1Hello, PDU.pointToPointHello],
  l2: [PDU.l2Partial, PDU.l2Full, PDU.l2Link, PDU.l2Hello, PDU.pointToPointHello],
  iih: [PDU.pointToPointHello, PDU.l1Hello, PDU.l2Hello],
  lsp: [PDU.l1Link, PDU.l2Link],
  snp: [PDU.l2Partial, PDU.l1Partial, PDU.l1Full, PDU.l2Full],
  csnp: [PDU.l1Full, PDU.l2Full],
  psnp: [PDU.l1Partial, PDU.l2Partial],
};

/** The names of IANA's registry of protocol numbers that /etc/protocols has everywhere. */
const IP_NAMES: Readonly<Record<string, number>> = {
  ...{ ip: 0, icmp: 1, igmp: 2, ggp: 3, ipencap: 4, st: 5, tcp: 6, egp: 8, igp: 9, pup: 12, udp: 17, hmp: 20, rdp: 27, dccp: 33, ddp: 37 },
  ...{ ipv6: 41, rsvp: 46, gre: 47, esp: 50, ah: 51, skip: 57, 'ipv6-icmp': 58, 'ipv6-nonxt': 59, 'ipv6-opts': 60, eigrp: 88, ospf: 89 },
  ...{
    ipip: 94,
    etherip: 97,
    encap: 98,
    pim: 103,
    ipcomp: 108,
    vrrp: 112,
    l2tp: 115,
    isis: 124,
    sctp: 132,
    fc: 133,
    udplite: 136,
    hip: 139,
  },
};

const ETHER_NAMES: Readonly<Record<string, number>> = {
  ...{ aarp: ETHERTYPE.aarp, arp: ETHERTYPE.arp, atalk: ETHERTYPE.atalk, decnet: ETHERTYPE.decnet, ip: ETHERTYPE.ip, ip6: ETHERTYPE.ip6 },
  ...{ lat: ETHERTYPE.lat, loopback: ETHERTYPE.loopback, mopdl: ETHERTYPE.mopdl, moprc: ETHERTYPE.moprc, rarp: ETHERTYPE.rarp },
  ...{ sca: ETHERTYPE.sca, iso: SAP.iso, stp: SAP.stp, ipx: SAP.ipx, netbeui: SAP.netbeui },
};

/** The payload of the link is `protocol`. */
export function carries(link: Link, protocol: number, column: number): Condition {
  return link.asked(`link ${protocol}`, () => {
    const condition = link.carries(protocol);
    if (condition === null) throw new FilterError(column, 'behind mpls there are ip and ip6 only', RAW_HINT);
    return condition;
  });
}

/** The packet is of a protocol that is a word. */
export function isProtocol(link: Link, protocol: Protocol, column: number): Condition {
  return link.asked(protocol, () => named(link, protocol, column));
}

function named(link: Link, protocol: Protocol, column: number): Condition {
  switch (protocol) {
    case 'ether':
      throw new FilterError(column, 'a word for the link itself is no test, expected host, proto, broadcast, multicast or [ after it');
    case 'tcp':
    case 'udp':
    case 'sctp':
    case 'ah':
    case 'esp':
    case 'pim':
      return overEither(link, OVER_IP[protocol], column);
    case 'icmp':
    case 'igmp':
    case 'igrp':
    case 'vrrp':
    case 'carp':
      return overIpv4(link, OVER_IP[protocol], column);
    case 'icmp6':
      return overIpv6(link, OVER_IP[protocol], column);
    case 'clnp':
    case 'esis':
    case 'isis':
      return overIso(link, OVER_ISO[protocol], column);
    case 'l1':
    case 'l2':
    case 'iih':
    case 'lsp':
    case 'snp':
    case 'csnp':
    case 'psnp':
      return any(...(ISIS[protocol] as readonly number[]).map((type) => overIsis(link, type, column)));
    case 'iso':
    case 'stp':
    case 'ipx':
    case 'netbeui':
      return carries(link, SAP[protocol], column);
    default:
      return carries(link, ETHERTYPE[protocol], column);
  }
}

/** `proto N` behind `protocol`. */
export function encapsulates(link: Link, protocol: Protocol | null, value: number, column: number): Condition {
  switch (protocol) {
    case null:
      return overEither(link, value, column);
    case 'ether':
      return carries(link, value, column);
    case 'ip':
      return overIpv4(link, value, column);
    case 'ip6':
      return overIpv6(link, value, column);
    case 'iso':
      return overIso(link, value, column);
    case 'isis':
      return overIsis(link, value, column);
    default:
      throw new FilterError(column, `"proto" after "${protocol}", it follows ip, ip6, ether, iso, isis or nothing`);
  }
}

/** The number of a protocol that is named behind `proto`. */
export function protocolNumber(protocol: Protocol | null, name: string, column: number): number {
  const names =
    protocol === null || protocol === 'ip' || protocol === 'ip6'
      ? IP_NAMES
      : protocol === 'ether'
        ? ETHER_NAMES
        : protocol === 'iso'
          ? OVER_ISO
          : {};
  const found = Object.hasOwn(names, name) ? (names as Readonly<Record<string, number>>)[name] : undefined;
  if (found === undefined) throw new FilterError(column, `"${name}" is the name of no protocol here`, 'give its number');
  return found;
}

function overEither(link: Link, value: number, column: number): Condition {
  return any(overIpv4(link, value, column), overIpv6(link, value, column));
}

function overIpv4(link: Link, value: number, column: number): Condition {
  return all(carries(link, ETHERTYPE.ip, column), equals(link.fromNetwork(1, 9), value));
}

/** What is known to be IPv4 carries `protocol`. */
export function ipv4Carries(link: Link, protocol: keyof typeof OVER_IP): Condition {
  return link.asked(`ip ${protocol}`, () => equals(link.fromNetwork(1, 9), OVER_IP[protocol]));
}

/** In the fixed header, or in a fragment header right behind it; other extension headers are not walked. */
function overIpv6(link: Link, value: number, column: number): Condition {
  const next = link.fromNetwork(1, 6);
  return all(
    carries(link, ETHERTYPE.ip6, column),
    any(equals(next, value), all(equals(next, IPV6_FRAGMENT), equals(link.fromNetwork(1, 40), value))),
  );
}

function overIso(link: Link, value: number, column: number): Condition {
  return all(carries(link, SAP.iso, column), equals(link.fromNetworkOverLlc(1, 0), value));
}

function overIsis(link: Link, type: number, column: number): Condition {
  return all(overIso(link, OVER_ISO.isis, column), equals(link.fromNetworkOverLlc(1, 4), type));
}
