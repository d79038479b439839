/** Errors of the library: one class, whose `kind` is netring's and whose `code` is Node's. */
import { getSystemErrorName } from 'node:util';
import { remedyFor } from './remedies';

/**
 * The variants of netring's `Error`.
 *
 * - `Config`: a bad option, or options that do not go together; `option` names it. Nothing was opened.
 * - `PermissionDenied`: a capability is missing; `hint` says how to give it.
 * - `InterfaceNotFound`: no such interface, or no such network namespace.
 * - `Socket`, `Mmap`, `Bind`, `SockOpt`: the system call that the kernel refused while opening; `code` is the errno's name.
 * - `Io`: all later failures: `ECANCELED` after `close`, `ETIMEDOUT`, `ENETDOWN` without a link, `ENODEV` when the interface is gone.
 */
export type ErrorKind = 'PermissionDenied' | 'InterfaceNotFound' | 'Config' | 'Socket' | 'Mmap' | 'Bind' | 'SockOpt' | 'Io';

/** What a `NetringError` is made of besides its kind and message. */
export interface ErrorDetails {
  /** Node's name of the errno (`EPERM`), or a code of Node's own. */
  code?: string;
  /** The kernel's number of the error. */
  errno?: number;
  /** The system call that failed. */
  syscall?: string;
  /** The socket option (`PACKET_RX_RING`) or the builder's option (`blockSize`) that was refused. */
  option?: string;
  /** Name of the interface. */
  interface?: string;
  /** The remedy for where the process runs. */
  hint?: string;
  /** The error behind this one. */
  cause?: unknown;
}

/** What the addon knows of a failure: the errno and the step at which it happened. */
export interface NativeFailure {
  errno: number;
  /** A system call (`socket`, `mmap`, `bind`, `poll`), or the name of a socket option, of a command of bpf(2) or of an option. */
  step: string;
  interface: string;
  /** What the kernel has said besides, or the network namespace that was asked for; empty when there is neither. */
  detail?: string;
}

/**
 * Every failure that is not a wrong argument; that one is a TypeError or a RangeError. The message names the thing, the value and the rule.
 *
 * @example Tells the remedy instead of the errno
 * ```ts
 * import { Capture, NetringError } from '@netring/node-red';
 *
 * try {
 *   using capture = Capture.open('eth9');
 * } catch (error) {
 *   if (!(error instanceof NetringError)) throw error;
 *   console.log(error.kind, error.code, error.interface, error.hint); // InterfaceNotFound ENODEV eth9
 * }
 * ```
 */
export class NetringError extends Error {
  /** `NetringError`, of a `FilterError` too. */
  override readonly name = 'NetringError';
  /** Which of netring's variants it is. */
  readonly kind: ErrorKind;
  /** Node.js's name of the errno (`EPERM`), a code such as `ERR_TRUNCATED_FILE`, or `ERR_NETRING`. */
  readonly code: string;
  /** The kernel's number of the error; undefined when it does not come from the kernel. */
  readonly errno: number | undefined;
  /** The system call that failed. */
  readonly syscall: string | undefined;
  /** The option of a builder (`blockSize`) or of the socket (`PACKET_RX_RING`) that was refused. */
  readonly option: string | undefined;
  /** Name of the interface. */
  readonly interface: string | undefined;
  /** The remedy for where the process runs (systemd, Docker, Home Assistant, a shell); empty when none is known. */
  readonly hint: string;

  /** For errors of your own that are to look like these. `code` is `ERR_NETRING` when `details` have neither a code nor an errno. */
  constructor(kind: ErrorKind, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.kind = kind;
    this.code = details.code ?? (details.errno === undefined ? 'ERR_NETRING' : errnoName(details.errno));
    this.errno = details.errno;
    this.syscall = details.syscall;
    this.option = details.option;
    this.interface = details.interface;
    this.hint = details.hint ?? '';
  }

  /** An invalid option or combination of options. The message names the option, the value and the rule. */
  static config(message: string, option?: string, code = 'EINVAL'): NetringError {
    return new NetringError('Config', `invalid configuration: ${message}`, {
      code,
      ...(option === undefined ? {} : { option }),
    });
  }

  /** A failed wait or transfer. */
  static io(
    code: 'EALREADY' | 'ECANCELED' | 'ETIMEDOUT' | 'ENETDOWN' | 'ENXIO' | 'ENODEV',
    message: string,
    interfaceName?: string,
  ): NetringError {
    return new NetringError('Io', message, { code, ...(interfaceName === undefined ? {} : { interface: interfaceName }) });
  }

