/**
 * Answers every frame of an EtherType with the same frame, sender and receiver swapped, past the kernel's network stack. All other frames of the
 * interface stay with the kernel. (Two of these facing each other would never stop.)
 *
 *   node async-xdp.js INTERFACE ETHERTYPE [FRAMES]      such as eth0 88b5; Ctrl-C ends it, or FRAMES answers
 */
import { AsyncXdpSocket, XdpSocket } from '@netring/node-red';

async function main([interfaceName, type, frames = 'Infinity']: readonly string[]): Promise<void> {
  if (interfaceName === undefined || type === undefined) throw new Error('usage: async-xdp INTERFACE ETHERTYPE [FRAMES]');
  await using socket = new AsyncXdpSocket(
    XdpSocket.builder({
      interface: interfaceName,
      queueId: 'all',
      frameSize: 2048,
      frameCount: 2048,
      filter: `ether proto 0x${type}`,
    }).build(),
  );
  for (const warning of socket.warnings) console.error(warning);
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort());
  console.error(`answering on ${interfaceName} (${socket.attachMode} mode, ${socket.boundMode})`);
  try {
    for (let answered = 0; answered < Number(frames);) {
      const batch = await socket.recv({ signal: stop.signal });
      const answers = batch.copy();
      for (let i = 0; i < answers.length; i++) {
        const frame = answers.dataAt(i);
        const destination = Buffer.from(frame.subarray(0, 6));
        frame.copyWithin(0, 6, 12);
        destination.copy(frame, 6);
      }
      answered += (await socket.sendBatch(answers)).sent;
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  }
  await socket.waitDrained(1000);
  console.log(socket.cumulativeStats().toString());
  console.log(socket.statistics().toString());
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
