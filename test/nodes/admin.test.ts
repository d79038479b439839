/** The routes that the panels ask. */
import assert from 'node:assert/strict';
import { registerAdminRoutes } from '../../nodes/runtime/admin';
import { Lab } from '../support/lab';
import { output } from '../support/process';
import { load, request, useFlows } from './flow';

describe('admin routes', () => {
  const lab = new Lab();
  after(() => lab.close());
  useFlows();

  it('lists the interfaces of the namespace', async () => {
    const { a, b } = await lab.wire({ mtu: 1400 });
    lab.ip(`link set ${b} down`);
    await load('netring-capture-in', { interface: b });
    const { status, type, body } = await request().get('/netring/interfaces');
    assert.deepEqual([status, type], [200, 'application/json']);
    const list = body as Record<string, unknown>[];
    assert.deepEqual(list.map(({ name }) => name).sort(), [a, b, 'lo'].sort());
    const entry = list.find(({ name }) => name === a)!;
    assert.deepEqual([entry['mtu'], entry['up'], entry['loopback'], entry['defaultRoute']], [1400, false, false, false]);
    assert.match(String(entry['address']), /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
    assert.equal(list.find(({ name }) => name === 'lo')!['loopback'], true);
  });

  it('checks filters', async () => {
    await load('netring-inject-out', { interface: 'x' });
    const ask = async (body: object): Promise<unknown> => (await request().post('/netring/filter').send(body)).body;
    const program = output('tcpdump', ['-ddd', '-y', 'EN10MB', 'tcp port 502']);
    const accepted = (await ask({ expression: program })) as { ok: boolean; instructions: unknown[] };
    assert.equal(accepted.ok, true);
    assert.equal(accepted.instructions.length, Number(program.split('\n')[0]));
    assert.deepEqual(await ask({ expression: '' }), { ok: true, instructions: [] });
    for (const expression of ['1\n6 0 0', 'what is this', 7, undefined, null, {}]) {
      const refused = (await ask({ expression })) as { ok: boolean; error: { message: string; column: number } };
      assert.equal(refused.ok, false);
      assert.ok(refused.error.message.length > 0 && Number.isInteger(refused.error.column));
    }
  });

  it('are registered once for each application, behind permissions', () => {
    const routes: string[] = [];
    const httpAdmin = { get: (path: string) => routes.push(`get ${path}`), post: (path: string) => routes.push(`post ${path}`) };
    const asked: string[] = [];
    const auth = { needsPermission: (permission: string) => (asked.push(permission), () => undefined) };
    registerAdminRoutes({ httpAdmin, auth });
    registerAdminRoutes({ httpAdmin, auth });
    assert.deepEqual(routes, ['get /netring/interfaces', 'post /netring/filter']);
    assert.deepEqual(asked, ['netring.read', 'netring.write', 'netring.write']);
  });
});
