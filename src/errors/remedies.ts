/**
 * What helps against a failure, for where the process runs. The same refusal needs a unit file under systemd, an option of `docker run` in a
 * container and a file capability in a shell; a text that names all of them helps nobody.
 */
import { existsSync, readFileSync } from 'node:fs';

export type EnvironmentKind = 'home-assistant' | 'kubernetes' | 'docker' | 'systemd' | 'shell';
export type Capability = 'NET_RAW' | 'NET_ADMIN' | 'SYS_ADMIN' | 'IPC_LOCK' | 'BPF' | 'PERFMON';

/** What tells where the process runs; replaceable for tests. */
export interface EnvironmentSources {
  env: NodeJS.ProcessEnv;
  exists: (path: string) => boolean;
  /** The text of a file, empty when it cannot be read. */
  read: (path: string) => string;
}

/** What the texts depend on. */
export interface EnvironmentFacts {
  kind: EnvironmentKind;
  /** The systemd unit, empty outside of one. */
  unit: string;
  /** Effective and bounding capability sets as bit masks. */
  effective: bigint;
  bounding: bigint;
  /** Capabilities of files are ignored. */
  noNewPrivileges: boolean;
  /** The Node.js binary. */
  executable: string;
  /** Bytes that the filters of a socket may take (net.core.optmem_max, optmem of socket(7)); 0 when it cannot be read. */
  filterBytes: number;
}

/** Bits of the sets in /proc/self/status, linux/capability.h. */
const CAPABILITY_BIT: Readonly<Record<Capability, bigint>> = {
  NET_ADMIN: 12n,
  NET_RAW: 13n,
  IPC_LOCK: 14n,
  SYS_ADMIN: 21n,
  PERFMON: 38n,
  BPF: 39n,
};

const THIS_PROCESS: EnvironmentSources = {
  env: process.env,
  exists: existsSync,
  read: (path) => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return '';
    }
  },
};

/** Where the process runs. Variables, marker files and the cgroup decide, the most specific first. */
export function environmentKind(sources: EnvironmentSources = THIS_PROCESS): EnvironmentKind {
  const { env, exists } = sources;
  if (env['SUPERVISOR_TOKEN'] !== undefined) return 'home-assistant';
  if (env['KUBERNETES_SERVICE_HOST'] !== undefined) return 'kubernetes';
  if (exists('/.dockerenv') || exists('/run/.containerenv')) return 'docker';
  return systemdUnit(sources) === '' ? 'shell' : 'systemd';
}

/**
 * The system service that the process belongs to. INVOCATION_ID alone says too little: terminals of a desktop session inherit it from the
 * user's service manager, which has no capabilities to give.
 */
function systemdUnit({ env, read }: EnvironmentSources): string {
  if (env['INVOCATION_ID'] === undefined) return '';
  return /\/system\.slice\/(?:.*\/)?([^/\n]+\.service)$/m.exec(read('/proc/self/cgroup'))?.[1] ?? '';
}