  /** @internal */
  static fromNative({ errno, step, interface: interfaceName, detail = '' }: NativeFailure): NetringError {
    const code = errnoName(errno);
    const hint = remedyFor(code, step);
    const isOption = /^(SO|PACKET|XDP)_/.test(step);
    const said = detail === '' ? '' : ` (${detail})`;
    const details: ErrorDetails = { code, errno, interface: interfaceName, hint, ...(isOption ? { option: step } : { syscall: step }) };
    if (step === 'netns' || step === 'setns') return namespaceError(step, code, detail, details);
    if (step === 'if_nametoindex') {
      const inside = detail === '' ? '' : ` in the network namespace ${detail}`;
      return new NetringError('InterfaceNotFound', `interface not found: ${interfaceName}${inside}`, {
        ...details,
        hint: interfaceName === 'any' ? ANY_INTERFACE : hint,
      });
    }
    if (step === 'socket' && (code === 'EPERM' || code === 'EACCES'))
      return new NetringError('PermissionDenied', 'insufficient privileges (need CAP_NET_RAW)', details);
    const where = interfaceName === '' ? '' : ` on ${interfaceName}`;
    if (step === PINNED_PROGRAM) return pinnedError(code, where, said, { ...details, syscall: 'BPF_OBJ_GET' });
    if (step.startsWith('BPF_')) return programError(step, code, where, said, details);
    const shared = SHARED_PROGRAM[step];
    if (shared !== undefined)
      return NetringError.config(
        `${shared} is not that of the XDP program which another socket of this process has attached${where}: they share one program`,
        shared,
        'ERR_XDP_SHARED',
      );
    if (step === 'queueId') return NetringError.config(`queueId is no queue that ${interfaceName} can send on`, step);
    if (step === ANCILLARY_LOAD)
      return NetringError.config('filter has a load of ancillary data that a program for XDP cannot do', 'filter');
    if (step === 'socket') return new NetringError('Socket', `socket creation failed: ${code}`, details);
    if (step === 'mmap') return new NetringError('Mmap', `mmap of the ring failed${where}: ${code}`, details);
    if (step === 'bind') return new NetringError('Bind', `bind failed${where}: ${code}`, details);
    if (isOption) return new NetringError('SockOpt', `setsockopt(${step}) failed${where}: ${code}${said}`, details);
    return new NetringError('Io', `${step} failed${where}: ${code}`, details);
  }
}

/** A ring of all interfaces is tcpdump's `any`. */
const ANY_INTERFACE =
  'open each interface\nA capture is bound to one, as its link type and its counters are; interfaces() tells which there are.';

/** Why a network namespace could not be entered. */
function namespaceError(step: string, code: string, netns: string, details: ErrorDetails): NetringError {
  if (code === 'ENOENT') return new NetringError('InterfaceNotFound', `network namespace not found: ${netns}`, details);
  if (code === 'EINVAL') return NetringError.config(`netns ${JSON.stringify(netns)} is no network namespace`, 'netns');
  if (code === 'EACCES') return new NetringError('PermissionDenied', `no access to the network namespace ${netns}`, details);
  if (code === 'EPERM')
    return new NetringError(
      'PermissionDenied',
      `insufficient privileges (need CAP_SYS_ADMIN to enter the network namespace ${netns})`,
      details,
    );
  return new NetringError('Io', `${step} failed for the network namespace ${netns}: ${code}`, details);
}

/** What the native core calls an instruction that looks at more than the frame; `programProblem` has refused it before, with its place. */
const ANCILLARY_LOAD = 'ancillary load in a filter for XDP';

/** What the native core calls the ways in which a socket does not fit the program that is on the interface for another one. */
const SHARED_PROGRAM: Readonly<Record<string, string>> = {
  'filter of the shared program': 'filter',
  'mode of the shared program': 'attach',
};

/** What the native core calls opening a program for a packet socket, which is no business of an XDP socket's. */
const PINNED_PROGRAM = 'BPF_OBJ_GET of a program';

function pinnedError(code: string, where: string, said: string, details: ErrorDetails): NetringError {
  if (code === 'EPERM')
    return new NetringError(
      'PermissionDenied',
      `insufficient privileges (need CAP_BPF to open a pinned program before Linux 5.19)${said}`,
      details,
    );
  return new NetringError('Io', `bpf(BPF_OBJ_GET) failed${where}: ${code}${said}`, details);
}

/** A refusal of what redirects frames to AF_XDP sockets: the program, its map, the link that attaches it. */
function programError(step: string, code: string, where: string, said: string, details: ErrorDetails): NetringError {
  // A program that the verifier refuses gets EACCES, and so does a file that the user may not open.
  if (code === 'EPERM') return new NetringError('PermissionDenied', 'insufficient privileges (need CAP_BPF and CAP_NET_ADMIN)', details);
  if (code === 'EACCES' && details.hint?.startsWith('needs CAP_'))
    return new NetringError('PermissionDenied', `insufficient privileges (need CAP_PERFMON for this filter)${said}`, details);
  if (step !== 'BPF_LINK_CREATE') return new NetringError('Io', `bpf(${step}) failed${where}: ${code}${said}`, details);
  if (code === 'EBUSY' || code === 'EEXIST')
    return new NetringError('Bind', `another XDP program is attached${where}: ${code}${said}`, details);
  return new NetringError('Bind', `attaching the XDP program failed${where}: ${code}${said}`, details);
}

function errnoName(errno: number): string {
  try {
    return getSystemErrorName(-Math.abs(errno));
  } catch {
    return `errno ${errno}`;
  }
}
