import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { disassemble, type BpfInsn } from '@netring/node-red';
import { parseFilter } from '../../src/options/filter-program';
import { skip } from '../support/skip';

/** Mnemonic and form of the operand, in which `k` stands for the constant, by opcode; jumps have `jt` and `jf` besides. */
const FORMS: readonly [code: number, form: string][] = [
  [0x20, 'ld [k]'],
  [0x28, 'ldh [k]'],
  [0x30, 'ldb [k]'],
  [0x40, 'ld [x + k]'],
  [0x48, 'ldh [x + k]'],
  [0x50, 'ldb [x + k]'],
  [0x80, 'ld #pktlen'],
  [0x00, 'ld #k'],
  [0x60, 'ld M[k]'],
  [0x81, 'ldx #pktlen'],
  [0x01, 'ldx #k'],
  [0x61, 'ldx M[k]'],
  [0xb1, 'ldxb 4*([k]&0xf)'],
  [0x02, 'st M[k]'],
  [0x03, 'stx M[k]'],
  [0x04, 'add #k'],
  [0x0c, 'add x'],
  [0x14, 'sub #k'],
  [0x1c, 'sub x'],
  [0x24, 'mul #k'],
  [0x2c, 'mul x'],
  [0x34, 'div #k'],
  [0x3c, 'div x'],
  [0x44, 'or #k'],
  [0x4c, 'or x'],
  [0x54, 'and #k'],
  [0x5c, 'and x'],
  [0x64, 'lsh #k'],
  [0x6c, 'lsh x'],
  [0x74, 'rsh #k'],
  [0x7c, 'rsh x'],
  [0x84, 'neg'],
  [0x94, 'mod #k'],
  [0x9c, 'mod x'],
  [0xa4, 'xor #k'],
  [0xac, 'xor x'],
  [0x05, 'ja k'],
  [0x15, 'jeq #k'],
  [0x1d, 'jeq x'],
  [0x25, 'jgt #k'],
  [0x2d, 'jgt x'],
  [0x35, 'jge #k'],
  [0x3d, 'jge x'],
  [0x45, 'jset #k'],
  [0x4d, 'jset x'],
  [0x06, 'ret #k'],
  [0x16, 'ret'],
  [0x07, 'tax'],
  [0x87, 'txa'],
];

/** Reads the text back. What an instruction does not use is 0. */
function assemble(text: string): BpfInsn[] {
  return text.split('\n').map((line, at) => {
    const [, number, body = '', jt, jf] = /^\((\d+)\) (.*?)(?: +jt (\d+)\tjf (\d+))?$/.exec(line) ?? [];
    assert.equal(Number(number), at, line);
    const words = body.trim().replace(/ +/, ' ');
    const constant = /^(\w+ (?:#|\[x \+ |4\*\(\[|M?\[|))(-?(?:0x)?[0-9a-f]+)(.*)$/.exec(words);
    const form = constant === null ? words : `${constant[1]}k${constant[3]}`;
    const code = FORMS.find((entry) => entry[1] === form)?.[0];
    assert.ok(code !== undefined, line);
    let k = constant === null ? 0 : Number(constant[2]) >>> 0;
    if (code === 0x05) k -= at + 1;
    return { code, jt: Number(jt ?? at + 1) - at - 1, jf: Number(jf ?? at + 1) - at - 1, k };
  });
}

describe('disassemble', () => {
  it('writes every instruction of classic BPF so that it can be read back', () => {
    const constants = [0, 1, 14, 0xfff, 0x10000, 0x7fffffff];
    for (const [code, form] of FORMS) {
      for (const constant of constants) {
        const k = /\bk\b/.test(form) ? constant : 0;
        const jumps = (code & 7) === 5 && code !== 5;
        const program = [{ code, jt: jumps ? 3 : 0, jf: jumps ? 255 : 0, k }];
        assert.deepEqual(assemble(disassemble(program)), program, form);
      }
    }
    assert.equal(new Set(FORMS.map(([code]) => disassemble([{ code, jt: 0, jf: 0, k: 0 }]))).size, FORMS.length);
  });

  it('names what is not a byte of the frame', () => {
    const load = (offset: number, code = 0x28): string => disassemble([{ code, jt: 0, jf: 0, k: offset >>> 0 }]).replace('(000) ', '');
    assert.equal(load(-0x1000 + 48, 0x30), 'ldb      [vlanp]');
    assert.equal(load(-0x1000 + 44), 'ldh      [vlan_tci]');
    assert.equal(load(-0x1000 + 60), 'ldh      [vlan_tpid]');
    assert.equal(load(-0x1000), 'ldh      [proto]');
    assert.equal(load(-0x1000 + 4), 'ldh      [type]');
    assert.equal(load(-0x1000 + 64), 'ldh      [-4032]', 'no ancillary data that has a name');
    assert.equal(load(-0x100000 + 9), 'ldh      [net + 9]');
    assert.equal(load(-0x200000 + 12), 'ldh      [link + 12]');
    assert.equal(load(-0x100000, 0xb1), 'ldxb     4*([net + 0]&0xf)');
    assert.equal(load(-1, 0x48), 'ldh      [x + -1]');
  });

  it('shows what is no instruction, and nothing for no program', () => {
    assert.equal(disassemble([{ code: 0xff, jt: 0, jf: 0, k: 7 }]), '(000) unimp    0xff');
    assert.equal(disassemble([]), '');
  });

  for (const [link, expression] of [
    ['EN10MB', ''],
    ['EN10MB', 'tcp port 502 and not host 10.0.0.1'],
    ['EN10MB', 'ip6 and portrange 1000-2000'],
    ['EN10MB', 'ether host 02:00:00:00:00:01 or ether multicast'],
    ['EN10MB', 'vlan 5 and tcp port 80'],
    ['EN10MB', 'ip[0] & 0xf > len'],
    ['EN10MB', 'ip[2:2] * 3 - ip[1] / 2 + ip[4] % 5 ^ ip[5] | ip[6] >> 1 << 2 > ip[ip[3]]'],
    ['EN10MB', '-ip[4] = 0xff and tcp[tcpflags] & (tcp-syn|tcp-ack) != 0'],
    ['EN10MB', 'net 10.0.0.0/8 or ip6 net fd00::/8 or less 100 or greater 1000'],
    ['RAW', 'udp and ip6'],
    ['lo', 'vlan 5 and udp'],
    ['lo', 'inbound and ifindex 3'],
  ] as const) {
    it(`writes what tcpdump -d does: ${link} "${expression}"`, function () {
      const run = (form: string): string => {
        const args = [...(link === 'lo' ? ['-i', link] : ['-y', link]), form, '--', expression];
        const { error, status, stdout, stderr } = spawnSync('tcpdump', args, { encoding: 'utf8', timeout: 10_000 });
        if (error !== undefined) skip(this, 'missing here: tcpdump');
        if (/permission|Operation not permitted/i.test(stderr)) skip(this, 'tcpdump may not open lo here');
        assert.equal(status, 0, stderr);
        return stdout;
      };
      const theirs = run('-d').trimEnd().split('\n');
      assert.deepEqual(
        disassemble(parseFilter(run('-ddd'))).split('\n'),
        theirs.map((line) => line.trimEnd()),
      );
    });
  }
});
