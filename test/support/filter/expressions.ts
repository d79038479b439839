/** Expressions that tcpdump takes, by what they are about. */

const PROTOCOLS =
  'ip ip6 arp rarp tcp udp sctp icmp icmp6 igmp igrp pim vrrp carp ah esp atalk aarp decnet lat sca moprc mopdl iso esis isis clnp l1 l2 iih lsp snp ' +
  'csnp psnp stp ipx netbeui es-is is-is';

const SINGLE = `
ip proto 6
ip proto 47
ip proto 255
ip proto 300
ip proto \\tcp
ip proto \\icmp
ip proto gre
ip proto ospf
ip proto (6 or 17)
ip proto 6 or 17
ip6 proto 6
ip6 proto 58
ip6 proto 44
ip6 proto \\udp
proto 6
proto 17 or 132
proto \\sctp
proto 0
iso proto 0x81
iso proto \\esis
isis proto 18
ether proto 0x0800
ether proto 0x88cc
ether proto 0x86dd or 0x806
ether proto \\ip
ether proto \\arp
ether proto \\ip6
ether proto 1501
ether proto 1500
ether proto 0x42
ether proto 0x05
ether proto 0xfe
ether proto 0xf0
ether proto 0xe0
ether proto 0x06
ether proto 0x809b
ether proto 0x80f3
ether proto 0x8137
ether proto 0x12345
ether proto \\stp
ether proto loopback
link proto 0x800
ether host 00:1b:44:11:3a:b7
ether host 00-1b-44-11-3a-b7
ether host 001b.4411.3ab7
ether host 001b44113ab7
ether host 0.1b.44.11.3a.b7
ether src 02:00:00:00:00:01
ether dst ff:ff:ff:ff:ff:ff
ether src or dst 2:0:0:0:0:1
ether src and dst 02:00:00:00:00:01
ether src host 00:1b:44:11:3a:b7
ether dst host 01:00:5e:00:00:fb or 33:33:00:00:00:01
not ether host 02:00:00:00:00:01
wlan host 02:00:00:00:00:01
broadcast
multicast
ether broadcast
ether multicast
ip broadcast
ip multicast
ip6 multicast
not broadcast and not multicast
host 10.1.2.3
host 10.1.2.3 or 10.1.2.4
host (10.1.2.3 or 192.168.0.1)
host 10.1
host 224.0.0
src host 10.1.2.3
dst host 10.1.2.3
src 10.1.2.3
dst 10.1.2.3
src or dst 10.1.2.3
src and dst 10.1.2.3
dst and src 10.1.2.3
dst or src host 172.16.5.9
ip host 10.1.2.3
ip src 10.1.2.4
ip dst host 255.255.255.255
arp host 10.1.2.3
arp src 10.1.2.3
arp dst host 10.1.2.4
rarp host 192.168.0.1
rarp src or dst 10.1.2.3
not host 10.1.2.3
not src host 10.1.2.3 and not dst host 10.1.2.4
host 0.0.0.0
host 167838211
host 0x0a010203
host 2001:db8::1
host ::1
src host fe80::1:2
dst ff02::fb
ip6 host 2001:db8::2
ip6 src 2001:db8::1
src and dst host 2001:db8::1
host ::ffff:10.1.2.3
host 2001:db8::1 or ::1
host 2001:db8::1/128
host 2001:db8:0:0:0:0:0:1
net 10
net 10.1
net 10.1.2
net 10.1.2.3
net 10.1.2.0/24
net 10.0.0.0/8
net 10.1.2.2/31
net 10.1.2.3/32
net 0.0.0.0/0
net 0.0.0.0/1
net 10.1/16
net 192.168.0.0 mask 255.255.255.0
net 10.1 mask 255.255
net 10.0.2.1 mask 255.0.255.1
src net 10.1.2
dst net 192.168
src or dst net 172.16.0.0/12
src and dst net 10.0.0.0/8
ip net 10.1
arp net 10.1.2
rarp net 192.168.0.0/16
net 0
net 2001:db8::/32
net fe80::/10
net ::/0
net ::ffff:0:0/96
src net 2001:db8::/126
dst net ff00::/8
ip6 net 64:ff9b::/96
net 2001:db8::1/128
net 2001:db8::1
port 80
port 80 or 443
port (80 or 443 or 8080)
port not 80
port 80 or not 443
not port 22
src port 53
dst port 53
src or dst port 502
src and dst port 502
tcp port 80
tcp src port 80
tcp dst port 443
udp port 53
udp src port 53 or 1024
sctp port 1024
sctp dst port 80
tcp port 80 or 81 or 443 or 8080
port 0
port 65535
port 0x50
port 0120
portrange 80-443
portrange 443-80
portrange 80-80
portrange 80
portrange 0-65535
tcp portrange 1024-65535
udp src portrange 50-60
src portrange 22-81 or 8080-9000
src and dst portrange 1-1000
sctp dst portrange 0-79
host 10.1.2.3 and port 80
host 10.1.2.3 and tcp port 80 or 443
tcp port 502 and not host 10.1.2.3
src host 10.1.2.3 and dst port 80
src 10.1.2.3 and (port 80 or port 443)
host 10.1.2.3 and (port 80 or 443) and not port 22
(host 10.1.2.3 or host 10.1.2.4) and tcp
tcp or udp
tcp or udp and ip6
tcp and ip6 or arp
arp or tcp and port 80
not tcp or udp
not (tcp or udp)
not not tcp
not not not tcp
! tcp && ! udp || arp
tcp && port 80 || udp && port 53
((tcp))
(((tcp or udp) and port 80) or arp) and not host 10.1.2.4
ip and not (tcp or udp or icmp)
less 60
greater 60
less 0
greater 0
less 64 or greater 1000
len = 60
len <= 60
length > 100
len < 50 or len > 90
len & 1 = 1
len - 14 > ip[2:2]
60 <= len
inbound
outbound
inbound and tcp
ifindex 2
byte 0 = 255
byte 12 > 7
byte 12 < 8
vlan
vlan 5
vlan (100)
vlan 0
vlan 4095
not vlan
vlan and ip
vlan 5 and tcp port 80
vlan 5 or vlan 100
vlan and vlan
vlan 5 and vlan 100
vlan 5 and vlan 100 and ip
vlan and vlan and vlan and ip6
vlan or ip
ip or vlan
ip or (vlan and ip)
ip or vlan and tcp
(arp or vlan) and tcp
arp or vlan 5 or ip
not vlan and ip
not (vlan 5) and ip
vlan and not ip
vlan and host 10.1.2.3
vlan 100 and net 10.1
vlan and ether host 02:00:00:00:00:01
vlan and ether proto 0x800
vlan and ether[12:2] = 0x8100
vlan and ip[0] & 0xf = 5
vlan and tcp[13] & 2 != 0
vlan 5 and icmp6[0] = 128
vlan and udp[ip[0] & 0 + 2:2] = 53
(vlan and tcp) or (vlan and udp)
vlan and (ip or arp) and not tcp
vlan and (vlan or ip) and port 80
vlan and mpls
vlan and mpls and ip
vlan and pppoes and ip
vlan 5 and pppoes 17 and ip6 and tcp port 80
vlan and ip6 and icmp6
vlan and iso
vlan and ipx
vlan and atalk
mpls
mpls 1000
mpls (16)
mpls and ip
mpls and ip6
mpls and mpls
mpls 16 and mpls 1000
mpls 16 and mpls and ip and tcp port 80
mpls and host 10.1.2.3
mpls and host 2001:db8::1
mpls and tcp
mpls and ip[8] > 5
mpls or ip
not mpls and ip
pppoed
pppoes
pppoes 17
pppoes and ip
pppoes and ip6
pppoes and tcp port 80
pppoes 0 and host 10.1.2.3
pppoes and ether proto 0x21
pppoes and ether[0] = 0
pppoes and mpls
pppoes and iso
pppoes and ipx
pppoes and stp
pppoes and decnet
pppoes and atalk
pppoes and arp
pppoes or ip
tcp[tcpflags] & tcp-syn != 0
tcp[tcpflags] & (tcp-syn|tcp-fin) != 0
tcp[tcpflags] = tcp-syn
tcp[tcpflags] & (tcp-syn|tcp-ack) == (tcp-syn|tcp-ack)
tcp[13] = 2
tcp[13:1] & 0x12 = 0x12
tcp[0:2] = 80
tcp[2:2] > 1023
tcp[4:4] > 0x80000000
tcp[12] & 0xf0 > 0x50
tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420
tcp[tcp[12] >> 4] = 0
tcp[0] < 10 and tcp[tcp[12] >> 4] < 200 and tcp[3] < 100
tcp[0] < 10 and tcp[0:2] < tcp[2:2] and tcp[3] < 100
udp[4:2] >= 100
udp[0:2] & 1 = 0
icmp[icmptype] = icmp-echo
icmp[icmptype] != icmp-echo and icmp[icmptype] != icmp-echoreply
icmp[icmpcode] = 0
icmp[0] = icmp-unreach or icmp[0] = icmp-timxceed
icmp6[icmp6type] = icmp6-echo
icmp6[icmp6type] == icmp6-neighborsolicit or icmp6[0] == icmp6-neighboradvert
icmp6[icmp6code] > 0
igmp[0] = 0x16
igrp[0] = 1
pim[0] & 0xf = 0
vrrp[0] = 0x21
carp[0] = 0x21
sctp[0:2] = 80
ip[0] & 0xf != 5
ip[0] = 0x45
ip[6:2] & 0x1fff = 0
ip[6] & 0x20 != 0
ip[8] < 64
ip[9] = 6
ip[2:2] > 40
ip[12:4] = 0x0a010203
ip[12:4] & 0xffff0000 = 0x0a010000
ip[16] >= 224
ip[ip[0] & 0xf] = 0
ip[-1] = 0
ip6[6] = 6
ip6[40] = 128
ip6[0:4] & 0xf = 0
arp[6:2] = 1
arp[7] = 2
rarp[7] = 3
atalk[0] = 0
decnet[0] = 0
ether[0] & 1 = 0
ether[0] = 0xff
ether[12:2] = 0x800
ether[12:2] > 1500
ether[6:4] = 0x001b4411 and ether[10:2] = 0x3ab7
ether[len - 1] = 0
ether[1000] = 0
ether[0xffffffff] = 0
ether[4294963204] = 0
ether[0x7fffffff:4] = 1
not ether[1000] = 0
ip[0] + ip[1] = 100
ip[0] - ip[1] > 50
ip[0] * 2 = 138
ip[0] * ip[1] > 1000
ip[2:2] / 2 > 20
ip[2:2] / ip[8] = 0
100 / ip[1] = 1
ip[2:2] % 3 = 0
ip[2:2] % ip[1] = 1
ip[0] % 2 + 1 = 1
ip[0] + 1 % 2 = 1
ip[1] ^ 0xff = 0xf0
ip[1] ^ ip[2] & 3 = 1
ip[1] | 1 & 2 = 1
ip[0] << 2 = 276
ip[0] >> 4 = 4
ip[0] >> ip[1] = 0
1 << (ip[0] & 7) = 32
1 << ip[0] = 32
-ip[0] = 4294967227
- ip[0] + 100 = 31
-1 = 4294967295
5 = 5
5 > ip[8]
64 <= ip[8]
64 >= ip[8]
70 < ip[0]
ip[0] = ip[0]
ip[12:4] = ip[16:4]
ip[12:4] > ip[16:4]
ip[12:4] <= ip[16:4]
ip[12:4] != ip[16:4]
tcp[0:2] = tcp[2:2]
tcp[0] + udp[0] = 5
5 + tcp[0] = 5
5 + tcp[0] = 5 or arp
not tcp[0] = 0
not (tcp[0] = 0)
not tcp[0] != 0
(ip[0]) = 0x45
(ip[0] + (1)) = 70
((5)) = 5
(ip[0] & 0xf) * 4 = 20
ip[0] & 0xf0 = 0x40 and ip[0] & 0x0f >= 5
ip[0] & 0xf << 2 = 20
ip[(ip[0] & 0xf) * 4] = 0
ip[0] & 0 = 0
ip[0] + ip[1] + ip[2] + ip[3] + ip[4] + ip[5] + ip[6] + ip[7] + ip[8] + ip[9] + ip[10] + ip[11] > 1000
((ip[0] + ip[1]) * (ip[2] + ip[3])) - ((ip[4] + ip[5]) * (ip[6] + ip[7])) > 5
tcp[0] > 10 and tcp[1] < 100 or udp[0] > 10
tcp port 80 and (tcp[tcpflags] & tcp-push != 0 or len > 100)
port 80 or (tcp and ip6)
port 80 or (81 or not 443)
port 80 or (host 10.1.2.3) or 443
(port 80) and tcp or udp
port 80 or 5 = ip[0] and 2 = 2
port 80 and (5) + 1 = 6
host 10.1.2.3 and not 10.1.2.4
host 10.1.2.3 or not (10.1.2.4 or 192.168.0.1)
src host 10.1.2.3 or 10.1.2.4 and dst port 80 or 443
udp and (port 67 or port 68)
ether proto 0x88cc or arp
tcp[0:2] > 1023 and tcp[2:2] > 1023
`;

