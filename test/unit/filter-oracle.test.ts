/** The meaning of expressions, judged by the installed tcpdump: its programs and ours say the same of the same frames. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { compileFilter, FilterError } from '../../src';
import { runFilter } from '../../src/filter/interpreter';
import type { BpfInsn } from '../../src/filter/instruction';
import { EXPRESSIONS } from '../support/filter/expressions';
import { judge, type Verdict } from '../support/filter/oracle';
import { packets, type Sample } from '../support/filter/packets';
import { Random } from '../support/filter/random';
import { randomExpression, randomList } from '../support/filter/random-expressions';
import { REJECTS } from '../support/filter/rejects';
import { skip } from '../support/skip';

const SEED = 20260601;
const PAIRS = 1_000_000;

/** libpcap 1.10 adds the offset of the PPP header to that of the ancillary data: it then asks for something else. */
const MISCOMPILED = /pppoes.*(?:inbound|outbound)/s;

/** What stands for an expression that we refuse because no packet matches it: tcpdump, whose optimizer does not see it in each, must mean the same. */
const NOTHING: readonly BpfInsn[] = [{ code: 0x06, jt: 0, jf: 0, k: 0 }];

function compiled(expression: string, target: 'socket' | 'file'): readonly BpfInsn[] | null {
  try {
    return compileFilter(expression, { for: target });
  } catch (error) {
    assert.ok(error instanceof FilterError, `${expression}: ${String(error)}`);
    return error.message.includes('matches no packet') ? NOTHING : null;
  }
}

interface Tally {
  pairs: number;
  accepted: number;
  differences: string[];
  /** Expressions that some frame matches and some does not. */
  decisive: Set<string>;
}

const tally = (): Tally => ({ pairs: 0, accepted: 0, differences: [], decisive: new Set() });

/** Compares over all samples. tcpdump's answer is that of any of its programs: its optimizer changes what happens to frames that end in a header. */
function compare(
  total: Tally,
  expression: string,
  ours: readonly BpfInsn[],
  theirs: readonly (readonly BpfInsn[])[],
  samples: readonly Sample[],
): void {
  let accepted = 0;
  for (const { frame, context } of samples) {
    const answer = runFilter(ours, frame, context);
    if (answer !== 0) accepted++;
    if (theirs.some((program) => runFilter(program, frame, context) === answer)) continue;
    total.differences.push(`${expression}: ${answer} for ${Buffer.from(frame).toString('hex')} ${JSON.stringify(context)}`);
  }
  total.pairs += samples.length;
  total.accepted += accepted;
  if (accepted > 0 && accepted < samples.length) total.decisive.add(expression);
}

/** Accepted by both, or refused by both. tcpdump's optimizer may refuse what it finds to divide by zero. */
function sameVerdict(expression: string, ours: readonly BpfInsn[] | null, optimized: Verdict, plain: Verdict): boolean {
  if (ours === null) {
    assert.ok(plain.program === null || optimized.program === null, `we refuse what tcpdump takes: ${expression}`);
    assert.ok(!EXPRESSIONS.includes(expression), `both refuse what is in the list: ${expression}`);
    return false;
  }
  assert.ok(plain.program !== null, `we take what tcpdump refuses: ${expression}: ${plain.error ?? ''}`);
  return true;
}

/** Ours and the programs of tcpdump that it has not optimized say the same of every sample; most tell some frames apart. */
function assertSame(
  expressions: readonly string[],
  target: 'socket' | 'file',
  plain: readonly Verdict[],
  samples: readonly Sample[],
): void {
  const total = tally();
  expressions.forEach((expression, index) => {
    const [ours, first] = [compiled(expression, target), plain[index] as Verdict];
    if (sameVerdict(expression, ours, first, first)) compare(total, expression, ours ?? [], [first.program ?? []], samples);
  });
  assert.deepEqual(total.differences.slice(0, 5), []);
  assert.ok(total.decisive.size > expressions.length / 2, `${total.decisive.size} of ${expressions.length} tell frames apart`);
}

