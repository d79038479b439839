import { strict as assert } from 'node:assert';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Lab } from '../support/lab';
import { root } from '../support/paths';
import { Child, output } from '../support/process';
import { until } from '../support/wait';
import { probe, type Verdict } from '../support/witness';

const sandbox = join(root, 'native', 'build', 'Release', 'netring-sandbox');
const inside = (script: string, ...args: string[]): string => output(sandbox, ['sh', '-c', script, 'sh', ...args]);

interface Link {
  ifname: string;
  flags: string[];
  addr_info: unknown[];
}

describe('the sandbox', () => {
  const lab = new Lab();
  after(() => lab.close());

  it('has lo and a cable without addresses, all up, and nothing else', () => {
    const links = JSON.parse(inside('ip -j address')) as Link[];
    assert.deepEqual(links.map((link) => link.ifname).sort(), ['lo', 'wire0', 'wire1']);
    for (const { ifname, flags, addr_info } of links) {
      assert.ok(flags.includes('UP') && flags.includes('LOWER_UP'), ifname);
      assert.equal(addr_info.length, ifname === 'lo' ? links.find((link) => link.ifname === 'lo')?.addr_info.length : 0);
    }
    assert.deepEqual(inside('ls /sys/class/net').trim().split('\n'), ['lo', 'wire0', 'wire1']);
  });

  it('carries frames from one end of the cable to the other', () => {
    const folder = mkdtempSync(join(tmpdir(), 'netring-sandbox-'));
    lab.defer(() => rmSync(folder, { recursive: true }));
    // The witness judges when its input ends.
    const verdict = inside(
      `mkfifo "$2/input"
       "$1" count wire1 1000 <"$2/input" 2>"$2/errors" &
       exec 3>"$2/input"
       until grep -q ready "$2/errors"; do kill -0 $! || exit 1; done
       "$1" flood wire0 1000 64 0 >&2
       exec 3>&-
       wait`,
      probe(),
      folder,
    );
    const { received, missing, changed } = JSON.parse(verdict) as Verdict;
    assert.deepEqual({ received, missing, changed }, { received: 1000, missing: 0, changed: 0 });
  });

  it('sends nothing by itself', () => {
    const folder = mkdtempSync(join(tmpdir(), 'netring-sandbox-'));
    lab.defer(() => rmSync(folder, { recursive: true }));
    const seen = inside(
      `tcpdump -i wire0 --immediate-mode -w "$1/file" -Z root 2>"$1/errors" &
       until grep -q 'listening on' "$1/errors"; do kill -0 $! || exit 1; sleep 0.01; done
       sleep 1.5
       kill $!
       wait
       wc -c <"$1/file"`,
      folder,
    );
    assert.equal(Number(seen), 24, 'a pcap file without a frame');
  });

  it('leaves the network it was started in alone', () => {
    const before = lab.ip('-j link');
    inside('true');
    assert.equal(lab.ip('-j link'), before);
  });

  it('passes the exit code on, and tells its own failures apart', async () => {
    assert.equal(await new Child(sandbox, ['sh', '-c', 'exit 7']).exitCode(), 7);
    assert.equal(await new Child(sandbox, ['/nonexistent/command']).exitCode(), 127);
    assert.equal(await new Child(sandbox, []).exitCode(), 125);
  });

  it('dies with the process that started it', async () => {
    const parent = lab.start('sh', ['-c', '"$1" sleep 1000 & echo $! >&2; wait', 'sh', sandbox]);
    const pid = Number(await until(() => /^\d+\n/.exec(parent.errors)?.[0], 5000, 'the pid of the sandbox'));
    const sleeps = (): boolean => readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'sleep';
    await until(sleeps, 5000, 'the command in the sandbox');
    await parent.stop('SIGKILL');
    await until(() => !existsSync(`/proc/${pid}`), 5000, 'the end of the sandbox');
  });

  it('works for a user who may not make network namespaces otherwise', function () {
    const links = output('setpriv', ['--bounding-set', '-sys_admin', '--inh-caps', '-sys_admin', sandbox, 'ls', '/sys/class/net']);
    assert.deepEqual(links.trim().split('\n'), ['lo', 'wire0', 'wire1']);
  });

  it('names the remedy where the host forbids namespaces', async () => {
    const refused = lab.start('unshare', [
      ...['--user', '--map-root-user', 'sh', '-c'],
      'echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --bounding-set -sys_admin --inh-caps -sys_admin "$1" true',
      ...['sh', sandbox],
    ]);
    assert.equal(await refused.exitCode(), 125);
    assert.match(
      refused.errors,
      /netring-sandbox: unshare\(CLONE_NEWUSER\): No space left on device\n.*\n {2}sudo sysctl -w user\.max_user_namespaces/s,
    );
  });
});
