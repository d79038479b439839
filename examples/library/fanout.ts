/**
 * Shares the packets of an interface out to threads and says every second what each has read.
 *
 *   node fanout.js INTERFACE [MEMBERS] [PACKETS]      2 members; ends after so many packets, or with Ctrl-C
 */
import { captureGroup } from '@netring/node-red';

async function main([interfaceName = 'lo', members = '2', limit = 'Infinity']: readonly string[]): Promise<void> {
  await using group = await captureGroup(Number(members), { interface: interfaceName, profile: 'balanced', fillRxhash: false });
  console.error(`capturing on ${interfaceName} with ${group.size} members, group ${group.fanoutGroup}`);
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort());
  const perMember = Array.from({ length: group.size }, () => 0);
  const report = setInterval(() => console.error(perMember.map((packets, member) => `member ${member}: ${packets}`).join(', ')), 1000);
  try {
    // Flows stay whole: the kernel gives all packets of one to the same member.
    let packets = 0;
    for await (const batch of group.batches({ signal: stop.signal })) {
      perMember[batch.member]! += batch.length;
      packets += batch.length;
      if (packets >= Number(limit)) break;
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    clearInterval(report);
  }
  perMember.forEach((packets, member) => console.log(`member ${member}: ${packets} packets`));
  console.log((await group.cumulativeStats()).toString());
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
