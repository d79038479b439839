/** The inject-out controller against an injector made up for it: every message is answered once, in order, whatever happens meanwhile. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import type { FrameSink } from '../../nodes/runtime/frame-sink';
import { InjectController, type InjectHost, type InjectNodeSettings } from '../../nodes/runtime/inject/inject-controller';
import { MESSAGE_BYTES, type InjectReport } from '../../nodes/runtime/inject/inject-queue';
import type { AsyncSendOptions, SendReport } from '../../src/async/send-loop';
import { NetringError } from '../../src/errors/errors';
import { until } from '../support/wait';
import { numberedFrame } from '../support/witness';
import { FakeClock } from './fake-clock';

/** An injector that takes `room` frames and then waits. */
class FakeSink extends EventEmitter implements FrameSink {
  readonly interface = 'eth7';
  readonly warnings = [];
  linkUp = true;
  room = Infinity;
  closed = false;
  failure: Error | undefined;

  sendBatch(frames: Iterable<unknown>, { signal, report }: AsyncSendOptions): Promise<SendReport> {
    const count = [...frames].length;
    const taken = Math.min(count, this.room);
    this.room -= taken;
    Object.assign(report!, { sent: taken, bytes: taken * 64 });
    if (this.failure !== undefined) return Promise.reject(this.failure);
    if (taken === count) return Promise.resolve(report!);
    return new Promise((_, reject) => signal!.addEventListener('abort', () => reject(signal!.reason as Error)));
  }
  close(): void {
    this.closed = true;
  }
}

