/** Arithmetic and the relations between its results. A load asks first whether its protocol is there. */
import { all, equals, FALSE, not, test, TRUE, type Condition, type Size, type Value } from './condition';
import { FilterError } from './filter-error';
import { ETHERTYPE, type Link } from './link';
import {
  BPF_ADD,
  BPF_AND,
  BPF_DIV,
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_LSH,
  BPF_MOD,
  BPF_MUL,
  BPF_OR,
  BPF_RSH,
  BPF_SUB,
  BPF_XOR,
} from './opcodes';
import { isFirstFragment } from './ports';
import { carries, ipv4Carries, isProtocol } from './protocols';
import { type Arithmetic } from './syntax';
import { calculated, negated, number } from './value';

const OPERATIONS: Readonly<Record<string, number>> = {
  '+': BPF_ADD,
  '-': BPF_SUB,
  '*': BPF_MUL,
  '/': BPF_DIV,
  '%': BPF_MOD,
  '&': BPF_AND,
  '|': BPF_OR,
  '^': BPF_XOR,
  '<<': BPF_LSH,
  '>>': BPF_RSH,
};

const IPV6_HEADER = 40;
const ICMPV6 = 58;

/** A value, and what has to hold before it can be taken. */
interface Guarded {
  value: Value;
  guards: readonly Condition[];
}

export function relation(link: Link, sign: string, left: Arithmetic, right: Arithmetic): Condition {
  const a = guarded(link, left);
  const b = guarded(link, right);
  return all(...a.guards, ...b.guards, compared(sign, a.value, b.value));
}

/** `a SIGN b`, unsigned. */
export function compared(sign: string, a: Value, b: Value): Condition {
  switch (sign) {
    case '=':
      return jump(BPF_JEQ, a, b);
    case '!=':
      return not(jump(BPF_JEQ, a, b));
    case '>':
      return jump(BPF_JGT, a, b);
    case '>=':
      return jump(BPF_JGE, a, b);
    case '<':
      return not(jump(BPF_JGE, a, b));
    default:
      return not(jump(BPF_JGT, a, b));
  }
}

/** The test with a number, if there is one, on the right, where it is part of the instruction. */
function jump(opcode: number, a: Value, b: Value): Condition {
  if (a.kind === 'number') {
    if (b.kind === 'number') return holds(opcode, a.value, b.value) ? TRUE : FALSE;
    if (opcode === BPF_JEQ) return jump(opcode, b, a);
    return not(jump(opcode === BPF_JGT ? BPF_JGE : BPF_JGT, b, a));
  }
  if (opcode === BPF_JEQ && b.kind === 'number') return equals(a, b.value);
  return test(opcode, a, b);
}

function holds(opcode: number, a: number, b: number): boolean {
  return opcode === BPF_JEQ ? a === b : opcode === BPF_JGT ? a > b : a >= b;
}

function guarded(link: Link, node: Arithmetic): Guarded {
  switch (node.kind) {
    case 'number':
      return { value: number(node.value), guards: [] };
    case 'length':
      return { value: { kind: 'length' }, guards: [] };
    case 'negate': {
      const { value, guards } = guarded(link, node.of);
      return { value: negated(value), guards };
    }
    case 'calculate':
      return calculation(link, node);
    case 'load':
      return byteLoad(link, node);
  }
}

/** As with tcpdump, only the protocols on the left are asked for: `tcp[0] + udp[0]` is about TCP. */
function calculation(link: Link, { operator, left, right, column }: Arithmetic & { kind: 'calculate' }): Guarded {
  const a = guarded(link, left);
  const b = guarded(link, right);
  if (b.value.kind === 'number') {
    if ((operator === '/' || operator === '%') && b.value.value === 0) throw new FilterError(column, `"${operator}" by zero`);
    if ((operator === '<<' || operator === '>>') && b.value.value > 31) throw new FilterError(column, `"${operator}" by more than 31`);
  }
  // Division by what turns out to be zero refuses the packet, so it is left to the machine.
  return { value: calculated(OPERATIONS[operator] as number, a.value, b.value), guards: a.guards };
}

function byteLoad(link: Link, { protocol, index, size, column }: Arithmetic & { kind: 'load' }): Guarded {
  const { value, guards } = guarded(link, index);
  const bytes = size as Size;
  switch (protocol) {
    case 'ether':
      return { value: link.fromHeader(bytes, 0, value), guards };
    case 'ip':
    case 'ip6':
    case 'arp':
    case 'rarp':
    case 'atalk':
    case 'decnet':
    case 'sca':
    case 'lat':
    case 'moprc':
    case 'mopdl':
      return { value: link.fromNetwork(bytes, 0, value), guards: [...guards, isProtocol(link, protocol, column)] };
    case 'tcp':
    case 'udp':
    case 'sctp':
    case 'icmp':
    case 'igmp':
    case 'igrp':
    case 'pim':
    case 'vrrp':
    case 'carp': {
      const isIpv4 = carries(link, ETHERTYPE.ip, column);
      return {
        value: link.fromTransport(bytes, 0, value),
        guards: [isIpv4, ...guards, ipv4Carries(link, protocol), isFirstFragment(link)],
      };
    }
    case 'icmp6':
      return {
        value: link.fromNetwork(bytes, IPV6_HEADER, value),
        guards: [...guards, carries(link, ETHERTYPE.ip6, column), equals(link.fromNetwork(1, 6), ICMPV6)],
      };
    default:
      throw new FilterError(
        column,
        `"${protocol}" has no bytes to look at, expected ether, ip, ip6, arp, rarp, tcp, udp, sctp, icmp, icmp6 or igmp`,
      );
  }
}
