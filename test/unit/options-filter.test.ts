import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { endianness } from 'node:os';
import { compileFilter, FilterError, type BpfInsn, type NetringError } from '@netring/node-red';
import { checkedFilter, isExpression, packFilter, parseFilter, withSnapLen } from '../../src/options/filter-program';
import { isProgram } from '../../src/options/program-rules';
import { resolveBridge, resolveCapture, resolveXdp } from '../../src/options/validate';
import { skip } from '../support/skip';

const ret = (k: number): BpfInsn => ({ code: 0x06, jt: 0, jf: 0, k });
const RET_A: BpfInsn = { code: 0x16, jt: 0, jf: 0, k: 0 };
const LEN: BpfInsn = { code: 0x80, jt: 0, jf: 0, k: 0 };

/** `icmp`, as tcpdump 4.99 compiles it for Ethernet. */
const ICMP = '6\n40 0 0 12\n21 0 3 2048\n48 0 0 23\n21 0 1 1\n6 0 0 262144\n6 0 0 0\n';
const ICMP_PROGRAM: BpfInsn[] = [
  { code: 40, jt: 0, jf: 0, k: 12 },
  { code: 21, jt: 0, jf: 3, k: 2048 },
  { code: 48, jt: 0, jf: 0, k: 23 },
  { code: 21, jt: 0, jf: 1, k: 1 },
  ret(262144),
  ret(0),
];

const refuses = (filter: unknown, text: string): void =>
  assert.throws(() => parseFilter(filter), { kind: 'Config', option: 'filter', message: `invalid configuration: ${text}` });

