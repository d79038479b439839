import assert from 'node:assert/strict';
import { compileFilter, filterMatches, PacketBatch, type BpfInsn, type FilterContext } from '../../src';
import { runFilter } from '../../src/filter/interpreter';

const FRAME = Uint8Array.from({ length: 64 }, (_, index) => index + 1);

const op = (code: number, k = 0, jt = 0, jf = 0): BpfInsn => ({ code, jt, jf, k });
const RET_A = op(0x16);
/** What stands in A after the instructions. */
const run = (program: readonly BpfInsn[], frame = FRAME, context?: FilterContext): number => runFilter([...program, RET_A], frame, context);
const REFUSED = 0;

describe('filters: interpreter', () => {
  describe('loads', () => {
    it('take 1, 2 and 4 bytes in network order, unsigned', () => {
      assert.equal(run([op(0x30, 0)]), 1);
      assert.equal(run([op(0x28, 0)]), 0x0102);
      assert.equal(run([op(0x20, 0)]), 0x01020304);
      assert.equal(run([op(0x20, 0)], Uint8Array.of(0xff, 0xfe, 0xfd, 0xfc)), 0xfffefdfc);
      assert.equal(run([op(0x28, 62)]), 0x3f40);
    });

    for (const [what, program] of [
      ['a byte behind the end', [op(0x30, 64)]],
      ['two bytes of which one is behind the end', [op(0x28, 63)]],
      ['four bytes of which one is behind the end', [op(0x20, 61)]],
      ['an offset of 2^31 - 1', [op(0x20, 0x7fffffff)]],
      ['a negative offset that means nothing', [op(0x20, 0xffffffff)]],
      ['X + k behind the end', [op(0x01, 60), op(0x50, 4)]],
      ['X + k below 0', [op(0x01, 0xfffffff0), op(0x50, 4)]],
      ['a length nibble behind the end', [op(0xb1, 64), op(0x87)]],
      ['an ancillary load that there is not', [op(0x20, 0xfffff0ff)]],
    ] as const) {
      it(`refuse the packet: ${what}`, () => assert.equal(runFilter([...program, op(0x06, 9)], FRAME), REFUSED));
    }

    it('add X and k in 32 bits', () => assert.equal(run([op(0x01, 0xffffffff), op(0x50, 14)]), 14));

    it('count from the link header at SKF_LL_OFF', () => {
      assert.equal(run([op(0x30, 0xffe00000)]), 1);
      assert.equal(run([op(0xb1, 0xffe00004), op(0x87)]), (5 & 0xf) * 4);
      assert.equal(runFilter([op(0x30, 0xffe00040), op(0x06, 9)], FRAME), REFUSED);
    });

    it('count from the network header at SKF_NET_OFF, which is where the context says', () => {
      assert.equal(run([op(0x30, 0xfff00009)]), 24);
      assert.equal(run([op(0x30, 0xfff00009)], FRAME, { networkOffset: 18 }), 28);
      assert.equal(run([op(0x01, 0xfff00000), op(0x50, 9)]), 24);
      assert.equal(run([op(0xb1, 0xfff00000), op(0x87)]), (15 & 0xf) * 4);
      assert.equal(runFilter([op(0x30, 0xfff00032), op(0x06, 9)], FRAME), REFUSED);
      assert.equal(runFilter([op(0x30, 0xffd00000), op(0x06, 9)], FRAME), REFUSED);
    });

    it('take four times the low nibble into X', () => assert.equal(run([op(0xb1, 20), op(0x87)]), (21 & 0xf) * 4));

    it('tell the length on the wire, bytes or not', () => {
      assert.equal(run([op(0x80)]), 64);
      assert.equal(run([op(0x81), op(0x87)], FRAME, { length: 1500 }), 1500);
      assert.equal(runFilter([op(0x30, 100), op(0x06, 9)], FRAME, { length: 1500 }), REFUSED);
    });

    it('ask the context for what is ancillary, whatever their size; without one it is 0', () => {
      const context: FilterContext = {
        vlan: { tci: 0x6005, tpid: 0x88a8 },
        packetType: 4,
        protocol: 0x800,
        interfaceIndex: 3,
        hardwareType: 772,
        mark: 7,
        queue: 2,
        rxhash: 0xdeadbeef,
        cpu: 1,
        payloadOffset: 54,
        random: 99,
      };
      const expected = new Map([
        [0, 0x800],
        [4, 4],
        [8, 3],
        [12, 0],
        [16, 0],
        [20, 7],
        [24, 2],
        [28, 772],
        [32, 0xdeadbeef],
        [36, 1],
        [44, 0x6005],
        [48, 1],
        [52, 54],
        [56, 99],
        [60, 0x88a8],
      ]);
      for (const [which, value] of expected) {
        for (const code of [0x20, 0x28, 0x30]) assert.equal(run([op(code, 0xfffff000 + which)], FRAME, context), value, `${which}`);
        assert.equal(run([op(0x20, 0xfffff000 + which)]), 0, `${which}`);
      }
      assert.equal(run([op(0x20, 0xfffff030)], FRAME, { vlan: null }), 0);
    });

    it('ALU_XOR_X is no load', () => assert.equal(run([op(0x00, 0xf0), op(0x01, 0xff), op(0x20, 0xfffff028)]), 0x0f));
  });

  describe('arithmetic', () => {
    for (const [name, code, a, k, result] of [
      ['add wraps', 0x04, 0xffffffff, 2, 1],
      ['sub wraps', 0x14, 1, 2, 0xffffffff],
      ['mul keeps 32 bits', 0x24, 0xffffffff, 0xffffffff, 1],
      ['div is unsigned', 0x34, 0xffffffff, 2, 0x7fffffff],
      ['mod is unsigned', 0x94, 0xffffffff, 10, 5],
      ['or', 0x44, 0x80000000, 1, 0x80000001],
      ['and', 0x54, 0xffffffff, 0x80000001, 0x80000001],
      ['xor', 0xa4, 0xffffffff, 1, 0xfffffffe],
      ['lsh', 0x64, 1, 31, 0x80000000],
      ['rsh is unsigned', 0x74, 0x80000000, 31, 1],
    ] as const) {
      it(`${name}, with a number and with X`, () => {
        assert.equal(run([op(0x00, a), op(code, k)]), result);
        assert.equal(run([op(0x00, a), op(0x01, k), op(code | 0x08)]), result);
      });
    }

    it('shifts by the low 5 bits of X', () => {
      assert.equal(run([op(0x00, 1), op(0x01, 33), op(0x6c)]), 2);
      assert.equal(run([op(0x00, 4), op(0x01, 0xffffffe1), op(0x7c)]), 2);
    });

    it('negates', () => {
      assert.equal(run([op(0x00, 1), op(0x84)]), 0xffffffff);
      assert.equal(run([op(0x00, 0), op(0x84)]), 0);
    });

    it('refuses the packet when it divides by zero', () => {
      for (const code of [0x3c, 0x9c]) assert.equal(runFilter([op(0x00, 5), op(code), op(0x06, 9)], FRAME), REFUSED);
    });
  });

  it('jumps by unsigned comparison', () => {
    const jumps = (code: number, a: number, k: number): boolean =>
      runFilter([op(0x00, a), op(0x01, k), op(code, k, 0, 1), op(0x06, 1), op(0x06, 0)], FRAME) === 1;
    for (const x of [0, 0x08]) {
      assert.deepEqual([jumps(0x15 | x, 5, 5), jumps(0x15 | x, 5, 6)], [true, false]);
      assert.deepEqual([jumps(0x25 | x, 0xffffffff, 1), jumps(0x25 | x, 1, 1)], [true, false]);
      assert.deepEqual([jumps(0x35 | x, 1, 1), jumps(0x35 | x, 0, 0xffffffff)], [true, false]);
      assert.deepEqual([jumps(0x45 | x, 0x80000000, 0x80000000), jumps(0x45 | x, 1, 2)], [true, false]);
    }
    assert.equal(runFilter([op(0x05, 1), op(0x06, 1), op(0x06, 2)], FRAME), 2);
  });

  it('keeps 16 words of scratch memory for one packet', () => {
    const program = [op(0x00, 7), op(0x02, 15), op(0x01, 9), op(0x03, 0), op(0x60, 15), op(0x61, 0), op(0x0c)];
    assert.equal(run(program), 16);
    assert.equal(run([op(0x60, 3)]), 0, 'nothing of the packet before');
  });

  it('moves between A and X', () => {
    assert.equal(run([op(0x00, 5), op(0x07), op(0x00, 1), op(0x87)]), 5);
  });

  it('accepts with any number of bytes but 0, and without a program', () => {
    assert.equal(filterMatches([op(0x06, 96)], FRAME), true);
    assert.equal(filterMatches([op(0x06, 0)], FRAME), false);
    assert.equal(filterMatches([], FRAME), true);
    assert.equal(runFilter([op(0x06, 0xffffffff)], FRAME), 0xffffffff);
    assert.equal(filterMatches([op(0x30, 0), op(0x06, 1)], new Uint8Array(0)), false);
  });

  it('ends, and says what is wrong, for what is no program', () => {
    const wrong = { kind: 'Config', option: 'filter' };
    for (const program of [
      [op(0xff)],
      [op(0x0e)],
      [op(0xb4, 1)],
      [op(0x00, 1)],
      [op(0x05, 0xffffffff), op(0x06, 1)],
      [op(0x15, 0, -1, -1), op(0x15, 0, 300, -5)],
    ]) {
      assert.throws(() => runFilter(program, FRAME), wrong, JSON.stringify(program));
    }
  });

  it('takes a packet for its bytes, and refuses what is neither program nor frame', () => {
    const frame = Buffer.from('ffffffffffff0200000000010806', 'hex');
    const batch = PacketBatch.from([frame]);
    const program = compileFilter('arp');
    for (const one of [frame, batch.packet(0), ...batch.toArray()]) assert.equal(filterMatches(program, one), true);
    for (const wrong of ['frame', 5, [1, 2], null, {}, { data: 'text' }] as unknown as Uint8Array[])
      for (const any of [program, []])
        assert.throws(() => filterMatches(any, wrong), {
          name: 'TypeError',
          message: /^filterMatches takes bytes, or a packet object with data$/,
        });
    for (const wrong of ['arp', null, undefined] as unknown as BpfInsn[][])
      assert.throws(() => filterMatches(wrong, frame), { name: 'TypeError', message: /^program is .*: compileFilter makes one/ });
  });
});
