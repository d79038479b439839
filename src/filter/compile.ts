/** tcpdump's filter language to classic BPF, without libpcap. */
import { ARPHRD_ETHER, ARPHRD_LOOPBACK, ARPHRD_NONE, isEthernet } from '../interfaces/link-types';
import { knownOptions, type NamesOf } from '../options/known-options';
import type { BpfInsn } from './instruction';
import { assemble } from './assemble';
import { buildGraph } from './build-graph';
import { TRUE } from './condition';
import { FilterError, SHORTER_HINT } from './filter-error';
import { canAccept } from './reachable';
import { Link } from './link';
import { parse } from './parser';
import { simplify } from './simplify';
import { FILTER_TARGETS, type FilterTarget } from './filter-target';
import { translate } from './translate';
import { ValueIds } from './value-ids';

/** What the kernel takes (BPF_MAXINSNS). */
const MAX_INSTRUCTIONS = 4096;

/** Tests of an expression up to which it is looked for a contradiction: more than people write, and little work. */
const WATCHED_TESTS = 512;

/** What a filter expression is compiled for. */
export interface CompileOptions {
  /**
   * What the program runs on. `socket` (default): packets of a live socket, whose outer VLAN tag the kernel has mostly taken out, so that `vlan` asks the
   * kernel before it looks into the frame. `file`: frames as they were on the wire; the meaning of `tcpdump -ddd -y EN10MB`. `xdp`: the same for an XDP
   * program, which cannot tell `inbound` from `outbound`: they are refused. `bridge`: as
   * `socket`, for a `Bridge`.
   */
  for?: FilterTarget;
  /** ARPHRD_* of the interface: 1 Ethernet (default), 772 loopback, 65534 raw IP. */
  linkType?: number;
}

const COMPILE_OPTIONS: NamesOf<CompileOptions> = { for: true, linkType: true };

/**
 * The program of an expression in tcpdump's language (pcap-filter(7)), at most 4096 instructions. It returns 262144 for a packet that matches and 0 for one that does
 * not; an empty expression matches all, and one that is found to match none is refused, as tcpdump does. Names are not looked up. Throws `FilterError`, whose `column` and `hint` say what to change.
 *
 * Throws TypeError for an expression that is no string, RangeError for another `for`, `NetringError` kind `Config` for an unknown option.
 *
 * @example Compiled once, for several captures
 * ```ts
 * import { Capture, compileFilter } from '@netring/node-red';
 *
 * const program = compileFilter('ether proto 0x88b5 or (tcp port 502 and not host 10.0.0.1)');
 * console.log(`${program.length} instructions`);
 * using capture = Capture.builder({ interface: 'eth0', profile: 'balanced' }).bpfFilter(program).build();
 * console.log(`${capture.nextBatchBlocking(1000)}`);
 * ```
 */
export function compileFilter(expression: string, options: CompileOptions = {}): BpfInsn[] {
  if (typeof expression !== 'string') throw new TypeError('the expression of a filter is a string');
  const { for: target = 'socket', linkType = ARPHRD_ETHER } = knownOptions(options, COMPILE_OPTIONS);
  if (!FILTER_TARGETS.includes(target))
    throw new RangeError(`a filter is for "socket", "file", "xdp" or "bridge", not ${JSON.stringify(target)}`);
  const node = parse(expression);
  const link = new Link(linkKind(linkType));
  const condition = node === null ? TRUE : translate(node, link, target);
  const ids = new ValueIds();
  const graph = buildGraph(condition, link.shifted, ids);
  const tests = simplify(graph);
  // As tcpdump does: nobody wants a capture that waits for ever.
  if (tests <= WATCHED_TESTS && !canAccept(graph))
    throw new FilterError(1, 'the expression matches no packet', 'its parts exclude each other');
  // Each is an instruction at least.
  if (tests > MAX_INSTRUCTIONS) throw tooLong(`more than ${tests}`);
  const program = assemble(graph, ids);
  if (program.length > MAX_INSTRUCTIONS) throw tooLong(`${program.length}`);
  return program;
}

function tooLong(instructions: string): FilterError {
  return new FilterError(1, `the expression takes ${instructions} instructions, the kernel takes ${MAX_INSTRUCTIONS}`, SHORTER_HINT);
}

function linkKind(linkType: number): 'ethernet' | 'raw' {
  if (isEthernet(linkType)) return 'ethernet';
  if (linkType === ARPHRD_NONE) return 'raw';
  throw new FilterError(
    1,
    `expressions are compiled for link types ${ARPHRD_ETHER} (Ethernet), ${ARPHRD_LOOPBACK} (loopback) and ${ARPHRD_NONE} (raw IP), not ${linkType}`,
    'compile it with "tcpdump -ddd" on that interface and give the text that it prints as the filter',
  );
}
