/** What an expression says, to what is asked of a packet. In the order of the text, because some words move the headers for all that follow. */
import { above, all, any, assertTests, atLeast, chain, equals, hasBit, not, testsOf, type Condition } from './condition';
import { mpls, pppoes, vlan } from './encapsulation';
import { FilterError } from './filter-error';
import { type FilterTarget } from './filter-target';
import { assertEthernet } from './hosts';
import { isAlternative, items, targetOf, type Item } from './items';
import { ETHERTYPE, type Link } from './link';
import { SKF_AD } from './opcodes';
import { carries, isProtocol } from './protocols';
import { compared, relation } from './relations';
import { type Joint, type Node } from './syntax';
import { number } from './value';

const PACKET_OUTGOING = 4;

export function translate(node: Node, link: Link, target: FilterTarget): Condition {
  switch (node.kind) {
    case 'chain':
      return terms(node, link, target);
    case 'not':
      return not(translate(node.node, link, target));
    case 'protocol':
      return isProtocol(link, node.protocol, node.column);
    case 'item':
      return items(link, [{ node, target: targetOf(node) }]);
    case 'relation':
      return relation(link, node.relation, node.left, node.right);
    case 'cast':
      return cast(link, node);
    case 'byte':
      return compared(node.relation, link.fromHeader(1, node.offset), number(node.value));
    case 'less':
      return not(above({ kind: 'length' }, node.value));
    case 'greater':
      return atLeast({ kind: 'length' }, node.value);
    case 'ifindex':
      return equals({ kind: 'ancillary', which: SKF_AD.interfaceIndex }, node.value);
    case 'inbound':
    case 'outbound': {
      if (target === 'xdp')
        throw new FilterError(
          node.column,
          `"${node.kind}" stands there, and an XDP program does not know the direction of a frame`,
          'it sees only frames that come in',
        );
      const outgoing = equals({ kind: 'ancillary', which: SKF_AD.packetType }, PACKET_OUTGOING);
      return node.kind === 'outbound' ? outgoing : not(outgoing);
    }
    case 'vlan':
      return vlan(link, node.id, target === 'socket' || target === 'bridge', node.column);
    case 'mpls':
      return mpls(link, node.id, node.column);
    case 'pppoes':
      return pppoes(link, node.id, node.column);
    case 'pppoed':
      return carries(link, ETHERTYPE.pppoed, node.column);
  }
}

/** Neighbours that are alternatives of one kind (`port 80 or 443`, `host A or host B`) are asked for together: a field is loaded once. */
function terms({ first, rest }: Node & { kind: 'chain' }, link: Link, target: FilterTarget): Condition {
  const joints: Joint[] = [];
  const parts: Condition[] = [];
  let tests = 0;
  const join = (joint: Joint, of: Condition): void => {
    joints.push(joint);
    parts.push(of);
    // Behind a tag that may stand in the frame a test may be there twice.
    assertTests((tests += testsOf(of) * (link.shifted ? 2 : 1)));
  };
  const nodes: { joint: Joint; node: Node }[] = [{ joint: 'or', node: first }, ...rest];
  for (let index = 0; index < nodes.length;) {
    const { joint, node } = nodes[index++] as (typeof nodes)[number];
    if (node.kind !== 'item' || joint === 'and') {
      join(joint, translate(node, link, target));
      continue;
    }
    const together: Item[] = [{ node, target: targetOf(node) }];
    for (let next = nodes[index]; next?.joint === 'or' && next.node.kind === 'item'; next = nodes[++index]) {
      const item = { node: next.node, target: targetOf(next.node) };
      if (!isAlternative(together[0] as Item, item)) break;
      together.push(item);
    }
    join(joint, items(link, together));
  }
  return chain(joints, parts);
}

function cast(link: Link, { cast: which, protocol, column }: Node & { kind: 'cast' }): Condition {
  const refused = (expected: string): FilterError =>
    new FilterError(column, `"${which}" stands after "${protocol ?? ''}", expected ${expected} or nothing before it`);
  if (protocol === null || protocol === 'ether') {
    assertEthernet(link, `"${which}"`, column);
    if (which === 'multicast') return hasBit(link.fromHeader(1, 0), 1);
    return all(equals(link.fromHeader(4, 2), 0xffffffff), equals(link.fromHeader(2, 0), 0xffff));
  }
  if (protocol === 'ip') {
    const destination = link.fromNetwork(4, 16);
    const isIpv4 = carries(link, ETHERTYPE.ip, column);
    // The mask of the interface's network is not known here: what is a broadcast on every network remains.
    return which === 'broadcast'
      ? all(isIpv4, any(equals(destination, 0), equals(destination, 0xffffffff)))
      : all(isIpv4, atLeast(link.fromNetwork(1, 16), 224));
  }
  if (protocol === 'ip6' && which === 'multicast') return all(carries(link, ETHERTYPE.ip6, column), equals(link.fromNetwork(1, 24), 255));
  throw refused(which === 'broadcast' ? 'ether, ip' : 'ether, ip, ip6');
}
