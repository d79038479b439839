/** The metrics of a real Node-RED: who may read them, that they only grow over deploys, and the address that settings.js opens. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { MetricsFormat } from '@netring/node-red';
import { kernelCount, Lab } from '../support/lab';
import { nodeRedFolder, NodeRed, type NodeRedOptions } from '../support/node-red';
import { fallen, needsParser, scraped, seriesOf, type Scraped } from '../support/scrape';
import { until } from '../support/wait';
import { flood } from '../support/witness';
import { node, TAB } from '../support/flows';

const OPENMETRICS = 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5';

function passwordHash(password: string): string {
  const bcrypt = createRequire(join(nodeRedFolder(), 'package.json'))('bcryptjs') as {
    hashSync(text: string, rounds: number): string;
  };
  return bcrypt.hashSync(password, 4);
}

describe('metrics of Node-RED', function () {
  this.timeout(60_000);
  before(function () {
    needsParser(this);
  });
  const lab = new Lab();
  afterEach(() => lab.close());

  const start = (settings: NodeRedOptions['settings'], flow: NodeRedOptions['flow'] = []): Promise<NodeRed> =>
    NodeRed.start(lab, { flow, settings: { readOnly: true, ...settings } });
  const get = (red: NodeRed, path: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${red.url}${path}`, { headers, signal: AbortSignal.timeout(30_000) });

  async function scrape(red: NodeRed, path: string, format: MetricsFormat = 'openmetrics'): Promise<Scraped> {
    const response = await get(red, path, { Accept: format === 'openmetrics' ? OPENMETRICS : 'text/plain' });
    assert.equal(response.status, 200);
    return scraped(await response.text(), format).samples;
  }

  it('the admin route wants the permission netring.read', async () => {
    const users = [
      { username: 'reader', permissions: ['netring.read'] },
      { username: 'other', permissions: ['flows.read', 'netring.write'] },
      { username: 'all', permissions: '*' },
    ];
    const adminAuth = { type: 'credentials', users: users.map((user) => ({ ...user, password: passwordHash(`of ${user.username}`) })) };
    const red = await start({ adminAuth }, [TAB, node('cap', 'netring-capture-in', { interface: 'nowhere0' }, [], [])]);

    async function token(username: string, scope: string): Promise<Record<string, string>> {
      const body = { client_id: 'node-red-admin', grant_type: 'password', scope, username, password: `of ${username}` };
      const answer = await fetch(`${red.url}/auth/token`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      });
      const { access_token: access } = (await answer.json()) as { access_token: string };
      assert.ok(access, username);
      return { Authorization: `Bearer ${access}` };
    }

    assert.equal((await get(red, '/netring/metrics')).status, 401);
    assert.equal((await get(red, '/netring/metrics', { Authorization: 'Bearer wrong' })).status, 401);
    assert.equal((await get(red, '/netring/metrics', await token('other', 'flows.read'))).status, 401);
    for (const [name, scope] of [
      ['reader', 'netring.read'],
      ['all', '*'],
    ] as const) {
      const answer = await get(red, '/netring/metrics', await token(name, scope));
      assert.equal(answer.status, 200);
      assert.match(answer.headers.get('content-type')!, /^text\/plain; version=0\.0\.4/);
      scraped(await answer.text(), 'prometheus');
    }
    // Nothing is open that settings.js does not open.
    assert.equal((await get(red, '/metrics')).status, 404);
  });

  it('settings.js opens an address among the HTTP-in nodes; the numbers are those of the wire, and only grow over deploys', async () => {
    const adminAuth = { type: 'credentials', users: [{ username: 'all', password: passwordHash('of all'), permissions: '*' }] };
    const wire = await lab.wire();
    // Without adminAuth, for the deploys; the address is checked with it below.
    const red = await start({ httpNodeRoot: '/flows', httpAdminRoot: '/', netring: { metrics: { path: '/metrics' } } });
    assert.equal((await get(red, '/metrics')).status, 404);
    assert.equal((await get(red, '/flows/netring/metrics')).status, 404);
    const flow = [
      TAB,
      node('cap', 'netring-capture-in', { interface: wire.a, blockSize: 4096, blockCount: 8 }, ['nowhere'], []),
      node('nowhere', 'function', { func: 'return null;', outputs: 0 }),
    ];
    let before: Scraped = new Map();
    for (let round = 1; round <= 4; round++) {
      await red.deploy(flow);
      await red.status('cap', ({ fill }) => fill === 'green');
      const { sent } = await flood(lab, wire.b, { count: 5000 });
      const total = (samples: Scraped, name: string): number => samples.get(seriesOf(`netring_capture_${name}`, { iface: wire.a }))!;
      const now = await until(
        async () => [await scrape(red, '/flows/metrics')].find((samples) => total(samples, 'waiting') === 0),
        10_000,
        'an empty ring',
      );
      assert.equal(total(now, 'received_total'), round * sent);
      assert.equal(total(now, 'received_total'), kernelCount(wire.b).sent);
      assert.equal(total(now, 'packets_total') + total(now, 'drops_total') + total(now, 'shed_total'), round * sent);
      assert.equal(total(now, 'open'), 1);
      assert.deepEqual(fallen(before, now), []);
      before = now;
    }
    await red.deploy([TAB]);
    const after = await scrape(red, '/flows/metrics', 'prometheus');
    assert.deepEqual(fallen(before, after), []);
    assert.equal(after.get(seriesOf('netring_capture_open', { iface: wire.a })), 0);
    assert.deepEqual([...(await scrape(red, '/netring/metrics', 'prometheus'))], [...after]);

    const closed = await start({ adminAuth, httpNodeRoot: '/flows', netring: { metrics: { path: '/metrics' } } });
    assert.equal((await get(closed, '/netring/metrics')).status, 401);
    assert.equal((await get(closed, '/flows/metrics')).status, 200);
  });

  it('says what is wrong with the address', async () => {
    for (const path of ['metrics', '/metrics/:name', 7]) {
      const red = await start({ netring: { metrics: { path } } });
      await red.logs('netring.metrics.path in settings.js is');
      assert.equal((await get(red, '/metrics')).status, 404);
      await red.stop();
    }
  });
});
