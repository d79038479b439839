/** What JavaScript sees of a bridge's frames: the tap's copies, inline batches, and the filter function of `run`. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PacketBatch, type BridgeAction, type BridgeDirection, type Packet } from '@netring/node-red';
import { promiscuity } from '../support/lab';
import { until } from '../support/wait';
import { CountingWitness, flood, numberedFrame, sendFrames, Witness } from '../support/witness';
import { assertLedger, BridgeLab, ICMP, PYTHON_HTTP, SERVER } from '../support/bridge-lab';
import { frame, tagged } from './rx';

const hex = (frames: readonly { data: Uint8Array }[]): string[] => frames.map(({ data }) => Buffer.from(data).toString('hex'));

/** Keeps the event loop from turning. */
function freeze(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** A UDP socket at the server that says once what it has got. */
const UDP_SERVER = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('${SERVER}', 9999)); s.settimeout(10)
print('ready', file=sys.stderr, flush=True); print(s.recv(2000).decode(), flush=True)`;
const UDP_CLIENT = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b'say hello to the far side', ('${SERVER}', 9999))`;

/** The bytes of `batch` with every `from` replaced, none of them across two frames. */
function replaced(batch: PacketBatch, from: number, to: number, least: number): PacketBatch {
  const copy = batch.copy();
  for (let i = 0; i < copy.length; i++) {
    const data = copy.dataAt(i);
    for (let at = data.indexOf(from, least); at >= 0; at = data.indexOf(from, at + 1)) data[at] = to;
  }
  return copy;
}

