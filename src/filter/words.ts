/** The vocabulary: what a word of an expression is. Words are lower-case, as tcpdump's. */

/** Protocols that can stand alone or qualify what follows; the second name of a pair is another spelling. */
export const PROTOCOLS = [
  'ether',
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
  'igrp',
  'pim',
  'vrrp',
  'carp',
  'ah',
  'esp',
  'atalk',
  'aarp',
  'decnet',
  'lat',
  'sca',
  'moprc',
  'mopdl',
  'iso',
  'esis',
  'isis',
  'clnp',
  'l1',
  'l2',
  'iih',
  'lsp',
  'snp',
  'csnp',
  'psnp',
  'stp',
  'ipx',
  'netbeui',
] as const;

export type Protocol = (typeof PROTOCOLS)[number];

const SPELLINGS: Readonly<Record<string, Protocol>> = {
  link: 'ether',
  ppp: 'ether',
  slip: 'ether',
  fddi: 'ether',
  tr: 'ether',
  wlan: 'ether',
  'es-is': 'esis',
  'is-is': 'isis',
};

/** Words of the grammar, by what they mean. */
const GRAMMAR: Readonly<Record<string, string>> = {
  and: 'and',
  or: 'or',
  not: 'not',
  src: 'src',
  dst: 'dst',
  host: 'host',
  net: 'net',
  mask: 'mask',
  port: 'port',
  portrange: 'portrange',
  proto: 'proto',
  less: 'less',
  greater: 'greater',
  len: 'len',
  length: 'len',
  byte: 'byte',
  broadcast: 'broadcast',
  multicast: 'multicast',
  inbound: 'inbound',
  outbound: 'outbound',
  ifindex: 'ifindex',
  vlan: 'vlan',
  mpls: 'mpls',
  pppoed: 'pppoed',
  pppoes: 'pppoes',
};

/** Words of tcpdump that mean nothing on Ethernet, or that are not compiled here. As tcpdump, they are words nonetheless: never names. */
const RESERVED = (
  'protochain gateway radio type subtype direction dir address1 addr1 address2 addr2 address3 addr3 address4 addr4 ra ta geneve vxlan lane ' +
  'llc metac bcc oam oamf4 oamf4ec oamf4sc sc ilmic vpi vci connectmsg metaconnect on ifname rset ruleset rnr rulenum srnr subrulenum ' +
  'reason action fisu lssu lsu msu hfisu hlssu hmsu sio opc dpc sls hsio hopc hdpc hsls'
).split(' ');

/** Offsets and values that have a name: RFC 9293, RFC 792, RFC 4443 and the IANA registries of ICMP types. */
const NUMBERS: Readonly<Record<string, number>> = {
  tcpflags: 13,
  'tcp-fin': 0x01,
  'tcp-syn': 0x02,
  'tcp-rst': 0x04,
  'tcp-push': 0x08,
  'tcp-ack': 0x10,
  'tcp-urg': 0x20,
  'tcp-ece': 0x40,
  'tcp-cwr': 0x80,
  icmptype: 0,
  icmpcode: 1,
  'icmp-echoreply': 0,
  'icmp-unreach': 3,
  'icmp-sourcequench': 4,
  'icmp-redirect': 5,
  'icmp-echo': 8,
  'icmp-routeradvert': 9,
  'icmp-routersolicit': 10,
  'icmp-timxceed': 11,
  'icmp-paramprob': 12,
  'icmp-tstamp': 13,
  'icmp-tstampreply': 14,
  'icmp-ireq': 15,
  'icmp-ireqreply': 16,
  'icmp-maskreq': 17,
  'icmp-maskreply': 18,
  icmp6type: 0,
  icmp6code: 1,
  'icmp6-destinationunreach': 1,
  'icmp6-packettoobig': 2,
  'icmp6-timeexceeded': 3,
  'icmp6-parameterproblem': 4,
  'icmp6-echo': 128,
  'icmp6-echoreply': 129,
  'icmp6-multicastlistenerquery': 130,
  'icmp6-multicastlistenerreportv1': 131,
  'icmp6-multicastlistenerdone': 132,
  'icmp6-routersolicit': 133,
  'icmp6-routeradvert': 134,
  'icmp6-neighborsolicit': 135,
  'icmp6-neighboradvert': 136,
  'icmp6-redirect': 137,
  'icmp6-routerrenum': 138,
  'icmp6-nodeinformationquery': 139,
  'icmp6-nodeinformationresponse': 140,
  'icmp6-ineighbordiscoverysolicit': 141,
  'icmp6-ineighbordiscoveryadvert': 142,
  'icmp6-multicastlistenerreportv2': 143,
  'icmp6-homeagentdiscoveryrequest': 144,
  'icmp6-homeagentdiscoveryreply': 145,
  'icmp6-mobileprefixsolicit': 146,
  'icmp6-mobileprefixadvert': 147,
  'icmp6-certpathsolicit': 148,
  'icmp6-certpathadvert': 149,
  'icmp6-multicastrouteradvert': 151,
  'icmp6-multicastroutersolicit': 152,
  'icmp6-multicastrouterterm': 153,
};

export type Word =
  | { kind: 'protocol'; protocol: Protocol }
  | { kind: 'grammar'; meaning: string }
  | { kind: 'number'; value: number }
  | { kind: 'reserved' };

const WORDS = new Map<string, Word>([
  ...PROTOCOLS.map((protocol): [string, Word] => [protocol, { kind: 'protocol', protocol }]),
  ...Object.entries(SPELLINGS).map(([word, protocol]): [string, Word] => [word, { kind: 'protocol', protocol }]),
  ...Object.entries(GRAMMAR).map(([word, meaning]): [string, Word] => [word, { kind: 'grammar', meaning }]),
  ...Object.entries(NUMBERS).map(([word, value]): [string, Word] => [word, { kind: 'number', value }]),
  ...RESERVED.map((word): [string, Word] => [word, { kind: 'reserved' }]),
]);

/** What a word means; undefined: it is a name. */
export function meaningOf(word: string): Word | undefined {
  return WORDS.get(word);
}
