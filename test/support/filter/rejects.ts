/** Expressions that neither tcpdump nor we take. */
export const REJECTS: readonly string[] = `
1.2.3.4
foo
TCP
Tcp port 80
80
port
port port
port 65536
port 99999999999
port 0x10000
port -1
port 08
port 1.2.3.4
port ::1
port 80 443
port 10-20
tcp port
ip port 80
icmp port 80
portrange
portrange 1-65536
portrange 10.1.2.3
arp portrange 1-2
host
host 256.1.1.1
host 1.2.3.400
host 1.2.3.4/24
host 1.2.3.4 mask 255.255.255.0
host 2001:db8::1/64
host 1::2::3
host 1:2:3
host 00:11:22:33:44:55
tcp host 1.2.3.4
udp src 1.2.3.4
ip6 host 1.2.3.4
ip host ::1
arp host ::1
ether host 1.2.3.4
ether host
ether src 5
net
net 10.1.2.3/8
net 10.0.0.0/33
net 10/8
net 10.0.0.1 mask 255.255.255.0
net ::1/64
net ::/129
net fe80::/10 mask 255.0.0.0
net 10.0.0.0/
ip proto
ip proto tcp
ip proto nosuchproto
ip proto 1.2.3.4
tcp proto 6
arp proto 5
src proto 6
ether
ether ff:ff:ff:ff:ff:ff
ether proto nosuch
ip6 broadcast
tcp broadcast
arp multicast
and
or tcp
tcp and
tcp or
not
tcp udp
tcp and and udp
(tcp
tcp)
()
((tcp)
tcp and ()
vlan 4096
vlan 99999
mpls 1048576
mpls and arp
mpls and vlan
pppoes 65536
pppoes and vlan
pppoes and ether host 00:11:22:33:44:55
pppoes and broadcast
less
less foo
greater
len
len >
len = 
ip[0]
ip[0] =
ip[0] = 
ip[ = 5
ip[] = 5
ip[0:3] = 5
ip[0:0] = 5
ip[0:8] = 5
ip[0:ip[0]] = 5
ip[0 = 5
esp[0] = 1
ah[0] = 5
iso[0] = 5
ip[0] / 0 = 1
ip[0] % 0 = 1
ip[0] << 32 = 1
ip[0] >> 40 = 1
ip[0] = 1 = 2
ip[0] & = 2
5 +
tcp[tcpflag] = 5
ip[0] === 5
ip[0] <> 5
tcp-syn
99999999999 = len
0x100000000 = len
@
tcp # comment
tcp; udp
"tcp"
src
src or
src or src 1.2.3.4
src dst 1.2.3.4
dst and port 80
inbound 5
vlan foo
gateway foo
type mgt
wlan type mgt
lane
oam
vpi 5
fisu
opc 5
on eth0
ifindex foo
byte 0
byte 0 ! 1
port 80 or (tcp) or (81 and arp)
(80 or 81)
tcp or 80
tcp or (80)
port 80 or host
host 1.2.3.4 5.6.7.8
$5
radio[0] = 1
tcp & udp
a:b:c:d:e
1:2:3:4:5:6:7
tcp and udp
ip and not ip
5 != 5
tcp[0:2] = udp[0:2]
ip host 10.1.2.3 and arp host 10.1.2.4
ip[0] = 1 and ip[0] = 2
host 10.0.0.1 and not ip and not arp and not rarp
`
  .split('\n')
  .filter((line) => line !== '');
