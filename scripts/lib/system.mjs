/** Programs of the system that the tests want. */
import { existsSync } from 'node:fs';
import { run, which } from './run.mjs';

/** Program, or the place of a library -> Debian packages. */
const WANTED = {
  'g++': 'build-essential',
  make: 'build-essential',
  python3: 'python3',
  objdump: 'binutils',
  ip: 'iproute2',
  unshare: 'util-linux',
  ps: 'procps',
  tcpdump: 'tcpdump',
  tshark: 'tshark',
  editcap: 'wireshark-common',
  capinfos: 'wireshark-common',
  iperf3: 'iperf3',
  ping: 'iputils-ping',
  ethtool: 'ethtool',
  bpftool: 'bpftool',
  curl: 'curl',
  // Text without a font has no size, and what has no size is not visible.
  chromium: 'chromium fonts-liberation',
  'clang-format': 'clang-format',
  'clang-tidy': 'clang-tidy',
  '/usr/lib/python3/dist-packages/prometheus_client': 'python3-prometheus-client',
};

export const missingPrograms = (programs) =>
  programs.filter((program) => (program.startsWith('/') ? !existsSync(program) : which(program) === null));

/** As root on Debian installs what is missing; elsewhere what needs it is skipped with its reason. */
export async function installPrograms() {
  const missing = missingPrograms(Object.keys(WANTED));
  if (missing.length === 0) return;
  const packages = [...new Set(missing.flatMap((program) => WANTED[program].split(' ')))];
  if (process.getuid() !== 0 || !existsSync('/etc/debian_version')) {
    console.log(`missing programs: ${missing.join(', ')} (Debian packages: ${packages.join(' ')})`);
    return;
  }
  console.log(`installing ${packages.join(' ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await run('apt-get', ['-qq', 'update'], { env, capture: true });
  await run('apt-get', ['-qq', 'install', '-y', '--no-install-recommends', ...packages], { env, capture: true });
}
