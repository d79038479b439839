/**
 * Reads an interface and serves what is counted to Prometheus, at http://127.0.0.1:PORT/metrics, until it is interrupted. Wants prom-client beside
 * the package.
 *
 *   node async-metrics.js INTERFACE [PORT]      Ctrl-C ends it
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { AsyncCapture, Capture, ledger, registerMetrics } from '@netring/node-red';
import { collectDefaultMetrics, Registry } from 'prom-client';

async function main([name, port = '9100']: readonly string[]): Promise<void> {
  if (name === undefined) throw new Error('usage: async-metrics INTERFACE [PORT]');
  const registry = new Registry();
  registerMetrics(registry); // every handle of this thread, those that are opened later too
  collectDefaultMetrics({ register: registry }); // the process itself

  const server = createServer((_request, response) => {
    void registry.metrics().then((text) => response.setHeader('Content-Type', registry.contentType).end(text));
  }).listen(Number(port), '127.0.0.1');
  await once(server, 'listening');

  const capture = new AsyncCapture(Capture.builder({ interface: name, profile: 'balanced' }).build());
  console.error(`capturing on ${name}`);
  const end = Promise.race(['SIGINT', 'SIGTERM'].map((signal) => once(process, signal)));
  void end.then(() => capture.close());
  let bytes = 0;
  for await (const batch of capture) bytes += batch.byteLength;

  server.close();
  const { wire, delivered, drops, shed } = ledger(capture).received;
  console.log(`${wire} frames = ${delivered} delivered (${bytes} bytes) + ${drops} dropped by the kernel + ${shed} left in the ring`);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
