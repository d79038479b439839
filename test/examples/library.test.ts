/** The library's examples as a user runs them, on a cable whose other end belongs to somebody else. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Lab, type Wire } from '../support/lab';
import { freePort } from '../support/node-red';
import { root } from '../support/paths';
import { output, type Child } from '../support/process';
import { needsXdp } from '../support/skip';
import { until } from '../support/wait';
import { numberedFrame, sendFrames, tshark, Witness } from '../support/witness';

describe('library examples', function () {
  this.timeout(60_000);
  const lab = new Lab();
  let wire: Wire;
  before(async () => (wire = await lab.wire()));
  after(() => lab.close());

  /** An example in a process of its own. */
  class Example {
    readonly child: Child;
    #text = '';

    constructor(name: string, ...args: string[]) {
      this.child = lab.start(process.execPath, [join(root, 'dist', 'examples', 'library', `${name}.js`), ...args]);
      this.child.process.stdout.setEncoding('utf8').on('data', (part: string) => (this.#text += part));
    }

    /** Resolves once its capture is open. */
    async captures(): Promise<void> {
      await this.child.says(`capturing on ${wire.a}`);
    }

    /** What it printed, once it has ended well. */
    async lines(): Promise<string[]> {
      assert.equal(await this.child.exitCode(), 0, this.child.errors);
      return this.#text.trim().split('\n');
    }
  }

  const frames = (count: number, length: (i: number) => number): Buffer[] =>
    Array.from({ length: count }, (_, i) => numberedFrame(i, length(i)));
  const send = (list: readonly Buffer[]): Promise<void> => sendFrames(lab, wire.b, list);
  const sum = (list: readonly Buffer[]): number => list.reduce((total, { length }) => total + length, 0);

  it('async-capture prints every packet', async () => {
    const example = new Example('async-capture', wire.a, '5');
    await example.captures();
    const sent = frames(5, (i) => [60, 61, 200, 1000, 1514][i]!);
    const before = Date.now() / 1000;
    await send(sent);
    const lines = await example.lines();
    const after = Date.now() / 1000;
    assert.deepEqual(
      lines.map((line) => line.slice(line.indexOf(' ') + 1)),
      sent.map(({ length }) => `broadcast 02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff 0x88b5 ${length} bytes`),
    );
    for (const line of lines) {
      const time = /^(\d+\.\d{9}) /.exec(line)?.[1];
      assert.ok(Number(time) >= before - 0.1 && Number(time) <= after + 0.1, `${line} was captured between ${before} and ${after}`);
    }
  });

  it('async-stream reads batches until it has enough, and says what was lost', async () => {
    const example = new Example('async-stream', wire.a, '2000');
    await example.captures();
    const sent = frames(2000, (i) => 60 + (i % 1400));
    await send(sent);
    const lines = await example.lines();
    assert.equal(lines.pop(), 'packets: 2000, drops: 0, freezes: 0');
    const batches = lines.map((line) => /^batch \d+: (\d+) packets, (\d+) bytes/.exec(line)!.slice(1).map(Number));
    const total = (column: number): number => batches.reduce((sum, batch) => sum + batch[column]!, 0);
    assert.deepEqual([total(0), total(1)], [2000, sum(sent)]);
  });

  it('async-streamext picks the first large packets', async () => {
    const example = new Example('async-streamext', wire.a, '2', '100');
    await example.captures();
    const sent = frames(6, (i) => [60, 99, 100, 60, 1514, 1000][i]!);
    await send(sent);
    assert.deepEqual(
      await example.lines(),
      [sent[2]!, sent[4]!].map((frame) => `${frame.length} ${frame.toString('hex')}`),
    );
  });

  it('async-inject sends frames that somebody else receives, each once and in order', async () => {
    const witness = await Witness.open(lab, wire.b);
    const example = new Example('async-inject', wire.a, '1000');
    assert.deepEqual(await example.lines(), [`1000 frames sent on ${wire.a}, 0 refused`]);
    const seen = await witness.expect(1000);
    assert.deepEqual(
      seen.map(({ data }) => [data.length, data.toString('hex', 0, 14), data.readUInt32BE(14)]),
      Array.from({ length: 1000 }, (_, number) => [60, 'ffffffffffff02000000000188b5', number]),
    );
    await witness.close();
  });

  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    it(`async-signal ends on ${signal} and has lost nothing`, async () => {
      const example = new Example('async-signal', wire.a);
      await example.captures();
      const sent = frames(500, (i) => 60 + i);
      await send(sent);
      example.child.process.kill(signal);
      assert.deepEqual(await example.lines(), [`${sum(sent)} bytes, packets: 500, drops: 0, freezes: 0`]);
    });

  it('async-xdp answers frames of one EtherType and leaves the others to the kernel', async function () {
    needsXdp(this);
    const kernel = await Witness.open(lab, wire.a);
    const far = await Witness.open(lab, wire.b);
    const example = new Example('async-xdp', wire.a, '88b5', '100');
    await example.child.says(`answering on ${wire.a}`);
    const other = Buffer.from(numberedFrame(7, 60));
    other.writeUInt16BE(0x88b6, 12);
    const asked = frames(100, (i) => 60 + i);
    await send([other, ...asked]);
    const lines = await example.lines();
    assert.match(lines[0]!, /^packets: 100, drops: 0, sent: 100, sendErrors: 0$/);
    assert.match(lines[1]!, /^rx_dropped=0 /);
    const answers = await far.expect(100);
    assert.deepEqual(
      answers.map(({ data }) => data),
      asked.map((frame) => Buffer.concat([frame.subarray(6, 12), frame.subarray(0, 6), frame.subarray(12)])),
    );
    assert.deepEqual(
      (await kernel.expect(1)).map(({ data }) => data),
      [other],
    );
    await kernel.close();
    await far.close();
  });

  it('channel counts who talks most, and its sums add up however slow it is', async () => {
    for (const [args, fetched] of [
      [['100000'], 500],
      [['20', '50'], undefined],
    ] as const) {
      const example = new Example('channel', wire.a, ...args);
      await example.captures();
      const sent = frames(500, (i) => 60 + i);
      await send(sent);
      example.child.process.kill('SIGINT');
      const lines = await example.lines();
      const [, ...counts] = /^(\d+) on the wire = (\d+) fetched \+ (\d+) dropped by the queue \+ (\d+) dropped by the kernel$/.exec(
        lines[1]!,
      )!;
      const [received, packets, dropped, drops] = counts.map(Number);
      assert.equal(received, 500);
      assert.equal(packets! + dropped! + drops!, 500);
      if (fetched === undefined) assert.ok(dropped! > 400 && packets! >= 20, lines[1]);
      else assert.deepEqual([lines[0], packets], [`02:00:00:00:00:01 ${sum(sent)} bytes`, fetched]);
    }
  });

  it('async-pipeline compresses to a file that tshark opens', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'netring-pipeline-'));
    lab.defer(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'capture.pcapng.gz');
    const example = new Example('async-pipeline', wire.a, file, '300');
    await example.captures();
    const sent = frames(300, (i) => 60 + i);
    await send(sent);
    assert.deepEqual(await example.lines(), [`${file}: packets: 300, drops: 0, freezes: 0`]);
    assert.equal(output('tshark', ['-r', file, '-T', 'fields', '-e', 'frame.number']).trim().split('\n').length, 300);
    const seen = tshark(gunzipSync(readFileSync(file)), ['frame.len', 'frame.interface_name', 'data.data']);
    assert.deepEqual(
      seen.map((packet) => [packet['frame.len']?.[0], packet['frame.interface_name']?.[0], packet['data.data']?.[0]]),
      sent.map((frame) => [String(frame.length), wire.a, frame.toString('hex', 14)]),
    );
  });

  it('pcap records, shows and replays what tshark reads too', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'netring-example-'));
    lab.defer(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'capture.pcapng');
    const recording = new Example('pcap', 'record', wire.a, file, '20');
    await recording.captures();
    const sent = frames(20, (i) => 60 + i);
    await send(sent);
    assert.match((await recording.lines())[0]!, /: 20 packets, \d+ bytes$/);
    const seen = tshark(readFileSync(file), ['frame.time_epoch', 'frame.interface_name', 'frame.len']);
    const shown = await new Example('pcap', 'show', file).lines();
    assert.equal(shown.pop(), `${wire.a}: received 20, lost 0`);
    assert.deepEqual(
      shown,
      seen.map((one, i) => `${one['frame.time_epoch']?.[0]} ${wire.a} broadcast ${60 + i}/${one['frame.len']?.[0]} bytes`),
    );
    const witness = await Witness.open(lab, wire.b);
    const replaying = new Example('pcap', 'replay', file, wire.a, '10', '2');
    assert.deepEqual(await replaying.lines(), [`40 packets sent on ${wire.a} in 2 passes, 0 refused`]);
    assert.deepEqual(
      (await witness.expect(40)).map(({ data }) => data.toString('hex')),
      [...sent, ...sent].map((frame) => frame.toString('hex')),
    );
    await witness.close();
  });

  it('pcap writes what came before an alarm, and what came after', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'netring-example-'));
    lab.defer(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'alarm.pcapng');
    const example = new Example('pcap', 'alarm', wire.a, file, '88b6');
    await example.captures();
    const sent = frames(50, () => 100);
    sent[30]!.writeUInt16BE(0x88b6, 12);
    await send(sent.slice(0, 40));
    await send(sent.slice(40));
    await until(() => existsSync(file) && readFileSync(file).length > 50 * 132, 5000, 'all frames in the file');
    example.child.process.kill('SIGINT');
    assert.deepEqual(await example.lines(), [`${file}: 50 packets`]);
    assert.deepEqual(
      tshark(readFileSync(file), ['data.data']).map((one) => one['data.data']?.[0]),
      sent.map((frame) => frame.toString('hex', 14)),
    );
  });

  it('examples end with an error on an interface that does not exist', async () => {
    for (const name of [
      'async-capture',
      'async-stream',
      'async-streamext',
      'async-inject',
      'async-signal',
      'async-pipeline',
      'channel',
      'fanout',
    ]) {
      const example = new Example(name, 'nosuchif');
      assert.equal(await example.child.exitCode(), 1, name);
      assert.match(example.child.errors, /interface not found: nosuchif/, name);
    }
  });

  it('fanout shares flows out to threads and adds up', async () => {
    const example = new Example('fanout', wire.a, '3', '600');
    await example.child.says(`capturing on ${wire.a} with 3 members`);
    const flows = Array.from({ length: 600 }, (_, i) => {
      const frame = Buffer.alloc(60);
      frame.set([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x08, 0x00, 0x45, 0, 0, 46, 0, 1, 0, 0, 64, 17]);
      frame.set([10, 0, 0, 1, 10, 0, 0, 2], 26);
      frame.writeUInt16BE(1000 + (i % 100), 34);
      return frame;
    });
    await send(flows);
    const lines = await example.lines();
    assert.equal(lines.pop(), 'packets: 600, drops: 0, freezes: 0');
    const counts = lines.map((line, member) => Number(new RegExp(`^member ${member}: (\\d+) packets$`).exec(line)?.[1]));
    assert.equal(counts.length, 3);
    assert.ok(
      counts.every((count) => count > 0 && count % 6 === 0),
      String(counts),
    );
    assert.equal(
      counts.reduce((total, count) => total + count),
      600,
    );
  });

  it('async-bridge joins two cables and counts', async () => {
    const other = await lab.wire();
    const witness = await Witness.open(lab, other.b);
    const example = new Example('async-bridge', wire.a, other.a);
    await example.child.says(`bridging ${wire.a} and ${other.a}`);
    const sent = frames(3, () => 100);
    await send(sent);
    assert.deepEqual(
      (await witness.expect(3)).map(({ data }) => data),
      sent,
    );
    example.child.process.kill('SIGINT');
    const lines = await example.lines();
    assert.match(lines.at(-1)!, /^A→B: received: 3, forwarded: 3, .* \| B→A: received: 0, /);
  });

  it('async-metrics serves what is counted', async () => {
    const port = await freePort();
    const example = new Example('async-metrics', wire.a, String(port));
    await example.captures();
    await send(frames(20, () => 100));
    const scraped = async (): Promise<string> => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    const counted = `netring_capture_packets_total{iface="${wire.a}"} 20`;
    await until(async () => (await scraped()).includes(counted), 5000, counted);
    assert.match(await scraped(), /^process_cpu_seconds_total /m);
    example.child.process.kill('SIGINT');
    assert.deepEqual(await example.lines(), ['20 frames = 20 delivered (2000 bytes) + 0 dropped by the kernel + 0 left in the ring']);
  });
});