describe('Bridge: the tap', () => {
  const lab = new BridgeLab();
  afterEach(() => lab.close());

  it('copies every forwarded frame, tags included, to the side of its direction', async () => {
    await lab.wires();
    const seen: Record<BridgeDirection, Packet[]> = { 'a-to-b': [], 'b-to-a': [] };
    lab.bridge({ filterAToB: ICMP, filterAction: 'drop' }, { tap: { onBatch: (batch, direction) => void seen[direction].push(...batch) } });
    const far = await Witness.open(lab, lab.right.b, { namespace: lab.right.namespace });
    const there = [frame('one'), tagged(frame('two'), [0x88a8, 5], [0x8100, 7]), frame('three', 1514)];
    const icmp = Buffer.concat([Buffer.alloc(12, 2), Buffer.from('0800', 'hex'), Buffer.alloc(50)]);
    icmp[23] = 1;
    await sendFrames(lab, lab.left.b, [...there.slice(0, 2), icmp, ...there.slice(2)], lab.left.namespace);
    await sendFrames(lab, lab.right.b, [frame('back')], lab.right.namespace);
    await until(() => seen['a-to-b'].length >= 3 && seen['b-to-a'].length >= 1, 5000, 'the copies');
    assert.deepEqual(hex(seen['a-to-b']), hex(there.map((data) => ({ data }))));
    assert.deepEqual(hex(seen['a-to-b']), hex(await far.expect(3)));
    assert.deepEqual(hex(seen['b-to-a']), [frame('back').toString('hex')]);
    assert.deepEqual([seen['a-to-b'][1]?.vlanTci, seen['a-to-b'][1]?.vlanTpid], [5, 0x88a8]);
    assert.ok(Math.abs(Number(seen['a-to-b'][0]!.timestampNs) / 1e6 - Date.now()) < 60_000);
  });

  it('takes one frame in N of each direction', async () => {
    await lab.wires();
    const numbers: bigint[] = [];
    const wire = lab.bridge(
      {},
      { tap: { every: 100, onBatch: (batch) => void numbers.push(...Array.from(batch, ({ data }) => data.readBigUInt64BE(14))) } },
    );
    await flood(lab, lab.left.b, { count: 10_000, rate: 20_000, namespace: lab.left.namespace });
    await until(() => wire.cumulativeStats().aToB.forwarded >= 10_000, 5000, 'all frames');
    wire.stop();
    assert.deepEqual(
      numbers,
      Array.from({ length: 100 }, (_, i) => BigInt(i * 100)),
    );
  });

  it('never slows the wire: what nobody takes is left out and counted', async () => {
    await lab.wires();
    let copies = 0;
    const wire = lab.bridge({ profile: 'default' }, { tap: { onBatch: (batch) => void (copies += batch.length) } });
    const far = await CountingWitness.open(lab, lab.right.b, 100_000, { namespace: lab.right.namespace });
    const sending = flood(lab, lab.left.b, { count: 100_000, rate: 100_000, namespace: lab.left.namespace });
    await sleep(200);
    freeze(1500);
    await sending;
    await until(() => wire.cumulativeStats().aToB.forwarded >= 100_000, 5000, 'all frames');
    wire.stop();
    const { aToB } = wire.cumulativeStats();
    const verdict = await far.verdict();
    assert.equal(verdict.received + verdict.dropped, 100_000);
    assert.ok(aToB.tapShed > 10_000, `${aToB.tapShed} left out`);
    assert.equal(copies + aToB.tapShed, aToB.forwarded);
    assertLedger(aToB);
  });

  it('ends whole when a listener throws, or closes it', async () => {
    await lab.wires();
    for (const throws of [true, false]) {
      const wire = lab.open({ aBlockTimeoutMs: 60_000 });
      const onBatch = (): void => {
        if (throws) throw new Error('broken listener');
        wire.close();
      };
      wire.start({ tap: { onBatch } });
      await sendFrames(lab, lab.left.b, [frame('last copy')], lab.left.namespace);
      await until(() => wire.cumulativeStats().aToB.forwarded === 1, 5000, 'the frame').catch((error: Error) => {
        throw new Error(`${error.message}; ${JSON.stringify(wire.cumulativeStats())}`);
      });
      try {
        wire.close();
      } catch (error) {
        assert.match((error as Error).message, /broken listener/);
      }
      assert.equal(promiscuity(lab.left.a), 0);
      assert.equal(wire.cumulativeStats().aToB.forwarded, 1);
    }
  });

  it('bounds what a hoarding flow can hold', async () => {
    await lab.wires();
    const hoard: PacketBatch[] = [];
    const wire = lab.bridge({ profile: 'default' }, { tap: { onBatch: (batch) => void hoard.push(batch) } });
    await flood(lab, lab.left.b, { count: 100_000, rate: 100_000, length: 1500, namespace: lab.left.namespace });
    await until(() => wire.cumulativeStats().aToB.forwarded >= 100_000, 10_000, 'all frames');
    await sleep(500);
    const held = hoard.reduce((sum, batch) => sum + batch.byteLength, 0);
    assert.ok(held > 16 << 20 && held <= 64 << 20, `${held} bytes held`);
    const { length } = hoard;
    assert.ok(wire.cumulativeStats().aToB.tapShed > 0);
    hoard.length = 0;
    await until(() => hoard.length > 0 || length === 0, 5000, 'copies again after the flow has let go');
  });
});

