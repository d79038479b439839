/** Compiled filters in the kernel, on a live socket: it takes every program and picks the frames that the interpreter picks. */
import assert from 'node:assert/strict';
import { Capture, compileFilter, filterMatches, type PacketBatch } from '@netring/node-red';
import { EXPRESSIONS } from '../support/filter/expressions';
import { packets } from '../support/filter/packets';
import { Random } from '../support/filter/random';
import { Lab } from '../support/lab';
import { sendFrames } from '../support/witness';
import { SMALL } from './rx';

const FRAMES = 150;

/** What a veth pair takes, and nobody answers to. */
const QUIET = { ...SMALL, ignoreOutgoing: true, blockTimeoutMs: 5 };

interface Seen {
  /** As it was on the wire. */
  frame: Buffer;
  vlan: { tci: number; tpid: number } | null;
  packetType: number;
}

const DIRECTIONS = ['host', 'broadcast', 'multicast', 'other-host', 'outgoing'];

function read(batch: PacketBatch): Seen[] {
  return Array.from({ length: batch.length }, (_, index) => ({
    frame: Buffer.from(batch.dataAt(index)),
    vlan: batch.vlanAt(index),
    packetType: DIRECTIONS.indexOf(batch.directionAt(index)),
  }));
}

/** All that is there, and comes within two block timeouts. */
function drain(rx: Capture, atLeast: number): Seen[] {
  const seen: Seen[] = [];
  for (let batch = rx.nextBatchBlocking(3000); batch !== null; batch = rx.nextBatchBlocking(seen.length < atLeast ? 3000 : 25))
    seen.push(...read(batch));
  return seen;
}

/** The frame as a filter on the socket has it: without the tag that the kernel has taken out. */
function onSocket({ frame, vlan }: Seen): Buffer {
  return vlan === null ? frame : Buffer.concat([frame.subarray(0, 12), frame.subarray(16)]);
}

describe('compiled filters in the kernel', function () {
  this.timeout(60_000);
  const lab = new Lab();
  afterEach(() => lab.close());

  const open = (iface: string): Capture => {
    const rx = Capture.builder({ ...QUIET, interface: iface }).build();
    lab.defer(() => rx.close());
    return rx;
  };

  it('are taken, every one', async () => {
    const wire = await lab.wire();
    const rx = open(wire.a);
    for (const expression of EXPRESSIONS)
      for (const target of ['socket', 'file'] as const)
        assert.doesNotThrow(() => rx.setFilter(compileFilter(expression, { for: target })), expression);
  });

  it('pick what the interpreter picks, with the tag taken out and with the tag in the frame', async () => {
    const wire = await lab.wire();
    const [all, rx] = [open(wire.a), open(wire.a)];
    const random = new Random(5);
    const frames = packets(random, 4000)
      .map(({ frame }) => Buffer.from(frame))
      .filter((frame) => frame.length >= 20 && frame.length < 1500)
      .slice(-FRAMES);
    const expressions = EXPRESSIONS.filter((expression, index) => /vlan|len|inbound/.test(expression) || index % 12 === 0);
    let decisive = 0;
    for (const expression of expressions) {
      const program = compileFilter(expression);
      rx.setFilter(program);
      await sendFrames(lab, wire.b, frames);
      const seen = drain(all, frames.length);
      assert.equal(seen.length, frames.length);
      const picked = seen.filter((one) => filterMatches(program, onSocket(one), { vlan: one.vlan, packetType: one.packetType }));
      const kernel = picked.length === 0 ? [] : drain(rx, picked.length);
      assert.deepEqual(
        kernel.map(({ frame }) => frame.toString('hex')),
        picked.map(({ frame }) => frame.toString('hex')),
        expression,
      );
      if (picked.length > 0 && picked.length < seen.length) decisive++;
      // What asks for the tag first finds it wherever it is.
      if (!/^vlan(?!.*ether\[)/.test(expression)) continue;
      const inFrame = seen.filter(({ frame, packetType }) => filterMatches(program, frame, { packetType }));
      assert.equal(inFrame.length, picked.length, expression);
    }
    assert.ok(decisive > expressions.length / 2, `${decisive} of ${expressions.length} tell frames apart`);
  });
});
