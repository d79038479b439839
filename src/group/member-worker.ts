/** A member's thread: drains its ring into slabs, which it sends to the thread that has opened the group. */
import { parentPort, workerData } from 'node:worker_threads';
import { AsyncCapture } from '../async/async-capture';
import { Capture, captureHandle } from '../capture/capture';
import { NetringError } from '../errors/errors';
import type { CaptureOptions } from '../options/generated/builders';
import { toPlain, type MemberMessage, type MemberTask, type Opened, type Request } from './protocol';

const task = workerData as MemberTask;
const say = (message: MemberMessage): void => parentPort?.postMessage(message);

let capture: AsyncCapture;

function wakeReader(): void {
  if (Atomics.exchange(task.waiting, 0, 0) === 1) say({ type: 'ready' });
}

function open(options: CaptureOptions): Opened {
  const source = new Capture(options);
  const { native, reader } = captureHandle(source);
  native.sendTo(task.outboxFd, task.index);
  // The memory is that of batches in the reader's thread, which alone can find what nobody needs any more.
  reader.onStalled = wakeReader;
  capture = new AsyncCapture(source)
    .on('down', () => say({ type: 'down' }))
    .on('up', () => say({ type: 'up' }))
    .on('gone', (error) => say({ type: 'gone', error: toPlain(error) }))
    .on('error', (error) => say({ type: 'error', error: toPlain(error) }));
  void drain();
  const { geometry, warnings, linkUp } = capture;
  return { geometry, warnings, linkUp };
}

/** Each `recv` has sent a batch on, and waits while there is no memory for another or enough of them wait to be read. */
async function drain(): Promise<void> {
  for (;;) {
    try {
      await capture.recv();
    } catch (error) {
      // Anything but a close and the end of the interface ends this thread, which the group reports.
      if (!(error instanceof NetringError) || !['ECANCELED', 'ENODEV'].includes(error.code)) throw error;
      if (error.code === 'ENODEV') say({ type: 'drained', error: toPlain(error) });
      return;
    }
    wakeReader();
  }
}

async function answer({ call, argument }: Request): Promise<unknown> {
  switch (call) {
    case 'open':
      return open(argument as CaptureOptions);
    case 'setFilter':
      return capture.setFilter(argument as Parameters<AsyncCapture['setFilter']>[0]);
    case 'attachEbpfFilter':
      return capture.attachEbpfFilter(argument as number | string);
    case 'attachFanoutEbpf':
      return capture.attachFanoutEbpf(argument as number | string);
    case 'close':
      return capture.close();
  }
}

parentPort?.on('message', (request: Request) => {
  answer(request)
    .then(
      (result) => say({ type: 'answer', id: request.id, result }),
      (error: unknown) => say({ type: 'failure', id: request.id, error: toPlain(error) }),
    )
    .finally(() => {
      if (request.call === 'close') parentPort?.close();
    });
});