describe('Bridge: inline', () => {
  const lab = new BridgeLab();
  afterEach(() => lab.close());

  it('forwards or drops by verdict, for a batch or frame by frame, in order', async () => {
    await lab.wires();
    // Frames 0 to 9 are forwarded, 10 to 19 dropped, of 20 to 29 every other one; the rest gets no verdict. A batch holds frames of one round only.
    const numberOf = (data: Buffer): number => data[14]! - 64;
    const wire = lab.bridge(
      {},
      {
        inline: {
          timeoutMs: 5000,
          onBatch: (batch, direction, token) => {
            assert.equal(direction, 'a-to-b');
            assert.equal(batch.interface, lab.left.a);
            const round = Math.floor(numberOf(batch.dataAt(0)) / 10);
            const each = Array.from(batch, ({ data }): BridgeAction => (numberOf(data) % 2 === 0 ? 'forward' : 'drop'));
            const verdict = ([undefined, 'drop', each] as const)[round];
            setTimeout(() => assert.equal(wire.answer(token, verdict === undefined ? {} : { verdict }), true), 10 * (4 - round));
          },
        },
      },
    );
    const far = await Witness.open(lab, lab.right.b, { namespace: lab.right.namespace });
    const sent: Buffer[] = [];
    for (let round = 0; round < 4; round++) {
      const frames = Array.from({ length: 10 }, (_, i) => frame(String.fromCharCode(64 + round * 10 + i)));
      sent.push(...frames);
      await sendFrames(lab, lab.left.b, frames, lab.left.namespace);
      await until(() => wire.cumulativeStats().aToB.received === sent.length, 5000, 'the batch');
      await sleep(50);
    }
    const wanted = sent.filter((_, i) => i < 10 || i >= 30 || (i >= 20 && i % 2 === 0));
    assert.deepEqual(hex(await far.expect(wanted.length)), hex(wanted.map((data) => ({ data }))));
    const { aToB } = wire.cumulativeStats();
    assert.deepEqual([aToB.forwarded, aToB.filtered, aToB.timedOut], [25, 15, 0]);
    assertLedger(aToB);
  });

  it('keeps the order within a direction however the answers come', async () => {
    await lab.wires();
    const wire = lab.bridge(
      { profile: 'default' },
      {
        inline: { timeoutMs: 5000, onBatch: (_batch, _direction, token) => void setTimeout(() => wire.answer(token), Math.random() * 20) },
      },
    );
    const far = await CountingWitness.open(lab, lab.right.b, 50_000, { namespace: lab.right.namespace });
    await flood(lab, lab.left.b, { count: 50_000, rate: 50_000, namespace: lab.left.namespace });
    await until(() => wire.cumulativeStats().aToB.forwarded >= 50_000, 5000, 'all frames');
    await sleep(100);
    const verdict = await far.verdict();
    assert.deepEqual([verdict.received, verdict.missing, verdict.unordered, verdict.changed], [50_000, 0, 0, 0]);
    assert.equal(wire.cumulativeStats().aToB.timedOut, 0);
  });

  it('sends edited frames with checksums that the far side accepts', async () => {
    await lab.hosts();
    const wire = lab.bridge(
      {},
      {
        inline: {
          timeoutMs: 5000,
          onBatch: (batch, direction, token) => {
            const at = direction === 'a-to-b' ? batch.bytes.indexOf('hello') : -1;
            wire.answer(token, at < 0 ? {} : { frames: replaced(batch, 'h'.charCodeAt(0), 'j'.charCodeAt(0), 42) });
          },
        },
      },
    );
    const server = lab.start('python3', ['-c', UDP_SERVER], { namespace: lab.right.namespace });
    let text = '';
    server.process.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
    await server.says('ready');
    await lab.client('python3', ['-c', UDP_CLIENT]);
    await server.exitCode();
    assert.equal(text.trim(), 'say jello to tje far side');
  });

  it('edits super-frames, which stay whole', async () => {
    await lab.hosts();
    let longest = 0;
    const wire = lab.bridge(
      { profile: 'default' },
      {
        inline: {
          timeoutMs: 5000,
          onBatch: (batch, direction, token) => {
            for (let i = 0; i < batch.length; i++) longest = Math.max(longest, batch.lengthAt(i));
            wire.answer(token, direction === 'b-to-a' ? { frames: replaced(batch, 0xfe, 0xff, 66) } : {});
          },
        },
      },
    );
    const folder = mkdtempSync(join(tmpdir(), 'netring-inline-'));
    lab.defer(() => rmSync(folder, { recursive: true }));
    const bytes = Buffer.alloc(20_000_000, 0xfe);
    for (let i = 0; i < bytes.length; i += 100) bytes.writeUInt32LE(i, i);
    writeFileSync(join(folder, 'file'), bytes);
    lab.start('python3', [...PYTHON_HTTP, folder], { namespace: lab.right.namespace });
    const file = join(folder, 'copy');
    const args = ['-sS', '--fail', '--retry', '20', '--retry-delay', '1', '--retry-connrefused', '-m', '60', '-o', file];
    await lab.client('curl', [...args, `http://${SERVER}:8080/file`], 60_000);
    for (let i = 0; i < bytes.length; i++) if (bytes[i] === 0xfe) bytes[i] = 0xff;
    const sum = (data: Buffer): string => createHash('sha256').update(data).digest('hex');
    assert.equal(sum(readFileSync(file)), sum(bytes));
    assert.ok(longest > 3000, `the longest frame had ${longest} bytes`);
  });

  it('the flow dies and the wire lives: the engine keeps the time', async () => {
    await lab.hosts();
    const wire = lab.bridge({}, { inline: { timeoutMs: 50, onBatch: () => undefined } });
    // The event loop stands still while this runs.
    assert.match(lab.ping('-c', '3', '-i', '0.3', '-W', '2', SERVER), / 0% packet loss.*= 1\d\d\.|3 received/s);
    const { aToB } = wire.cumulativeStats();
    assert.ok(aToB.timedOut >= 3 && aToB.forwarded === aToB.timedOut, JSON.stringify(aToB));
    wire.stop();
    wire.start({ inline: { timeoutMs: 50, default: 'drop', onBatch: () => undefined } });
    assert.ok(lab.loses('-c', '2', '-i', '0.1', '-W', '1', SERVER));
    wire.stop();
    assertLedger(wire.cumulativeStats().aToB);
  });

  it('a flow that stands still under load costs time, not the wire', async () => {
    await lab.wires();
    const wire = lab.bridge(
      { profile: 'default' },
      { inline: { timeoutMs: 20, onBatch: (_batch, _direction, token) => void wire.answer(token) } },
    );
    const far = await CountingWitness.open(lab, lab.right.b, 100_000, { namespace: lab.right.namespace });
    const sending = flood(lab, lab.left.b, { count: 100_000, rate: 100_000, namespace: lab.left.namespace });
    await sleep(100);
    freeze(700);
    await sending;
    await until(() => wire.cumulativeStats().aToB.forwarded >= 100_000, 5000, 'all frames');
    await sleep(100);
    const verdict = await far.verdict();
    assert.deepEqual([verdict.received + verdict.dropped, verdict.doubled, verdict.unordered, verdict.changed], [100_000, 0, 0, 0]);
    assert.ok(wire.cumulativeStats().aToB.timedOut > 10_000);
  });

  it('the first answer wins; later ones, late ones and wrong ones do nothing', async () => {
    await lab.wires();
    const tokens: string[] = [];
    const wire = lab.bridge({}, { inline: { timeoutMs: 1500, onBatch: (_batch, _direction, token) => void tokens.push(token) } });
    const far = await Witness.open(lab, lab.right.b, { namespace: lab.right.namespace });
    await sendFrames(lab, lab.left.b, [frame('first')], lab.left.namespace);
    await until(() => tokens.length === 1, 5000, 'the batch');
    const [token] = tokens as [string];
    assert.throws(() => wire.answer(token, { verdict: ['forward', 'drop'] }), { name: 'RangeError', message: /2 verdicts, the batch 1/ });
    assert.throws(() => wire.answer(token, { frames: [] }), { name: 'RangeError', message: /0 frames, the batch 1/ });
    assert.throws(() => wire.answer(token, { frames: [Buffer.alloc(13)] }), { name: 'RangeError', message: /13 bytes/ });
    assert.throws(() => wire.answer(token, { verdict: 'maybe' as BridgeAction }), { name: 'TypeError', message: /maybe/ });
    assert.throws(() => wire.answer(token, { frames: 'text' as unknown as PacketBatch }), { name: 'TypeError' });
    assert.throws(() => wire.answer('nonsense'), { name: 'TypeError', message: /nonsense/ });
    assert.equal(wire.answer('AAAAAAAA.0.0'), false, 'of another bridge');
    assert.equal(wire.answer(token, { verdict: 'drop' }), true);
    assert.equal(wire.answer(token, { verdict: 'forward' }), false);
    await sendFrames(lab, lab.left.b, [frame('second')], lab.left.namespace);
    assert.deepEqual(hex(await far.expect(1)), [frame('second').toString('hex')]);
    assert.equal(wire.answer(tokens[1]!, { verdict: 'drop' }), false, 'too late');
    const { aToB } = wire.cumulativeStats();
    assert.deepEqual([aToB.filtered, aToB.forwarded, aToB.timedOut], [1, 1, 1]);
  });

  it('frames too long for the far link are counted, edited or not', async () => {
    await lab.wires();
    const wire = lab.bridge(
      {},
      { inline: { timeoutMs: 5000, onBatch: (_batch, _direction, token) => void wire.answer(token, { frames: [Buffer.alloc(1600)] }) } },
    );
    await sendFrames(lab, lab.left.b, [frame('short')], lab.left.namespace);
    await until(() => wire.cumulativeStats().aToB.tooLarge === 1, 5000, 'the count');
  });

  it('frames that the filter holds back reach no flow and take no place', async () => {
    await lab.wires();
    const lengths: number[] = [];
    const noise = `4\n40 0 0 12\n21 0 1 ${0x88b5}\n6 0 0 262144\n6 0 0 0`;
    const wire = lab.bridge(
      { filterAToB: noise, filterAction: 'drop' },
      { inline: { timeoutMs: 60_000, onBatch: (batch, _direction, token) => void (lengths.push(batch.length), wire.answer(token)) } },
    );
    const far = await Witness.open(lab, lab.right.b, { namespace: lab.right.namespace });
    await flood(lab, lab.left.b, { count: 5000, rate: 50_000, namespace: lab.left.namespace });
    const wanted = Buffer.alloc(60, 0x77);
    await sendFrames(lab, lab.left.b, [wanted], lab.left.namespace);
    assert.deepEqual(hex(await far.expect(1)), [wanted.toString('hex')]);
    assert.deepEqual(lengths, [1]);
    assert.equal(wire.cumulativeStats().aToB.filtered, 5000);
  });

  it('an answer cannot grow without end', async () => {
    await lab.wires();
    const tokens: { token: string; length: number }[] = [];
    const wire = lab.bridge(
      {},
      { inline: { timeoutMs: 5000, onBatch: ({ length }, _direction, token) => void tokens.push({ token, length }) } },
    );
    await sendFrames(lab, lab.left.b, [frame('one')], lab.left.namespace);
    await until(() => tokens.length === 1, 5000, 'the batch');
    const { token, length } = tokens[0]!;
    const huge = PacketBatch.from([Buffer.alloc(4 << 20)]).select(Array<number>(length).fill(0));
    assert.throws(() => wire.answer(token, { frames: huge }), { name: 'RangeError', message: /at most 65792/ });
    assert.equal(wire.answer(token), true);
  });

  it('a stop gives what is out what it would get in the end', async () => {
    await lab.wires();
    const wire = lab.bridge({}, { inline: { timeoutMs: 60_000, onBatch: () => undefined } });
    const far = await Witness.open(lab, lab.right.b, { namespace: lab.right.namespace });
    await sendFrames(lab, lab.left.b, [frame('held')], lab.left.namespace);
    await until(() => wire.cumulativeStats().aToB.received === 1, 5000, 'the frame');
    await sleep(50);
    assert.equal(far.frames.length, 0);
    wire.close();
    assert.deepEqual(hex(await far.expect(1)), [frame('held').toString('hex')]);
    assertLedger(wire.cumulativeStats().aToB);
  });
});