/** Enough terms to need jumps that are too far for 8 bits. */
function long(): string[] {
  const hosts = (count: number): string => Array.from({ length: count }, (_, index) => `10.1.${index >> 8}.${index & 255}`).join(' or ');
  const alternating = Array.from({ length: 120 }, (_, index) => (index % 2 === 0 ? `ip[${index % 20}] > ${index}` : `port ${index}`));
  return [
    `host ${hosts(150)}`,
    `not (host ${hosts(100)}) and tcp`,
    `ip and (${Array.from({ length: 300 }, (_, index) => `ip[${index % 30}] = ${index % 251}`).join(' or ')})`,
    `not (${Array.from({ length: 300 }, (_, index) => `len = ${index}`).join(' or ')})`,
    alternating.map((term, index) => (index === 0 ? term : `${index % 3 === 0 ? 'and' : 'or'} ${term}`)).join(' '),
    `tcp port ${Array.from({ length: 200 }, (_, index) => index).join(' or ')}`,
    `vlan and (host ${hosts(80)}) and port 80`,
  ];
}

export const EXPRESSIONS: readonly string[] = [
  ...PROTOCOLS.split(' '),
  ...PROTOCOLS.split(' ').map((protocol) => `not ${protocol}`),
  ...SINGLE.split('\n').filter((line) => line !== ''),
  ...long(),
];
