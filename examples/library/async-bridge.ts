/**
 * Makes one wire of two interfaces and says every second what passes, until it is interrupted.
 *
 *   node async-bridge.js INTERFACE_A INTERFACE_B      Ctrl-C ends it
 */
import { once } from 'node:events';
import { Bridge } from '@netring/node-red';

async function main([interfaceA, interfaceB]: readonly string[]): Promise<void> {
  if (interfaceA === undefined || interfaceB === undefined) throw new Error('usage: async-bridge INTERFACE_A INTERFACE_B');
  using bridge = Bridge.builder({ interfaceA, interfaceB, profile: 'balanced' }).build();
  for (const warning of bridge.warnings) console.error(warning);
  bridge
    .on('down', (port) => console.error(`interface ${port} is down`))
    .on('up', (port) => console.error(`interface ${port} is up again`))
    .on('gone', (_port, error) => console.error(error.message));
  bridge.start();
  console.error(`bridging ${interfaceA} and ${interfaceB}`);
  const report = setInterval(() => {
    const { aToB, bToA } = bridge.stats();
    console.log(`A→B ${aToB.forwarded}/s, B→A ${bToA.forwarded}/s`);
  }, 1000);
  await Promise.race(['SIGINT', 'SIGTERM'].map((signal) => once(process, signal)));
  clearInterval(report);
  bridge.stop();
  console.log(bridge.cumulativeStats().toString());
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