describe('inject-out controller', () => {
  const frames = (count: number): Buffer[] => Array.from({ length: count }, (_, i) => numberedFrame(i));

  interface Answered {
    number: number;
    reports: unknown[];
    error: NetringError | undefined;
  }

  function bench(
    settings: Partial<InjectNodeSettings> = {},
    host: Partial<InjectHost> = {},
  ): {
    controller: InjectController;
    sinks: FakeSink[];
    answers: Answered[];
    send: (payload: unknown) => void;
  } {
    const sinks: FakeSink[] = [];
    const answers: Answered[] = [];
    const controller = new InjectController(
      {
        interface: 'eth7',
        input: 'frames',
        pacing: 'none',
        rate: null,
        onFull: 'wait',
        maxQueuedBytes: 1 << 20,
        fixChecksums: true,
        allowDefaultRoute: false,
        ...settings,
      },
      {
        open: () => {
          const sink = new FakeSink();
          sinks.push(sink);
          return sink;
        },
        holdsDefaultRoute: () => false,
        status: () => undefined,
        log: { info: () => undefined, warn: () => undefined, error: () => undefined },
        ...host,
      },
    );
    let number = 0;
    const send = (payload: unknown): void => {
      const answered: Answered = { number: number++, reports: [], error: undefined };
      controller.input(
        { payload },
        {
          report: (report) => answered.reports.push(report),
          done: (error) => answers.push({ ...answered, error: error as NetringError | undefined }),
        },
      );
    };
    controller.start();
    return { controller, sinks, answers, send };
  }
  const answered = async (answers: Answered[], count: number): Promise<string[]> => {
    await until(() => answers.length >= count, 2000, `${count} answers`);
    return answers.map(({ number, reports, error }) => {
      const [{ sent, rejected, dropped }] = reports as [InjectReport];
      assert.equal(reports.length, 1);
      return `${number}: ${sent} ${rejected} ${dropped} ${error?.code ?? ''}`.trim();
    });
  };

  const act = (controller: InjectController, action: string): Promise<void> =>
    new Promise((resolve, reject) =>
      controller.input({ action }, { report: () => undefined, done: (error) => (error === undefined ? resolve() : reject(error)) }),
    );

  it('messages that come before the injector is open wait for it', async () => {
    const { controller, answers, send } = bench();
    send(frames(2));
    send(frames(3));
    assert.deepEqual(await answered(answers, 2), ['0: 2 0 0', '1: 3 0 0']);
    await controller.close();
  });

  it('down, and then closed, with frames under way: each is answered once, in order', async () => {
    const { controller, sinks, answers, send } = bench();
    await until(() => sinks.length === 1, 1000, 'an injector');
    const [sink] = sinks as [FakeSink];
    sink.room = 5;
    for (let i = 0; i < 3; i++) send(frames(4));
    await until(() => answers.length === 1, 1000, 'the first answer');
    sink.emit('down');
    send(frames(1));
    const closing = controller.close();
    send(frames(1));
    await closing;
    // A refusal needs no turn of the sender, so those that never waited may come first.
    const all = await answered(answers, 5);
    assert.deepEqual([...all].sort(), ['0: 4 0 0', '1: 1 0 3 ENETDOWN', '2: 0 0 4 ENETDOWN', '3: 0 0 1 ENETDOWN', '4: 0 0 1 ENETDOWN']);
    assert.ok(all.indexOf('1: 1 0 3 ENETDOWN') < all.indexOf('2: 0 0 4 ENETDOWN'));
    assert.ok(sink.closed);
  });

  it('the interface vanishes under a sending call: everything waiting is answered, and it opens again', async () => {
    const { controller, sinks, answers, send } = bench();
    await until(() => sinks.length === 1, 1000, 'an injector');
    sinks[0]!.failure = NetringError.io('ENODEV', 'interface eth7 is gone', 'eth7');
    sinks[0]!.room = 1;
    for (let i = 0; i < 3; i++) send(frames(2));
    assert.deepEqual(await answered(answers, 3), ['0: 1 0 1 ENODEV', '1: 0 0 2 ENODEV', '2: 0 0 2 ENODEV']);
    assert.ok(sinks[0]!.closed);
    assert.equal(controller.state, 'gone');
    await until(() => sinks.length === 2, 3000, 'another injector');
    send(frames(1));
    assert.deepEqual((await answered(answers, 4)).at(-1), '3: 1 0 0');
    await controller.close();
  });

  it('what has no room is dropped at once with onFull drop', async () => {
    const { controller, sinks, answers, send } = bench({ onFull: 'drop' });
    await until(() => sinks.length === 1, 1000, 'an injector');
    sinks[0]!.room = 3;
    send(frames(5));
    send(frames(2));
    assert.deepEqual(await answered(answers, 2), ['0: 3 0 2', '1: 0 0 2']);
    await controller.close();
  });

  it('stopping waits a second for room, and no longer', async () => {
    const clock = new FakeClock();
    const { controller, sinks, answers, send } = bench({}, { clock });
    await until(() => sinks.length === 1, 1000, 'an injector');
    sinks[0]!.room = 1;
    send(frames(2));
    send(frames(2));
    const closing = controller.close();
    await setImmediate();
    clock.advance(999);
    await setImmediate();
    assert.deepEqual([sinks[0]!.closed, answers.length], [false, 0]);
    clock.advance(1);
    await closing;
    assert.ok(sinks[0]!.closed);
    assert.deepEqual(await answered(answers, 2), ['0: 1 0 1 ECANCELED', '1: 0 0 2 ECANCELED']);
  });

  describe('whatever becomes of the injector while it is being stopped', () => {
    const gone = NetringError.io('ENODEV', 'interface eth7 is gone', 'eth7');
    const cases: [string, (sink: FakeSink) => void, string][] = [
      ['deleted', (sink) => sink.emit('gone', gone), 'ENODEV'],
      ['failing', (sink) => sink.emit('error', NetringError.fromNative({ errno: 5, step: 'poll', interface: 'eth7' })), 'EIO'],
      ['down and up', (sink) => (sink.emit('down'), sink.emit('up')), 'ENETDOWN'],
      ['nothing', () => undefined, 'ECANCELED'],
    ];
    for (const [what, happen, code] of cases) {
      it(`${what}: it stays stopped until it is started`, async () => {
        const clock = new FakeClock();
        const { controller, sinks, answers, send } = bench({}, { clock });
        await until(() => sinks.length === 1, 1000, 'an injector');
        sinks[0]!.room = 1;
        send(frames(2));
        const stopping = act(controller, 'stop');
        await setImmediate();
        happen(sinks[0]!);
        clock.advance(1000);
        await stopping;
        assert.deepEqual(await answered(answers, 1), [`0: 1 0 1 ${code}`]);
        for (let i = 0; i < 10; i++) {
          clock.advance(1000);
          await setImmediate();
        }
        assert.deepEqual([controller.state, sinks.length, sinks[0]!.closed], ['stopped', 1, true]);
        send(frames(1));
        assert.equal((await answered(answers, 2))[1], '1: 0 0 1 ECANCELED');
        await act(controller, 'start');
        send(frames(1));
        assert.equal((await answered(answers, 3))[2], '2: 1 0 0');
        await controller.close();
        assert.equal(clock.pending, 0);
      });

      it(`${what}: closed it leaves no timer behind`, async () => {
        const clock = new FakeClock();
        const { controller, sinks, send } = bench({}, { clock });
        await until(() => sinks.length === 1, 1000, 'an injector');
        sinks[0]!.room = 1;
        send(frames(2));
        const closing = controller.close();
        await setImmediate();
        happen(sinks[0]!);
        clock.advance(1000);
        await closing;
        assert.deepEqual([clock.pending, sinks.length, sinks[0]!.closed], [0, 1, true]);
      });
    }
  });

  describe('a queue that is full', () => {
    it('messages count with more than their frames: those that hold none fill it too', async () => {
      const { controller, sinks, answers, send } = bench({ maxQueuedBytes: 64 + 3 * MESSAGE_BYTES });
      await until(() => sinks.length === 1, 1000, 'an injector');
      sinks[0]!.room = 0;
      send(frames(1));
      for (const payload of [[], 'no frame', [], []]) send(payload);
      const [refused] = await answered(answers, 1).then(() => answers);
      assert.equal(refused!.number, 4);
      assert.match(
        refused!.error!.message,
        new RegExp(`^0 bytes of frames do not fit: 4 messages take ${64 + 4 * MESSAGE_BYTES} of maxQueuedBytes ${64 + 3 * MESSAGE_BYTES}$`),
      );
      await controller.close();
      assert.deepEqual((await answered(answers, 5)).slice(1), [
        '0: 0 0 1 ECANCELED',
        '1: 0 0 0 ECANCELED',
        '2: 0 1 0 ECANCELED',
        '3: 0 0 0 ECANCELED',
      ]);
    });

    it('an idle one takes maxQueuedBytes of frames', async () => {
      const { controller, answers, send } = bench({ maxQueuedBytes: 128 });
      send(frames(3));
      send(frames(2));
      assert.deepEqual(await answered(answers, 2), ['0: 0 0 3 ENOBUFS', '1: 2 0 0']);
      await controller.close();
    });

    it('of a hundred thousand messages is emptied in order, by sending and by stopping, in no time', async function () {
      this.timeout(60_000);
      const { controller, sinks, answers, send } = bench({ maxQueuedBytes: 1 << 29 });
      for (let i = 0; i < 100_000; i++) send(frames(1));
      // The work that it is, whoever else works: a quarter of a second; 4.4 when all places move with each message.
      const before = process.cpuUsage();
      await until(() => answers.length === 100_000, 20_000, 'the answers');
      const { user, system } = process.cpuUsage(before);
      assert.ok(user + system < 2_000_000, `${(user + system) / 1000} ms of CPU`);
      sinks[0]!.room = 0;
      for (let i = 0; i < 200_000; i++) send([]);
      send(frames(1));
      for (let i = 0; i < 200_000; i++) send([]);
      sinks[0]!.emit('down');
      await until(() => answers.length === 500_001, 20_000, 'the answers');
      assert.ok(answers.every(({ number }, i) => number === i));
      await controller.close();
    });
  });

  describe('the default route', () => {
    const guarded = (
      settings: Partial<InjectNodeSettings> = {},
    ): ReturnType<typeof bench> & {
      clock: FakeClock;
      route: { held: boolean; asked: number };
      said: string[];
    } => {
      const clock = new FakeClock();
      const route = { held: false, asked: 0 };
      const said: string[] = [];
      const note = (text: string): void => void said.push(text);
      const found = bench(settings, {
        clock,
        holdsDefaultRoute: (name) => (route.asked++, name === 'eth7' && route.held),
        status: ({ fill, text }) => note(`${fill} ${text}`),
        log: { info: note, warn: note, error: note },
      });
      return { ...found, clock, route, said };
    };

    it('comes after the injector was opened: closed within 5 s, opened again when it has moved away', async () => {
      const { controller, sinks, answers, send, clock, route, said } = guarded();
      await until(() => sinks.length === 1, 1000, 'an injector');
      sinks[0]!.room = 1;
      send(frames(2));
      clock.advance(4000);
      route.held = true;
      clock.advance(1000);
      assert.deepEqual(await answered(answers, 1), ['0: 1 0 1 ERR_DEFAULT_ROUTE']);
      assert.deepEqual([controller.state, sinks[0]!.closed], ['error', true]);
      clock.advance(1000);
      await setImmediate();
      assert.ok(said.includes('red holds default route'), said.join());
      assert.equal(said.filter((text) => /^eth7 holds the default route\. .*allowDefaultRoute/.test(text)).length, 1, said.join());
      send(frames(1));
      assert.equal((await answered(answers, 2))[1], '1: 0 0 1 ERR_DEFAULT_ROUTE');
      route.held = false;
      clock.advance(1000);
      await until(() => sinks.length === 2, 1000, 'another injector');
      send(frames(1));
      assert.equal((await answered(answers, 3))[2], '2: 1 0 0');
      await controller.close();
      assert.equal(clock.pending, 0);
    });

    it('comes with the link: closed before anything is sent', async () => {
      const { controller, sinks, answers, send, route } = guarded();
      await until(() => sinks.length === 1, 1000, 'an injector');
      sinks[0]!.emit('down');
      route.held = true;
      sinks[0]!.emit('up');
      send(frames(1));
      assert.deepEqual(await answered(answers, 1), ['0: 0 0 1 ERR_DEFAULT_ROUTE']);
      assert.ok(sinks[0]!.closed);
      await controller.close();
    });

    it("is nobody's business when it is allowed", async () => {
      const { controller, sinks, clock, route } = guarded({ allowDefaultRoute: true });
      route.held = true;
      await until(() => sinks.length === 1, 1000, 'an injector');
      clock.advance(60_000);
      sinks[0]!.emit('up');
      assert.deepEqual([route.asked, sinks[0]!.closed], [0, false]);
      await controller.close();
    });
  });
});
