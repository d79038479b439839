/** A private network and mount namespace for a command, so that no test ever touches the machine's network. */
import { output } from './run.mjs';

const root = process.getuid() === 0;
const flags = [...(root ? [] : ['--user', '--map-root-user']), '--net', '--mount'];

// The mounted sysfs shows the namespace it was mounted in, so /sys/class/net of the machine must be covered.
const prepare = `mount -t sysfs sysfs /sys 2>/dev/null || echo "note: /sys still shows the machine's interfaces" >&2
ip link set lo up
NETRING_TEST_NAMESPACE=$(readlink /proc/self/ns/net) exec "$@"`;

/** The command line that runs a command in a private namespace. */
export const isolated = (command, args) => ['unshare', [...flags, '--', 'sh', '-c', prepare, 'sh', command, ...args]];

/** Why there can be no private namespace here, or null. */
export function namespaceObstacle() {
  if (output('unshare', [...flags, 'true'], { stdio: 'ignore' }) !== null) return null;
  return root
    ? 'this root may not make namespaces (Docker: add --cap-add SYS_ADMIN --security-opt seccomp=unconfined)'
    : 'this user may not make namespaces (sysctl kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu, or run as root)';
}
