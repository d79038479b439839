import assert from 'node:assert/strict';
import { compileFilter, disassemble, explainFilter, FilterError } from '@netring/node-red';
import { EXPRESSIONS } from '../traffic/filter-frames';

/** The expression as it was understood, and what its parts are said to mean. */
function explained(expression: string): { understood: string; parts: Record<string, string>; text: string } {
  const text = explainFilter(expression);
  const lines = text.split('\n');
  const parts = lines.filter((line) => line.startsWith('  ')).map((line) => line.trim().split(/ {2,}/) as [string, string]);
  return { understood: lines[0] ?? '', parts: Object.fromEntries(parts), text };
}

const MORE = [
  'tcp or udp and not icmp or arp',
  'not (not (tcp or udp) and ip)',
  'port not (80 or 443)',
  'dst host 10.0.0.1 and 10.0.0.2 or net 10.1',
  'src and dst net 10.0.0.0 mask 255.0.0.0',
  'ether src or dst host 02:00:00:00:00:01',
  'ip proto \\tcp or ip6 proto 17',
  'ether[0] & 1 != 0 or byte 3 > 2',
  '1 + 2 * 3 - -ip[4] >> 1 < len % 4 ^ 5',
  'ip[ip[0] & 0xf : 2] | 0x100 = 0x1ff',
  'vlan and vlan 5 or vlan',
  'mpls 5 and ip',
  'pppoes 7 and ip6',
  'inbound or ifindex 3',
];

describe('explainFilter', () => {
  for (const expression of [...EXPRESSIONS, ...MORE]) {
    it(`writes an expression so that it means the same: ${expression}`, () => {
      assert.deepEqual(compileFilter(explained(expression).understood), compileFilter(expression));
    });
  }

  it('shows which parts belong together', () => {
    assert.equal(explained('tcp or udp and not icmp or arp').understood, '((tcp or udp) and not icmp) or arp');
    assert.equal(explained('ip and (arp or (udp))').understood, 'ip and (arp or udp)');
    assert.equal(explained('tcp and (ip) and not arp').understood, 'tcp and ip and not arp');
    assert.equal(explained('ip[0] + 1 * 2 & 0xf = 3').understood, '(ip[0] + (1 * 2)) & 0xf = 3');
    assert.equal(explained('tcp[tcpflags] & (tcp-syn|tcp-fin) != 0').understood, 'tcp[13] & (0x2 | 0x1) != 0');
  });

  it('IPv4 addresses and networks that are written short are written out', () => {
    for (const [short, long] of [
      ['host 10', '0.0.0.10'],
      ['net 10', 'the network 10.0.0.0/8'],
      ['net 172.16', 'the network 172.16.0.0/16'],
      ['host 10.1', 'the network 10.1.0.0/16'],
      ['net 10.0.0.0 mask 255.0.0.0', 'the network 10.0.0.0/8'],
      ['net 10.0.0.1 mask 255.0.0.255', 'the network 10.0.0.1 mask 255.0.0.255'],
      ['net 0.0.0.0/0', 'the network 0.0.0.0/0'],
    ] as const)
      assert.deepEqual(Object.values(explained(short).parts), [`IPv4, ARP and RARP from or to ${long}`]);
  });

  it('fills in what is left out, and says what it implies', () => {
    const { understood, parts, text } = explained('tcp src port 80 or 443 and host 10.0.0.1');
    assert.equal(understood, '(tcp src port 80 or tcp src port 443) and host 10.0.0.1');
    assert.deepEqual(parts, {
      'tcp src port 80': 'TCP in IPv4 or IPv6, from port 80',
      'tcp src port 443': 'TCP in IPv4 or IPv6, from port 443',
      'host 10.0.0.1': 'IPv4, ARP and RARP from or to 10.0.0.1',
    });
    assert.match(text, /first fragment only/);
    assert.match(explained('port 53').parts['port 53'] ?? '', /^TCP, UDP and SCTP in IPv4 or IPv6, from or to port 53$/);
    assert.match(explained('vlan 7 and tcp').text, /looked for behind the tag/);
    assert.match(explained('tcp[13] = 2').text, /TCP in IPv4 for which[^]*not in IPv6/);
    for (const expression of ['arp', 'ip host 10.0.0.1', 'ether host 02:00:00:00:00:01', 'ip[8] < 5'])
      assert.doesNotMatch(explained(expression).text, /fragment|behind/);
  });

  it('ends with the program, for what it is asked for', () => {
    for (const use of ['socket', 'file'] as const) {
      const program = compileFilter('vlan 7', { for: use });
      assert.ok(explainFilter('vlan 7', { for: use }).endsWith(`\n${program.length} instructions:\n${disassemble(program)}`));
    }
    assert.equal(explainFilter(' \n'), 'Every frame.\n\n1 instruction:\n(000) ret      #262144');
  });

  it('refuses what compileFilter refuses', () => {
    assert.throws(
      () => explainFilter('tcp prot 80'),
      (error) => error instanceof FilterError && error.column === 5,
    );
  });
});