/** The facts of this process. A capability set that cannot be read counts as empty, the bounding set as full. */
export function environmentFacts(sources: EnvironmentSources = THIS_PROCESS): EnvironmentFacts {
  const status = sources.read('/proc/self/status');
  const field = (name: string): string | undefined => new RegExp(`^${name}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1];
  return {
    kind: environmentKind(sources),
    unit: systemdUnit(sources),
    effective: BigInt(`0x${field('CapEff') ?? '0'}`),
    bounding: BigInt(`0x${field('CapBnd') ?? 'ffffffffffffffff'}`),
    noNewPrivileges: field('NoNewPrivs') === '1',
    executable: process.execPath,
    filterBytes: Number(sources.read('/proc/sys/net/core/optmem_max')),
  };
}

/** Steps that CAP_NET_RAW is not enough for. */
const NEEDS_NET_ADMIN: ReadonlySet<string> = new Set(['SO_RCVBUFFORCE', 'SO_BUSY_POLL', 'SO_PREFER_BUSY_POLL', 'SO_BUSY_POLL_BUDGET']);
const RING_STEPS: ReadonlySet<string> = new Set(['PACKET_RX_RING', 'PACKET_TX_RING', 'mmap']);

/**
 * The remedy for a failed step: a first line short enough for a node's status, details on the lines after it; empty when there is nothing to
 * say. `code` is the errno's name, `step` the system call or socket option that failed.
 */
export function remedyFor(code: string, step: string, facts?: EnvironmentFacts): string {
  switch (code) {
    case 'EPERM':
    case 'EACCES':
      if (step === 'socket' || NEEDS_NET_ADMIN.has(step))
        return permission(NEEDS_NET_ADMIN.has(step) ? 'NET_ADMIN' : 'NET_RAW', facts ?? environmentFacts());
      if (step === 'setns') return permission('SYS_ADMIN', facts ?? environmentFacts());
      if (step.startsWith('BPF_') && code === 'EPERM') return permission('BPF', facts ?? environmentFacts());
      // The verifier's word for a program whose pointers it lets only the privileged move.
      if (step === 'BPF_PROG_LOAD')
        return mayMovePointers(facts ?? environmentFacts()) ? '' : permission('PERFMON', facts ?? environmentFacts());
      if (step === 'netns')
        return "no access to the network namespace\nThat of another user's process needs CAP_SYS_PTRACE; a name does not (ip netns attach <name> <pid>).";
      return PROGRAM_REMEDIES[`${code} ${step}`] ?? '';
    case 'ENOENT':
      if (step !== 'netns') return PROGRAM_REMEDIES[`${code} ${step}`] ?? '';
      return 'no such network namespace\nip netns list tells the names; a process id is that of a running process in it; a container has its namespace as a path or as that of its first process.';
    case 'EAFNOSUPPORT':
      return addressFamily(step, facts ?? environmentFacts());
    case 'ENOMEM':
      return step === 'SO_ATTACH_FILTER' ? filterMemory(facts ?? environmentFacts()) : memory(step);
    case 'ENOBUFS':
      if (step === 'XDP_UMEM_REG') return lockedMemory(facts ?? environmentFacts());
      return step.startsWith('send')
        ? 'the send queue is full\nSend more slowly, or lengthen the queue of the interface: ip link set <name> txqueuelen 10000'
        : '';
    case 'EINVAL':
      if (step !== 'PACKET_FANOUT') return PROGRAM_REMEDIES[`${code} ${step}`] ?? '';
      return 'use another fanoutGroup\nA group has one mode and one set of flags, and belongs to one interface; another socket has it already.';
    case 'ENOSPC':
      if (step !== 'PACKET_FANOUT') return PROGRAM_REMEDIES[`${code} ${step}`] ?? '';
      return 'use another fanoutGroup\nThe group has as many members as the kernel allows.';
    case 'EMFILE':
      return 'raise the limit of open files\nPlain shell: ulimit -n 4096; systemd: LimitNOFILE=4096 in the unit.';
    default:
      return PROGRAM_REMEDIES[`${code} ${step}`] ?? '';
  }
}

const FOREIGN_PROGRAM =
  'another XDP program is attached\nIt is left alone; ip link show and bpftool net tell whose it is (netring_xdp: another process, or another thread, with a socket of ours; queueId all in one of them may do). Detach it, or let it redirect to this socket: attach none ' +
  'with the mapPin of its XSKMAP.';

const SOCKET_FILTER_WANTED =
  'load the program as a socket filter\nbpftool prog load FILE PATH type socket; bpftool prog show tells the type of one that is loaded. A map or a link is no program.';
const DESCRIPTOR_WANTED =
  'give the descriptor of a program\nIt must be open in this process; the path that a program is pinned to does as well.';

/** By errno, of which EOPNOTSUPP is ENOTSUP in Node.js, and step. */
const PROGRAM_REMEDIES: Readonly<Record<string, string>> = {
  'EBUSY bind':
    'another socket is bound to this queue\nA queue belongs to one AF_XDP socket: close the other one (ss --xdp -p tells whose it is). On another queue sockets of one process work beside each other with the same filter. ' +
    'After a close the kernel needs a moment to free the queue.',
  'ENOTSUP bind': 'use bindMode auto or copy\nThe driver of this interface, or this queue of it, has no zero-copy.',
  'EBUSY BPF_LINK_CREATE': FOREIGN_PROGRAM,
  'EEXIST BPF_LINK_CREATE': FOREIGN_PROGRAM,
  'ERANGE BPF_LINK_CREATE':
    'lower the MTU of the interface\nOn a veth that of its other end counts, too. The driver runs XDP programs only while a frame fits into one page, about 3500 bytes. attach skb has no such limit, but frames ' +
    'longer than a chunk are dropped.',
  'ENOSPC BPF_LINK_CREATE':
    'use attach auto or skb\nThe driver has too few queues for an XDP program; a veth needs as many receive queues as its other end has send queues ' +
    '(ip link add ... numrxqueues 4).',
  'ENOLINK BPF_LINK_UPDATE': 'open the socket again\nAnother tool has taken its program off the interface.',
  'ENOTSUP BPF_LINK_CREATE': 'use attach auto or skb\nThe driver of this interface runs no XDP programs.',
  'ENOENT BPF_OBJ_GET':
    'nothing is pinned at mapPin\nPin the XSKMAP of your program there first: bpftool map pin id <id> <path>, below /sys/fs/bpf.',
  'EACCES BPF_OBJ_GET':
    'no access to mapPin\nThe user of this process may not open it: see the permissions of the file and of its folders.',
  'EINVAL BPF_OBJ_GET':
    'mapPin is no XSKMAP\nAnother kind of map, a program or a link is pinned there: bpftool map show pinned <path> tells.',
  'ENOENT BPF_OBJ_GET of a program':
    'nothing is pinned at the path\nLoad and pin a program there first: bpftool prog load FILE PATH type socket, with a path below /sys/fs/bpf.',
  'EACCES BPF_OBJ_GET of a program':
    'the path cannot be opened\nIt is no object of BPF, or the user of this process may not open it: see the permissions of the file and of its folders.',
  'EINVAL SO_ATTACH_BPF': SOCKET_FILTER_WANTED,
  'EBADF SO_ATTACH_BPF': DESCRIPTOR_WANTED,
  'EPERM SO_ATTACH_BPF': 'the filter is locked\nSomebody has set SO_LOCK_FILTER on this socket: open a new one.',
  'EINVAL PACKET_FANOUT_DATA': SOCKET_FILTER_WANTED,
  'EBADF PACKET_FANOUT_DATA': DESCRIPTOR_WANTED,
  'E2BIG BPF_MAP_UPDATE_ELEM': 'the map of mapPin is too small\nIt has one place for each queue from 0 on: raise its max_entries.',
};

/** An AF_XDP socket's memory counts as locked memory of its user; CAP_IPC_LOCK lifts the limit. */
function lockedMemory({ kind, unit, executable }: EnvironmentFacts): string {
  const where: Readonly<Record<EnvironmentKind, string>> = {
    systemd: dropIn(unit, ['LimitMEMLOCK=infinity']),
    docker: 'Docker: docker run --ulimit memlock=-1 ..., or --cap-add IPC_LOCK for a container that runs as root.',
    kubernetes: 'Kubernetes: securityContext: { runAsUser: 0, capabilities: { add: [IPC_LOCK] } }',
    'home-assistant': 'Home Assistant: use an add-on whose "privileged" list has IPC_LOCK, or run Node-RED outside of it.',
    shell: `Shell: ulimit -l unlimited as root before the start, or sudo setcap ${fileCapabilities('IPC_LOCK')} ${executable}`,
  };
  return `raise the limit of locked memory\n${where[kind]}\nOr lower frameCount, or frameSize to 2048.`;
}

function memory(step: string): string {
  if (RING_STEPS.has(step))
    return 'use a smaller ring\nLower blockCount or blockSize (frameCount when sending), or take the profile low-memory: the kernel has no room for this ring.';
  if (step === 'XDP_UMEM_REG') return 'use a smaller frameCount\nThe kernel has no room for this many frames.';
  return '';
}

/** The kernel reckons with what a program becomes in it, 30 to 50 bytes an instruction, and with the old one until the new one has its place. */
function filterMemory({ filterBytes }: EnvironmentFacts): string {
  const now = filterBytes === 0 ? '' : ` (${filterBytes} in the network namespace of this process)`;
  return (
    `the filter is too long for the kernel\nThe filters of a socket may take net.core.optmem_max bytes${now}, the old and the new one together while they are swapped. ` +
    `In the network namespace of the interface: sysctl net.core.optmem_max=${Math.max(1 << 20, 4 * filterBytes)}. A protocol before a list, udp and (...), makes it shorter.`
  );
}

/** Steps that open a socket, and of which family; `AF_XDP` is what openers of such sockets ask by. */
const ADDRESS_FAMILIES: Readonly<Record<string, string>> = { socket: 'AF_PACKET', netlink: 'AF_NETLINK', AF_XDP: 'AF_XDP' };

function addressFamily(step: string, { kind, unit }: EnvironmentFacts): string {
  const family = ADDRESS_FAMILIES[step];
  if (family === undefined) return '';
  if (kind !== 'systemd') return `${family} sockets are not available\nThe kernel was built without them, or a sandbox refuses them.`;
  return `${family} is refused\n${dropIn(unit, [`RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_PACKET AF_NETLINK${family === 'AF_XDP' ? ' AF_XDP' : ''}`])}`;
}

const mayMovePointers = ({ effective }: EnvironmentFacts): boolean =>
  (effective & ((1n << CAPABILITY_BIT.PERFMON) | (1n << CAPABILITY_BIT.SYS_ADMIN))) !== 0n;

function permission(capability: Capability, facts: EnvironmentFacts): string {
  return [
    `needs ${missing(capability)
      .map((name) => `CAP_${name}`)
      .join(' and ')}`,
    ...details(capability, facts),
  ].join('\n');
}

function details(capability: Capability, facts: EnvironmentFacts): string[] {
  const bits = missing(capability).reduce((mask, name) => mask | (1n << CAPABILITY_BIT[name]), 0n);
  // A capability counts only towards a network namespace that the process's own user namespace owns.
  if ((facts.effective & bits) === bits)
    return [
      `The process has it and was refused all the same: it runs in a user namespace that does not own the network (rootless container),`,
      'or a seccomp, AppArmor or SELinux profile forbids it.',
      ...(capability === 'BPF' ? ['Before Linux 5.11 it may also be that the limit of locked memory (ulimit -l) is too low.'] : []),
    ];
  const bounded = (facts.bounding & bits) !== bits;
  switch (facts.kind) {
    case 'systemd':
      return [
        dropIn(facts.unit, [
          `AmbientCapabilities=${ambient(capability)}`,
          ...(bounded ? [`CapabilityBoundingSet=${ambient(capability)}`] : []),
        ]),
      ];
    case 'docker':
      return docker(capability, bounded, facts.noNewPrivileges);
    case 'kubernetes':
      return [
        'Kubernetes: in the pod, hostNetwork: true and',
        `  securityContext: { runAsUser: 0, capabilities: { add: [${granted(capability)}] } }`,
      ];
    case 'home-assistant':
      return [
        `Home Assistant: what an add-on may do is fixed by its config.yaml. Use one whose "privileged" list has ${missing(capability).join(', ')} and that has`,
        '"host_network: true", or run Node-RED outside of it.',
      ];
    case 'shell':
      return shell(capability, bounded, facts);
  }
}

/** What a refusal is about: loading a program takes two capabilities. */
const missing = (capability: Capability): Capability[] => (capability === 'BPF' ? ['BPF', 'NET_ADMIN'] : [capability]);

const NEEDED: Readonly<Record<Capability, readonly Capability[]>> = {
  NET_RAW: ['NET_RAW'],
  // All that the others are asked for beside needs a socket as well.
  NET_ADMIN: ['NET_RAW', 'NET_ADMIN'],
  // To enter a network namespace, and to open a socket in it.
  SYS_ADMIN: ['NET_RAW', 'SYS_ADMIN'],
  // A filter that looks behind a header of variable length wants the last one.
  BPF: ['NET_RAW', 'NET_ADMIN', 'BPF', 'PERFMON'],
  PERFMON: ['NET_RAW', 'NET_ADMIN', 'BPF', 'PERFMON'],
  IPC_LOCK: ['NET_RAW', 'NET_ADMIN', 'BPF', 'PERFMON', 'IPC_LOCK'],
};
const needed = (capability: Capability): readonly Capability[] => NEEDED[capability];
const ambient = (capability: Capability): string =>
  needed(capability)
    .map((name) => `CAP_${name}`)
    .join(' ');
const granted = (capability: Capability): string => needed(capability).join(', ');
const fileCapabilities = (capability: Capability): string =>
  `${needed(capability)
    .map((name) => `cap_${name.toLowerCase()}`)
    .join(',')}+ep`;

function dropIn(unit: string, lines: readonly string[]): string {
  return [
    `systemd: sudo systemctl edit ${unit}, add`,
    '  [Service]',
    ...lines.map((line) => `  ${line}`),
    `then sudo systemctl restart ${unit}`,
  ].join('\n');
}

function docker(capability: Capability, bounded: boolean, noNewPrivileges: boolean): string[] {
  // NET_RAW is in Docker's default set, but a user other than root has none of it in effect.
  const add = bounded
    ? missing(capability)
        .map((name) => ` --cap-add ${name}`)
        .join('')
    : '';
  const image = noNewPrivileges
    ? ['(A derived image with setcap does not help here: the container runs with no-new-privileges.)']
    : [
        `or keep its user, with a derived image${bounded ? ` (and still${add}, else Node.js cannot start)` : ''}:`,
        '  FROM nodered/node-red:latest',
        '  USER root',
        `  RUN apk add --no-cache libcap && setcap ${fileCapabilities(capability)} "$(readlink -f "$(which node)")"`,
        '  USER node-red',
      ];
  return [`Docker: docker run --network host --user root${add} ...`, ...image];
}

function shell(capability: Capability, bounded: boolean, { noNewPrivileges, executable }: EnvironmentFacts): string[] {
  if (noNewPrivileges || bounded)
    return [
      `Started in a sandbox that takes capabilities away (${noNewPrivileges ? 'no_new_privs' : 'bounding set'}): start it outside, or as root.`,
    ];
  return [
    `Shell: sudo setcap ${fileCapabilities(capability)} ${executable}`,
    'and start it again. Every script run by this Node.js then has the capability, and Node.js ignores NODE_OPTIONS, NODE_PATH and',
    'NODE_EXTRA_CA_CERTS; a systemd service with AmbientCapabilities has neither drawback.',
  ];
}
