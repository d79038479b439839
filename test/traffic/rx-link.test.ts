import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AsyncCapture, Capture, NetringError, type AsyncCaptureEvents } from '@netring/node-red';
import { Lab } from '../support/lab';
import { footprint, idleCpu, output, ringMappings } from '../support/process';
import { sendFrames } from '../support/witness';
import { within } from '../support/wait';
import { asyncCapture, capture, collectPackets, frame, inBothModes } from './rx';

const event = (rx: AsyncCapture, name: keyof AsyncCaptureEvents): Promise<unknown[]> =>
  within(once(rx, name) as Promise<unknown[]>, 3000, `event ${name}`);

inBothModes('link changes', () => {
  const lab = new Lab();
  afterEach(() => lab.close());

  it('RX-06 link down is one event, costs no CPU, closes nothing', async () => {
    const wire = await lab.wire();
    const rx = asyncCapture(lab, { interface: wire.a });
    const downs: number[] = [];
    rx.on('down', () => downs.push(performance.now()));
    const waiting = rx.recv();
    let settled = false;
    void waiting.then(
      () => (settled = true),
      () => (settled = true),
    );
    const down = event(rx, 'down');
    lab.ip(`link set ${wire.a} down`);
    await down;
    assert.equal(rx.linkUp, false);
    const used = await idleCpu(1000);
    assert.ok(used <= 3, `${used} % of a CPU`);
    assert.equal(downs.length, 1);
    assert.equal(settled, false);
    rx.close();
    await assert.rejects(waiting, { code: 'ECANCELED' });
  });

  it('RX-07 link up again: frames on the same handle', async () => {
    const wire = await lab.wire();
    const rx = asyncCapture(lab, { interface: wire.a });
    const waiting = collectPackets(rx, 1);
    for (let round = 0; round < 2; round++) {
      const down = event(rx, 'down');
      lab.ip(`link set ${wire.a} down`);
      await down;
      const up = event(rx, 'up');
      lab.ip(`link set ${wire.a} up`);
      await up;
    }
    assert.equal(rx.linkUp, true);
    await sendFrames(lab, wire.b, [frame('again')]);
    const [packet] = await waiting;
    assert.equal(packet?.data.toString('latin1', 14, 19), 'again');
  });

  it('a lost carrier is down as well', async () => {
    const wire = await lab.wire();
    const rx = asyncCapture(lab, { interface: wire.a });
    const down = event(rx, 'down');
    lab.ip(`link set ${wire.b} down`);
    await down;
    const up = event(rx, 'up');
    lab.ip(`link set ${wire.b} up`);
    await up;
  });

  it('opens on an interface that is down and hears it come up', async () => {
    const wire = await lab.wire({ up: false });
    const rx = asyncCapture(lab, { interface: wire.a });
    assert.equal(rx.linkUp, false);
    const up = event(rx, 'up');
    lab.ip(`link set ${wire.a} up`);
    lab.ip(`link set ${wire.b} up`);
    await up;
    await sendFrames(lab, wire.b, [frame('hello')]);
    assert.equal((await collectPackets(rx, 1)).length, 1);
  });

  it('RX-08 interface deleted: what is in the ring, then gone', async () => {
    const wire = await lab.wire();
    const rx = asyncCapture(lab, { interface: wire.a });
    await sendFrames(lab, wire.b, [frame('last words')]);
    // At once: the block that holds the frame is still being filled.
    const gone = event(rx, 'gone');
    lab.ip(`link del ${wire.a}`);
    const [error] = await gone;
    assert.ok(error instanceof NetringError);
    assert.equal(error.code, 'ENODEV');
    assert.equal((await rx.recv()).length, 1);
    await assert.rejects(rx.recv({ signal: AbortSignal.timeout(3000) }), { code: 'ENODEV' });
    const used = await idleCpu(500);
    assert.ok(used <= 3, `${used} % of a CPU`);
  });

  it('RX-08 a blocking reader gets the block that was being filled, then gone', async () => {
    const wire = await lab.wire();
    const rx = capture(lab, { interface: wire.a, blockTimeoutMs: 60 });
    await sendFrames(lab, wire.b, [frame('last words')]);
    lab.ip(`link del ${wire.a}`);
    assert.equal(rx.nextBatchBlocking(5000)?.length, 1);
    assert.throws(() => rx.nextBatchBlocking(5000), { code: 'ENODEV' });
    assert.equal(rx.cumulativeStats().packets, 1);
  });

  it('an overrun of rtnetlink under a blocked loop loses no state', async () => {
    const wire = await lab.wire();
    const rx = asyncCapture(lab, { interface: wire.a });
    const noise = Array.from({ length: 500 }, (_, i) => `link set lo mtu ${60_000 + i}`).join('\n');
    const down = event(rx, 'down');
    // Both block the loop until they are done.
    output('ip', ['-batch', '-'], { input: noise });
    lab.ip(`link set ${wire.a} down`);
    await down;
    const up = event(rx, 'up');
    output('ip', ['-batch', '-'], { input: noise });
    lab.ip(`link set ${wire.a} up`);
    await up;
    const again = event(rx, 'down');
    lab.ip(`link set ${wire.a} down`);
    await again;
    assert.equal(rx.linkUp, false);
  });

  it('RX-08 gone ends a blocking wait', async () => {
    const wire = await lab.wire();
    const rx = capture(lab, { interface: wire.a });
    lab.start('sh', ['-c', `sleep 0.3; ip link del ${wire.a}`]);
    assert.throws(() => rx.nextBatchBlocking(5000), { name: 'NetringError', code: 'ENODEV' });
  });

  it('RX-09 recreated under the same name it is another interface; opening again works', async () => {
    const wire = await lab.wire();
    const rx = asyncCapture(lab, { interface: wire.a });
    const gone = event(rx, 'gone');
    lab.ip(`link del ${wire.a}`);
    await gone;
    lab.ip(`link add ${wire.a} type veth peer name ${wire.b}`);
    for (const end of [wire.a, wire.b]) lab.ip(`link set ${end} addrgenmode none up`);
    await assert.rejects(rx.recv({ signal: AbortSignal.timeout(3000) }), { code: 'ENODEV' });
    const again = asyncCapture(lab, { interface: wire.a });
    await sendFrames(lab, wire.b, [frame('new')]);
    assert.equal((await collectPackets(again, 1)).length, 1);
  });

  it('RX-10 a rename changes the name and nothing else', async () => {
    const wire = await lab.wire();
    const rx = asyncCapture(lab, { interface: wire.a });
    const name = `${wire.a}r`.slice(0, 15);
    const down = event(rx, 'down');
    lab.ip(`link set ${wire.a} down`);
    await down;
    lab.ip(`link set ${wire.a} name ${name}`);
    const up = event(rx, 'up');
    lab.ip(`link set ${name} up`);
    lab.defer(() => lab.ip(`link del ${name}`));
    await up;
    await sendFrames(lab, wire.b, [frame('renamed')]);
    const batch = await rx.recv({ signal: AbortSignal.timeout(3000) });
    assert.equal(batch.interface, name);
    assert.equal(rx.interface, name);
  });

  it('no such interface, no memory taken', () => {
    const before = footprint().descriptors;
    const rings = ringMappings();
    assert.throws(() => Capture.open('nosuchif0'), {
      name: 'NetringError',
      kind: 'InterfaceNotFound',
      code: 'ENODEV',
      interface: 'nosuchif0',
      message: 'interface not found: nosuchif0',
    });
    assert.equal(ringMappings(), rings);
    assert.ok(footprint().descriptors <= before);
  });

  it('"any" is no interface here, and it is said what to do instead', () => {
    assert.throws(() => Capture.open('any'), { kind: 'InterfaceNotFound', hint: /^open each interface\n.*interfaces\(\)/ });
  });

  it('frames without a link-layer header are captured as raw IP', async () => {
    const name = `t${process.pid}`;
    lab.ip(`tuntap add ${name} mode tun`);
    lab.defer(() => lab.ip(`tuntap del ${name} mode tun`));
    const rx = asyncCapture(lab, { interface: name });
    assert.equal(rx.geometry.linkType, 65534);
    assert.equal(rx.linkUp, false);
  });
});