describe('filters, judged by tcpdump', function () {
  this.timeout(120_000);

  before(function () {
    if (spawnSync('tcpdump', ['--version']).error !== undefined) skip(this, 'missing here: tcpdump');
  });

  it(`mean the same for frames as they are in a file: ${PAIRS} pairs of an expression and a frame`, async () => {
    const random = new Random(SEED);
    const expressions = [...EXPRESSIONS, ...Array.from({ length: 300 }, () => randomExpression(random))].filter(
      (expression) => !MISCOMPILED.test(expression),
    );
    const samples = packets(random, Math.ceil(PAIRS / (expressions.length - 50))).map(({ frame, context }) => ({
      frame,
      context: { ...context, vlan: null },
    }));
    const optimized = await judge(expressions, '-y', 'EN10MB');
    const plain = await judge(expressions, '-O', '-y', 'EN10MB');
    const total = tally();
    const length = { ours: 0, theirs: 0 };
    const missed: string[] = [];
    expressions.forEach((expression, index) => {
      const [ours, best, first] = [compiled(expression, 'file'), optimized[index] as Verdict, plain[index] as Verdict];
      if (!sameVerdict(expression, ours, best, first)) return;
      if (best.error?.includes('rejects all packets') && ours !== NOTHING) missed.push(expression);
      length.ours += ours?.length ?? 0;
      length.theirs += (best.program ?? first.program ?? []).length;
      compare(total, expression, ours ?? [], [first.program ?? [], ...(best.program === null ? [] : [best.program])], samples);
    });
    assert.deepEqual(total.differences.slice(0, 5), []);
    assert.ok(missed.length < expressions.length / 200, `we take what tcpdump finds to match nothing: ${missed.join('; ')}`);
    assert.ok(total.pairs >= PAIRS, `${total.pairs} pairs`);
    assert.ok(total.accepted > PAIRS / 20 && total.accepted < PAIRS / 2, `${total.accepted} of ${total.pairs} accepted`);
    assert.ok(length.ours <= length.theirs * 1.05, `${length.ours} instructions in all, tcpdump ${length.theirs}`);
    const silent = EXPRESSIONS.filter((expression) => !total.decisive.has(expression));
    assert.ok(silent.length < EXPRESSIONS.length / 10, `expressions that tell no two frames apart: ${silent.join('; ')}`);
  });

  it('mean the same on a socket, where the tag of a VLAN may be taken out of the frame', async () => {
    const random = new Random(SEED + 1);
    // On the way, tcpdump keeps offsets in scratch memory, which its arithmetic overwrites, and masks of no bits are loaded or not.
    const simple = (expression: string): boolean =>
      /vlan/.test(expression) && !/\[|net |::|len/.test(expression) && !MISCOMPILED.test(expression);
    const drawn = Array.from({ length: 600 }, () => randomExpression(random)).filter(simple);
    const expressions = [...EXPRESSIONS.filter((expression) => /vlan/.test(expression)), ...drawn.slice(0, 60)];
    const samples = packets(random, 1500);
    // Its optimizer forgets what has been stored when it swaps two tests (libpcap 1.10), so that it is no judge here.
    const plain = await judge(expressions, '-O', '-i', 'lo');
    assertSame(expressions, 'socket', plain, samples);
  });

  it('mean the same as long lists, on the way through which most is known', async () => {
    const random = new Random(SEED + 3);
    const expressions = Array.from({ length: 150 }, () => randomList(random, 20 + random.below(60)));
    const samples = packets(random, 3000).map(({ frame, context }) => ({ frame, context: { ...context, vlan: null } }));
    // Its optimizer takes seconds for some of them.
    const plain = await judge(expressions, '-O', '-y', 'EN10MB');
    assertSame(expressions, 'file', plain, samples);
  });

  it('mean the same on a link of raw IP', async () => {
    const random = new Random(SEED + 2);
    const expressions = [
      'ip',
      'ip6',
      'tcp',
      'port 80',
      'host 10.1.2.3',
      'host ::1',
      'net 10',
      'tcp[13] & 2 != 0',
      'ip[0] = 0x45',
      'icmp6[0] = 128',
    ];
    const samples = packets(random, 1500).map(({ frame }) => ({ frame: frame.subarray(14), context: {} }));
    const optimized = await judge(expressions, '-y', 'RAW');
    const plain = await judge(expressions, '-O', '-y', 'RAW');
    const total = tally();
    expressions.forEach((expression, index) => {
      const programs = [plain[index]?.program ?? [], optimized[index]?.program ?? []];
      compare(total, expression, compileFilter(expression, { for: 'file', linkType: 65534 }), programs, samples);
    });
    assert.deepEqual(total.differences.slice(0, 5), []);
    assert.ok(total.decisive.size >= expressions.length - 2, [...total.decisive].join('; '));
  });

  it(`${REJECTS.length} expressions that it refuses are refused`, async () => {
    const verdicts = await judge(REJECTS, '-y', 'EN10MB');
    REJECTS.forEach((expression, index) => assert.equal(verdicts[index]?.program, null, `tcpdump takes ${expression}`));
    REJECTS.forEach((expression) => assert.throws(() => compileFilter(expression), FilterError, expression));
  });
});