describe('options: filter programs', () => {
  describe('the text of tcpdump -ddd', () => {
    for (const [form, text] of [
      ['as it is printed', ICMP],
      ['with the line ends of Windows', ICMP.replaceAll('\n', '\r\n')],
      ['in one line with commas', ICMP.trim().replaceAll('\n', ',')],
      ['with a comma at the end', `${ICMP.trim().replaceAll('\n', ',')},`],
      ['with white space around', `\n\n  ${ICMP.replaceAll('\n', '  \n\t')}`],
    ] as const) {
      it(`is read ${form}`, () => assert.deepEqual(parseFilter(text), ICMP_PROGRAM));
    }

    it('is no filter when it is empty', () => {
      for (const nothing of ['', ' \n', null, undefined]) assert.deepEqual(parseFilter(nothing), []);
    });

    for (const [text, problem] of [
      ['2\n6 0 0 0', 'filter line 1 announces 2 instructions, but 1 follow'],
      ['1\n6 0 0 0\n6 0 0 0', 'filter line 1 announces 1 instructions, but 2 follow'],
      ['0', 'BPF filter has no instructions'],
      ['1\n6 0 0', 'filter line 2 "6 0 0" is not "code jt jf k"'],
      ['2\n6 0 0 0\nret', 'filter line 3 "ret" is not "code jt jf k"'],
      ['1\n6 0 0 -1', 'filter line 2 "6 0 0 -1" is not "code jt jf k"'],
      ['2\n21 256 0 0\n6 0 0 0', 'filter line 2: jt 256 is not an integer from 0 to 255'],
      ['2\n21 0 300 0\n6 0 0 0', 'filter line 2: jf 300 is not an integer from 0 to 255'],
      ['1\n6 0 0 4294967296', 'filter line 2: k 4294967296 is not an integer from 0 to 4294967295'],
      ['1\n65536 0 0 0', 'filter line 2: code 65536 is not an integer from 0 to 65535'],
      ['2\n255 0 0 0\n6 0 0 0', 'filter line 2: code 255 is no instruction of classic BPF'],
      ['2\n21 0 1 0\n6 0 0 0', 'filter line 2: jumps past the end of the program'],
      ['2\n21 1 0 0\n6 0 0 0', 'filter line 2: jumps past the end of the program'],
      ['2\n5 0 0 4294967295\n6 0 0 0', 'filter line 2: jumps past the end of the program'],
      ['2\n52 0 0 0\n6 0 0 0', 'filter line 2: k 0 divides by zero'],
      ['2\n148 0 0 0\n6 0 0 0', 'filter line 2: k 0 divides by zero'],
      ['2\n100 0 0 32\n6 0 0 0', 'filter line 2: k 32 shifts by more than 31'],
      ['2\n2 0 0 16\n6 0 0 0', 'filter line 2: k 16 is no word of the scratch memory (0 to 15)'],
      ['2\n48 0 0 4294963202\n6 0 0 0', 'filter line 2: k 4294963202 is neither an offset nor an ancillary load of Linux'],
      ['2\n32 0 0 4294963264\n6 0 0 0', 'filter line 2: k 4294963264 is neither an offset nor an ancillary load of Linux'],
      ['2\n96 0 0 3\n6 0 0 0', 'filter line 2: loads word 3 of the scratch memory, which is not written on every way there'],
      [
        '5\n128 0 0 0\n21 0 1 60\n2 0 0 7\n97 0 0 7\n6 0 0 0',
        'filter line 5: loads word 7 of the scratch memory, which is not written on every way there',
      ],
      ['2\n6 0 0 0\n128 0 0 0', 'filter line 3: the last instruction is not a return'],
    ] as const) {
      it(`is refused: ${problem}`, () => refuses(text, problem));
    }

    for (const expression of [
      'icmp',
      'tcp port 502 and not host 10.0.0.1',
      'vlan 100',
      'ether proto 0x88cc or arp',
      'ip[8] < 5 or len > 1000',
    ]) {
      it(`is taken word for word from the installed tcpdump: ${expression}`, function () {
        const { error, status, stdout } = spawnSync('tcpdump', ['-y', 'EN10MB', '-ddd', expression], { encoding: 'utf8', timeout: 10_000 });
        if (error !== undefined) skip(this, 'missing here: tcpdump');
        assert.equal(status, 0);
        const program = parseFilter(stdout);
        const printed = [program.length, ...program.map(({ code, jt, jf, k }) => `${code} ${jt} ${jf} ${k}`), ''].join('\n');
        assert.equal(printed, stdout);
      });
    }
  });

  describe('expressions', () => {
    it('are all texts whose first line, or what stands before the first comma, is no number', () => {
      for (const text of ['1', ' 1 \n', '1\r\n6 0 0 0', '1,6 0 0 0', '\n\t1 , 6 0 0 0', '0', '12\rport'])
        assert.ok(isProgram(text) && !isExpression(text), JSON.stringify(text));
      for (const text of [
        'port 1',
        '1 < len',
        '0x1',
        '1.2.3.4',
        '1 6 0 0 0',
        '1;6 0 0 0',
        '-1',
        'x\n1',
        '{ 0x28, 0, 0, 0xc },',
        '1 or 2\n3',
      ])
        assert.ok(!isProgram(text) && isExpression(text), JSON.stringify(text));
      for (const nothing of ['', ' \n', null, undefined, 1, ICMP_PROGRAM]) assert.ok(!isExpression(nothing));
    });

    it('come to the program of compileFilter, for a socket if nothing else is said', () => {
      assert.deepEqual(parseFilter(' icmp\nand not arp '), compileFilter('icmp and not arp'));
      assert.deepEqual(parseFilter('vlan 7'), compileFilter('vlan 7', { for: 'socket' }));
      assert.deepEqual(parseFilter('vlan 7', 'filter', { for: 'file' }), compileFilter('vlan 7', { for: 'file' }));
      assert.notDeepEqual(parseFilter('vlan 7'), parseFilter('vlan 7', 'filter', { for: 'file' }));
      const raw = parseFilter('icmp', 'filter', { linkType: 65534 });
      assert.deepEqual(raw, compileFilter('icmp', { linkType: 65534 }));
      assert.deepEqual(parseFilter(ICMP, 'filter', { linkType: 65534 }), ICMP_PROGRAM, 'a program is taken as it is');
    });

    it('for an XDP program are those of whole frames, without directions', () => {
      assert.deepEqual(parseFilter('vlan 7', 'filter', { for: 'xdp' }), compileFilter('vlan 7', { for: 'file' }));
      for (const direction of ['inbound', 'outbound']) {
        assert.throws(() => compileFilter(`ip and ${direction}`, { for: 'xdp' }), { name: 'NetringError', kind: 'Config', column: 8 });
        assert.ok(compileFilter(`ip and ${direction}`, { for: 'file' }).length > 0);
        assert.throws(() => resolveXdp({ interface: 'eth7', filter: direction }, 4096), { column: 1, option: 'filter' });
      }
    });

    it('words of the scratch memory that are written on every way may be loaded', () => {
      // if (len == 60) M[7] = A; else { M[7] = X; } A = M[7]
      const text = '7,128 0 0 0,21 0 2 60,2 0 0 7,5 0 0 1,3 0 0 7,96 0 0 7,22 0 0 0';
      assert.equal(parseFilter(text).length, 7);
      const unwritten = [{ code: 0x60, jt: 0, jf: 0, k: 3 }, RET_A];
      assert.deepEqual(parseFilter(unwritten, 'filter', { for: 'xdp' }), unwritten, 'reads as 0 there');
    });

    for (const [what, known, resolve] of [
      ['XDP', [0, 8, 24, 28, 40, 44, 48, 60], (filter: BpfInsn[]) => resolveXdp({ interface: 'eth7', filter }, 4096)],
      [
        'bridges',
        [0, 4, 8, 28, 40, 44, 48, 60],
        (filterAToB: BpfInsn[]) => resolveBridge({ interfaceA: 'x', interfaceB: 'y', filterAToB }, 4096),
      ],
    ] as const) {
      it(`a program for ${what} may ask only for what is known there, and is refused before it runs`, () => {
        const option = what === 'XDP' ? 'filter' : 'filterAToB';
        for (let which = 0; which <= 60; which += 4) {
          const filter: BpfInsn[] = [{ code: 0x20, jt: 0, jf: 0, k: 0xfffff000 + which }, RET_A];
          assert.deepEqual(parseFilter(filter), filter);
          const message = `invalid configuration: ${option} instruction 0: k ${0xfffff000 + which} is an ancillary load (SKF_AD_OFF + ${which}) that filters for ${what} do not have`;
          if ((known as readonly number[]).includes(which)) assert.doesNotThrow(() => resolve(filter));
          else assert.throws(() => resolve(filter), { kind: 'Config', option, message });
        }
      });
    }

    it('are compiled for what the option of the table is for', () => {
      const options = { interface: 'eth7', filter: 'vlan 7' };
      assert.deepEqual(resolveCapture(options, 4096).settings.filter, compileFilter('vlan 7', { for: 'socket' }));
      assert.deepEqual(resolveXdp(options, 4096).settings.filter, compileFilter('vlan 7', { for: 'file' }));
      const bridge = resolveBridge({ interfaceA: 'x', interfaceB: 'y', filterAToB: 'vlan 7', filterBToA: 'arp' }, 4096).settings;
      assert.deepEqual([bridge.filterAToB, bridge.filterBToA], [compileFilter('vlan 7'), compileFilter('arp')]);
    });

    it('are refused with the column, under the name of the option', () => {
      assert.throws(
        () => parseFilter('tcp prot 80'),
        (error) => error instanceof FilterError && error.column === 5 && error.option === 'filter',
      );
      assert.throws(
        () => parseFilter('tcp prot 80', 'filterAToB'),
        (error: NetringError) => {
          assert.deepEqual([error.kind, error.option], ['Config', 'filterAToB']);
          assert.match(error.message, /^invalid configuration: filterAToB column 5: /);
          assert.ok(error.cause instanceof FilterError && error.cause.column === 5);
          return true;
        },
      );
    });

    it('are kept as they are for a link to come; programs are kept as instructions', () => {
      assert.equal(checkedFilter('icmp'), 'icmp');
      assert.deepEqual(checkedFilter(ICMP), ICMP_PROGRAM);
      assert.deepEqual(checkedFilter(ICMP_PROGRAM), ICMP_PROGRAM);
      for (const nothing of ['', ' \n', null]) assert.equal(checkedFilter(nothing), null);
      assert.throws(() => checkedFilter('imcp'), FilterError);
    });
  });

  describe('instructions', () => {
    it('are taken as they are, of any object', () => {
      assert.deepEqual(parseFilter(ICMP_PROGRAM), ICMP_PROGRAM);
      assert.deepEqual(parseFilter([{ ...ret(4), comment: 'all' }]), [ret(4)]);
    });

    it('may be 4096, not more', () => {
      const program = Array<BpfInsn>(4096).fill(ret(0));
      assert.equal(parseFilter(program).length, 4096);
      refuses([...program, ret(0)], 'BPF filter has 4097 instructions (max 4096)');
    });

    for (const [filter, problem] of [
      [[], 'BPF filter has no instructions'],
      [[ret(0), 7], 'filter instruction 1 is not an object {code, jt, jf, k}'],
      [[null], 'filter instruction 0 is not an object {code, jt, jf, k}'],
      [[{ code: 6, jt: 0, jf: 0 }], 'filter instruction 0: k undefined is not an integer from 0 to 4294967295'],
      [[{ ...ret(0), k: '4' }], 'filter instruction 0: k 4 is not an integer from 0 to 4294967295'],
      [[{ ...ret(0), k: 0.5 }], 'filter instruction 0: k 0.5 is not an integer from 0 to 4294967295'],
      [[{ ...ret(0), jt: NaN }], 'filter instruction 0: jt NaN is not an integer from 0 to 255'],
      [[{ ...ret(0), jf: -1 }], 'filter instruction 0: jf -1 is not an integer from 0 to 255'],
      [[LEN], 'filter instruction 0: the last instruction is not a return'],
      [{}, 'filter {} is neither a text nor an array of instructions'],
      [true, 'filter true is neither a text nor an array of instructions'],
    ] as const) {
      it(`are refused: ${problem}`, () => refuses(filter, problem));
    }
  });

  describe('RX-15 snapLen', () => {
    it('alone is a filter that accepts all', () => assert.deepEqual(withSnapLen([], 96), [ret(96)]));

    it('caps what accepts and leaves what refuses', () => {
      assert.deepEqual(withSnapLen(ICMP_PROGRAM, 96), [...ICMP_PROGRAM.slice(0, 4), ret(96), ret(0)]);
      assert.deepEqual(withSnapLen([ret(60)], 96), [ret(60)]);
      assert.deepEqual(ICMP_PROGRAM[4], ret(262144), 'the program that was given is not changed');
    });

    it('0 changes nothing', () => {
      assert.equal(withSnapLen(ICMP_PROGRAM, 0), ICMP_PROGRAM);
      assert.deepEqual(withSnapLen([], 0), []);
    });

    it('caps a computed return value without moving an instruction', () => {
      assert.deepEqual(withSnapLen([LEN, RET_A], 96), [
        LEN,
        { code: 0x05, jt: 0, jf: 0, k: 0 },
        { code: 0x25, jt: 0, jf: 1, k: 96 },
        ret(96),
        RET_A,
      ]);
      assert.deepEqual(withSnapLen([RET_A, ret(500)], 96).slice(0, 2), [{ code: 0x05, jt: 0, jf: 0, k: 1 }, ret(96)]);
    });

    it('refuses a program that has no room for that', () => {
      const program = [...Array<BpfInsn>(4094).fill(LEN), RET_A];
      assert.throws(() => withSnapLen(program, 96), {
        kind: 'Config',
        message: 'invalid configuration: BPF filter has 4098 instructions (max 4096), with what snapLen 96 adds to it',
      });
    });
  });

  it('packs instructions as struct sock_filter of this machine', () => {
    const packed = packFilter([{ code: 0x0115, jt: 2, jf: 3, k: 0x04050607 }]);
    assert.deepEqual([...packed], endianness() === 'LE' ? [0x15, 1, 2, 3, 7, 6, 5, 4] : [1, 0x15, 2, 3, 4, 5, 6, 7]);
    assert.equal(packFilter(ICMP_PROGRAM).length, 48);
    assert.equal(packFilter([]).length, 0);
  });
});
