/**
 * The integration tests of the Rust crate netring 0.6, by the names of its files and tests. Where those look at a counter of their own, these ask a
 * foreign socket; where those are content with one packet, these want all of them.
 */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { AsyncCapture, Bridge, Capture, Injector, NetringError, XdpSocket, type CaptureStats } from '@netring/node-red';
import { Lab } from '../support/lab';
import { until } from '../support/wait';
import { CountingWitness, flood, numberedFrame, sendFrames, Witness } from '../support/witness';
import { output } from '../support/process';
import { needsXdp } from '../support/skip';
import { SMALL } from './rx';

const LOOPBACK = 'lo';
/** netring sees each frame on lo twice, going out and coming in. */
const TIMES_ON_LOOPBACK = 1;

describe('netring 0.6', function () {
  this.timeout(30_000);
  let lab: Lab;
  beforeEach(() => (lab = new Lab()));
  afterEach(() => lab.close());

  const onLoopback = (options: object = {}): Capture => {
    const capture = Capture.builder({ ...SMALL, interface: LOOPBACK, ...options }).build();
    lab.defer(() => capture.close());
    return capture;
  };

  /** Sends datagrams to a port of this host that nobody else uses. */
  const datagrams = async (...payloads: string[]): Promise<void> => {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    const { port } = socket.address();
    for (const payload of payloads) await new Promise((resolve) => socket.send(payload, port, '127.0.0.1', resolve));
    socket.close();
  };

  /** How often each marker was captured until 300 ms had passed without one. */
  const seen = (capture: Capture, markers: readonly string[]): number[] => {
    const counts = markers.map(() => 0);
    for (let found = true; found;) {
      found = false;
      for (const packet of capture.packetsFor(300)) {
        markers.forEach((marker, i) => (counts[i]! += packet.data.includes(marker) ? 1 : 0));
        found = true;
      }
    }
    return counts;
  };

  describe('async_capture', () => {
    it('async_capture_recv', async () => {
      const capture = new AsyncCapture(Capture.builder({ ...SMALL, interface: LOOPBACK }).build());
      lab.defer(() => capture.close());
      await datagrams('netring async marker');
      const signal = AbortSignal.timeout(3000);
      let found = 0;
      while (found < TIMES_ON_LOOPBACK) {
        const guard = await capture.readable({ signal });
        for (const packet of guard.nextBatch() ?? [])
          found += packet.data.subarray(42).toString('latin1') === 'netring async marker' ? 1 : 0;
      }
      assert.equal(found, TIMES_ON_LOOPBACK);
    });
  });

  describe('block_timeout', () => {
    it('block_timeout_triggers', async () => {
      const wire = await lab.wire();
      const capture = Capture.builder({ ...SMALL, interface: wire.a, blockTimeoutMs: 10 }).build();
      lab.defer(() => capture.close());
      await sendFrames(lab, wire.b, [numberedFrame(1)]);
      const batch = capture.nextBatchBlocking(2000);
      assert.ok(batch !== null);
      assert.deepEqual([batch.length, batch.timedOut], [1, true]);
      assert.ok(batch.dataAt(0).equals(numberedFrame(1)));
    });
  });

  describe('bridge', () => {
    const pair = async (): Promise<{ bridge: Bridge; ends: readonly [string, string] }> => {
      const [left, right] = [await lab.wire(), await lab.wire()];
      const bridge = Bridge.builder({ profile: 'balanced', interfaceA: left.a, interfaceB: right.a, pollTimeoutMs: 20 }).build();
      lab.defer(() => bridge.close());
      return { bridge, ends: [left.b, right.b] };
    };

    it('bridge_run_iterations_smoke', async () => {
      const { bridge, ends } = await pair();
      const begun = Date.now();
      await bridge.runIterations(3, () => 'forward');
      assert.ok(Date.now() - begun >= 3 * 20 - 5, 'three iterations, each of a poll timeout');
      const { aToB, bToA } = bridge.cumulativeStats();
      assert.deepEqual([aToB.received, bToA.received], [0, 0]);
      // It moves frames, both ways.
      const witnesses = [await Witness.open(lab, ends[1]), await Witness.open(lab, ends[0])];
      const stop = new AbortController();
      const running = bridge.run(() => 'forward', { signal: stop.signal });
      for (const end of ends) await sendFrames(lab, end, [numberedFrame(1), numberedFrame(2, 1514)]);
      for (const witness of witnesses) {
        const frames = await witness.expect(2);
        assert.deepEqual(
          frames.map(({ data }) => data),
          [numberedFrame(1), numberedFrame(2, 1514)],
        );
      }
      stop.abort(new Error('enough'));
      await assert.rejects(running, /enough/);
    });

    it('bridge_builder_into_inner', async () => {
      const { bridge } = await pair();
      const fds = Object.values(bridge.handles());
      assert.equal(fds.length, 4);
      assert.equal(new Set(fds).size, 4);
      assert.ok(fds.every((fd) => fd >= 0));
    });
  });

  describe('eintr', () => {
    it('next_batch_blocking_survives_signal', async () => {
      const wire = await lab.wire();
      // SIGUSR1 is Node's own.
      const script = `const { Capture } = require('@netring/node-red');
        process.on('SIGUSR2', () => {});
        const capture = Capture.builder({ interface: '${wire.a}', profile: 'balanced' }).build();
        console.error('open');
        let calls = 0;
        for (const end = Date.now() + 1000; Date.now() < end; calls++) capture.nextBatchBlocking(200);
        console.error('calls', calls);
        // Node takes its handlers away before it ends.
        setTimeout(() => {}, 500);`;
      const child = lab.start(process.execPath, ['-e', script]);
      await child.says('open');
      const timer = setInterval(() => child.process.kill('SIGUSR2'), 50);
      await child.says('calls').finally(() => clearInterval(timer));
      assert.equal(await child.exitCode(), 0, child.errors);
      const calls = Number(/calls (\d+)/.exec(child.errors)?.[1]);
      // A signal ends no wait early: five of 200 ms, one more or less.
      assert.ok(calls >= 4 && calls <= 7, `${calls} calls`);
    });
  });

  describe('error_conditions', () => {
    it('interface_not_found', () => {
      assert.throws(
        () => Capture.open('nonexistent0'),
        (error: unknown) =>
          error instanceof NetringError &&
          error.kind === 'InterfaceNotFound' &&
          error.interface === 'nonexistent0' &&
          error.code === 'ENODEV',
      );
    });
  });

  describe('fanout', () => {
    it('fanout_two_sockets', async () => {
      const wire = await lab.wire();
      const open = (): Capture => {
        const member = Capture.builder({
          ...SMALL,
          interface: wire.a,
          fanoutMode: 'hash',
          fanoutGroup: 9999,
          fanoutFlags: ['rollover'],
        }).build();
        lab.defer(() => member.close());
        return member;
      };
      const members = [open(), open()];
      await sendFrames(
        lab,
        wire.b,
        Array.from({ length: 50 }, (_, i) => numberedFrame(i)),
      );
      const numbers: bigint[] = [];
      for (const member of members) {
        for (const { data } of member.packetsFor(300)) numbers.push(data.readBigUInt64BE(14));
      }
      // Every frame once: between the two nothing is lost and nothing doubled.
      assert.deepEqual(
        numbers.map(Number).sort((a, b) => a - b),
        Array.from({ length: 50 }, (_, i) => i),
      );
    });
  });

  describe('injector', () => {
    it('inject_allocate_send_flush', async () => {
      const wire = await lab.wire();
      const witness = await Witness.open(lab, wire.b);
      using injector = Injector.open(wire.a);
      const frames = Array.from({ length: 10 }, (_, i) => numberedFrame(i, 60 + i));
      for (const frame of frames) {
        const slot = injector.allocate(frame.length);
        assert.ok(slot !== null);
        slot.data.set(frame);
        slot.setLen(frame.length);
        slot.send();
      }
      assert.equal(injector.flush(), 10);
      assert.deepEqual(
        (await witness.expect(10)).map(({ data }) => data),
        frames,
      );
    });

    it('inject_drop_without_send', async () => {
      const wire = await lab.wire();
      const witness = await Witness.open(lab, wire.b);
      using injector = Injector.open(wire.a);
      {
        using slot = injector.allocate(64);
        assert.ok(slot !== null);
        slot.data.fill(0xee);
      }
      assert.equal(injector.flush(), 0);
      assert.equal(injector.availableSlots, injector.frameCount);
      // What comes after it shows that the witness listens.
      injector.send(numberedFrame(1));
      injector.flush();
      assert.deepEqual(
        (await witness.expect(1)).map(({ data }) => data),
        [numberedFrame(1)],
      );
    });
  });

  describe('loopback_capture', () => {
    it('capture_loopback_basic', async () => {
      const capture = onLoopback();
      const markers = Array.from({ length: 10 }, (_, i) => `netring loopback marker ${i};`);
      await datagrams(...markers);
      assert.deepEqual(
        seen(capture, markers),
        markers.map(() => TIMES_ON_LOOPBACK),
      );
    });

    it('low_level_rx_next_batch', async () => {
      const capture = onLoopback({ ignoreOutgoing: true });
      await datagrams('netring low level');
      let found: number[] = [];
      await until(
        () => {
          const batch = capture.nextBatch();
          if (batch === null) return false;
          assert.ok(batch.length > 0);
          found = [...batch].filter(({ data }) => data.subarray(42).toString('latin1') === 'netring low level').map(({ length }) => length);
          return found.length > 0;
        },
        3000,
        'the marker',
      );
      assert.deepEqual(found, [42 + 'netring low level'.length]);
    });

    it('capture_promiscuous_no_crash', async () => {
      onLoopback({ promiscuous: true });
      const wire = await lab.wire();
      const promiscuity = (): number =>
        (JSON.parse(output('ip', ['-j', '-d', 'link', 'show', wire.a])) as { promiscuity: number }[])[0]!.promiscuity;
      const capture = Capture.builder({ ...SMALL, interface: wire.a, promiscuous: true }).build();
      assert.equal(promiscuity(), 1);
      capture.close();
      assert.equal(promiscuity(), 0);
    });
  });

  describe('statistics', () => {
    it('capture_stats_basic', async () => {
      const wire = await lab.wire();
      const capture = Capture.open(wire.a);
      lab.defer(() => capture.close());
      const witness = await CountingWitness.open(lab, wire.a, 50);
      await flood(lab, wire.b, { count: 50 });
      assert.equal((await witness.verdict()).received, 50);
      const counts = ({ packets, received, drops, freezes }: CaptureStats): number[] => [packets, received, drops, freezes];
      // In the ring, and not read: netring calls that packets, here they are received.
      assert.deepEqual(counts(capture.stats()), [0, 50, 0, 0]);
      assert.equal([...capture.packetsFor(300)].length, 50);
      assert.deepEqual(counts(capture.stats()), [50, 0, 0, 0]);
      assert.deepEqual(counts(capture.cumulativeStats()), [50, 50, 0, 0]);
    });
  });

  describe('timeout', () => {
    it('packets_for_terminates_on_idle_lo', () => {
      const capture = onLoopback();
      const begun = Date.now();
      assert.deepEqual([...capture.packetsFor(200)], []);
      const took = Date.now() - begun;
      assert.ok(took >= 195 && took < 1000, `${took} ms`);
    });

    it('packets_until_past_deadline_yields_none', async () => {
      const capture = onLoopback();
      await datagrams('here already');
      assert.deepEqual(capture.packetsUntil(Date.now() - 1).next(), { done: true, value: undefined });
      // It was left for whoever asks in time.
      assert.deepEqual(seen(capture, ['here already']), [TIMES_ON_LOOPBACK]);
    });
  });

  describe('xdp', () => {
    before(function () {
      needsXdp(this);
    });

    it('xdp_open_tx_only_or_skip', async () => {
      const wire = await lab.wire();
      const witness = await Witness.open(lab, wire.b);
      using socket = XdpSocket.builder({ interface: wire.a, mode: 'tx', frameSize: 2048, frameCount: 64 }).build();
      assert.equal(socket.statistics().tx_invalid_descs, 0);
      assert.equal(socket.send(numberedFrame(1)), true);
      assert.equal(socket.flush(), 1);
      assert.deepEqual(
        (await witness.expect(1)).map(({ data }) => data),
        [numberedFrame(1)],
      );
      using onLo = XdpSocket.builder({ interface: LOOPBACK, mode: 'tx', frameSize: 2048, frameCount: 64 }).build();
      assert.equal(onLo.flush(), 0);
    });
  });
});
