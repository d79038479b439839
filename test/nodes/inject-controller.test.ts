/** The inject-out controller against an injector made up for it: every message is answered once, in order, whatever happens meanwhile. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { FrameSink } from '../../nodes/runtime/frame-sink';
import { InjectController, type InjectNodeSettings } from '../../nodes/runtime/inject-controller';
import type { InjectReport } from '../../nodes/runtime/inject-queue';
import type { AsyncSendOptions, SendReport } from '../../src/async/async-injector';
import { NetringError } from '../../src/errors';
import { until } from '../support/wait';
import { numberedFrame } from '../support/witness';

/** An injector that takes `room` frames and then waits. */
class FakeSink extends EventEmitter implements FrameSink {
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

  function bench(settings: Partial<InjectNodeSettings> = {}): {
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
    const { controller, sinks, answers, send } = bench();
    await until(() => sinks.length === 1, 1000, 'an injector');
    sinks[0]!.room = 1;
    send(frames(2));
    send(frames(2));
    const start = performance.now();
    await controller.close();
    assert.ok(performance.now() - start < 1500);
    assert.deepEqual(await answered(answers, 2), ['0: 1 0 1 ECANCELED', '1: 0 0 2 ECANCELED']);
  });
});
