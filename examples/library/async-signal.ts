/**
 * Counts packets until it is interrupted, then says what it has seen and what was lost.
 *
 *   node async-signal.js INTERFACE      Ctrl-C ends it
 */
import { AsyncCapture } from '@netring/node-red';

async function main([interfaceName = 'lo']: readonly string[]): Promise<void> {
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());

  await using capture = AsyncCapture.open(interfaceName);
  capture.on('down', () => console.error(`${interfaceName} is down`)).on('up', () => console.error(`${interfaceName} is up again`));
  console.error(`capturing on ${interfaceName}`);
  let bytes = 0;
  const receive = async (until: AbortSignal): Promise<void> => {
    try {
      for (;;) {
        const batch = await capture.recv({ signal: until });
        bytes += batch.originalByteLength;
      }
    } catch (error) {
      if (!until.aborted) throw error;
    }
  };
  await receive(interrupted.signal);
  // An aborted wait loses nothing, but the kernel may still be filling a block: its timeout, 60 ms, hands it out.
  await receive(AbortSignal.timeout(100));
  console.log(`${bytes} bytes, ${capture.cumulativeStats().toString()}`);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