describe('Bridge: run', () => {
  const lab = new BridgeLab();
  afterEach(() => lab.close());

  const dropsIcmp = ({ data }: Packet): BridgeAction => (data.readUInt16BE(12) === 0x0800 && data[23] === 1 ? 'drop' : 'forward');

  it('BR-09 a function drops ICMP and passes TCP; an abort ends it', async () => {
    await lab.hosts();
    const abort = new AbortController();
    const wire = lab.open();
    const running = wire.run(dropsIcmp, { signal: abort.signal });
    assert.match(await lab.client('ping', ['-n', '-c', '2', '-i', '0.2', '-W', '1', SERVER]), /100% packet loss/);
    await lab.iperfServer();
    assert.match(await lab.client('iperf3', ['-c', SERVER, '-n', '10M']), /receiver/);
    await assert.rejects(wire.run(dropsIcmp), { code: 'EALREADY' });
    assert.throws(() => wire.start({ tap: { onBatch: () => undefined } }), { code: 'EALREADY' });
    assert.equal(wire.start(), wire);
    const reason = new Error('enough');
    abort.abort(reason);
    await assert.rejects(running, reason);
    assert.equal(wire.running, false);
    const { aToB } = wire.cumulativeStats();
    assert.ok(aToB.filtered >= 2 && aToB.forwarded > 100);
    assertLedger(aToB);
  });

  it('loses and reorders nothing', async () => {
    await lab.wires();
    const wire = lab.open({ profile: 'default' });
    const running = wire.runAsync(() => 'forward');
    const far = await CountingWitness.open(lab, lab.right.b, 100_000, { namespace: lab.right.namespace });
    await flood(lab, lab.left.b, { count: 100_000, rate: 100_000, namespace: lab.left.namespace });
    await until(() => wire.cumulativeStats().aToB.forwarded >= 100_000, 5000, 'all frames');
    wire.stop();
    await running;
    const verdict = await far.verdict();
    assert.deepEqual([verdict.received + verdict.dropped, verdict.doubled, verdict.unordered, verdict.changed], [100_000, 0, 0, 0]);
  });

  it('ends with the error of a filter that throws or says nonsense, and lets nothing through', async () => {
    await lab.wires();
    const far = await Witness.open(lab, lab.right.b, { namespace: lab.right.namespace });
    const wire = lab.open();
    for (const [filter, wanted] of [
      [
        () => {
          throw new Error('broken');
        },
        /broken/,
      ],
      [() => 'maybe' as BridgeAction, /'maybe' is not one of forward, drop/],
    ] as const) {
      const running = assert.rejects(wire.run(filter), wanted);
      await sendFrames(lab, lab.left.b, [numberedFrame(1)], lab.left.namespace);
      await running;
      assert.equal(wire.running, false);
    }
    const closed = assert.rejects(
      wire.run(() => 'forward'),
      { code: 'ECANCELED' },
    );
    wire.close();
    await closed;
    assert.equal(far.frames.length, 0);
    await assert.rejects(
      wire.run(() => 'forward'),
      { code: 'ECANCELED' },
    );
    assertLedger(wire.cumulativeStats().aToB);
  });

  it('a run that follows a stop at once is a run of its own', async () => {
    await lab.wires();
    const wire = lab.open();
    const first = wire.run(() => 'forward');
    wire.stop();
    const second = wire.run(() => 'forward');
    await first;
    assert.equal(wire.running, true);
    wire.stop();
    await second;
  });

  it('runIterations counts batches, and the waits for them', async () => {
    await lab.wires();
    const wire = lab.open({ pollTimeoutMs: 50 });
    const begun = performance.now();
    await wire.runIterations(3, () => 'forward');
    const took = performance.now() - begun;
    assert.ok(took >= 140 && took < 1000, `${took} ms`);
    const far = await Witness.open(lab, lab.right.b, { namespace: lab.right.namespace });
    const running = lab.open({ pollTimeoutMs: 10_000 }).runIterations(1, () => 'forward');
    await sendFrames(lab, lab.left.b, [frame('only')], lab.left.namespace);
    await running;
    assert.deepEqual(hex(await far.expect(1)), [frame('only').toString('hex')]);
    await wire.runIterations(0, () => 'forward');
    await assert.rejects(
      wire.runIterations(-1, () => 'forward'),
      { name: 'RangeError' },
    );
  });
});
