/** What opens the next header for all that follows in the expression: VLAN, MPLS, PPPoE. */
import { all, any, equals, type Condition } from './condition';
import { FilterError } from './filter-error';
import { ETHERTYPE, type Link } from './link';
import { SKF_AD } from './opcodes';
import { carries } from './protocols';
import { masked } from './value';

const VID = 0xfff;
const TAG_BYTES = 4;
const PPPOE_HEADER = 6;
const PPP_MPLS = 0x0281;

/**
 * `vlan` and `vlan 5`. On a socket the outer tag has mostly been taken out of the frame, so the kernel is asked first; then, and for every inner tag, the
 * frame. Whether what follows stands 4 bytes further on shows at run time.
 */
export function vlan(link: Link, id: number | null, onSocket: boolean, column: number): Condition {
  if (link.labels > 0) throw new FilterError(column, '"vlan" stands behind mpls, where there is none');
  if (link.kind !== 'ethernet')
    throw new FilterError(column, `"vlan" stands ${link.kind === 'ppp' ? 'behind pppoes' : 'on a link of raw IP'}, where there is none`);
  if (id !== null && id > VID) throw new FilterError(column, `VLAN ${id} is more than ${VID}`);
  const tagged = any(
    carries(link, ETHERTYPE.vlan, column),
    carries(link, ETHERTYPE.serviceVlan, column),
    carries(link, ETHERTYPE.qinq, column),
  );
  const inFrame = masked(link.fromPayload(2, 0), VID);
  link.opened();
  if (onSocket && link.vlans++ === 0) {
    link.shifted = true;
    const takenOut = equals({ kind: 'ancillary', which: SKF_AD.vlanTagPresent }, 1);
    const outer = any(takenOut, all({ kind: 'shift' }, tagged));
    if (id === null) return outer;
    const vid = masked({ kind: 'ancillary', which: SKF_AD.vlanTag }, VID);
    return all(outer, { kind: 'either', if: takenOut, then: equals(vid, id), else: equals(inFrame, id) });
  }
  link.type += TAG_BYTES;
  link.payload += TAG_BYTES;
  return id === null ? tagged : all(tagged, equals(inFrame, id));
}

/** `mpls` and `mpls 1000`: the next label of the stack. */
export function mpls(link: Link, label: number | null, column: number): Condition {
  if (link.kind === 'raw') throw new FilterError(column, '"mpls" stands on a link of raw IP, where there is none');
  if (label !== null && label > 0xfffff) throw new FilterError(column, `label ${label} is more than ${0xfffff}`);
  const opens =
    link.labels > 0
      ? equals(masked(link.fromNetwork(1, -2), 0x01), 0)
      : carries(link, link.kind === 'ppp' ? PPP_MPLS : ETHERTYPE.mpls, column);
  const labelled = label === null ? opens : all(opens, equals(masked(link.fromNetwork(4, 0), 0xfffff000), (label << 12) >>> 0));
  link.opened();
  link.network += 4;
  link.networkOverLlc += 4;
  link.labels++;
  return labelled;
}

/** `pppoes` and `pppoes 17`: a PPPoE session (RFC 2516) and the PPP in it. */
export function pppoes(link: Link, session: number | null, column: number): Condition {
  if (session !== null && session > 0xffff) throw new FilterError(column, `session ${session} is more than 65535`);
  const opens = carries(link, ETHERTYPE.pppoes, column);
  const inSession = session === null ? opens : all(opens, equals(masked(link.fromNetwork(4, 0), 0xffff), session));
  link.opened();
  link.kind = 'ppp';
  link.header = link.payload + link.network + PPPOE_HEADER;
  link.headerShifted = link.shifted;
  link.type = link.header;
  link.payload = link.header + 2;
  link.network = 0;
  link.networkOverLlc = 0;
  return inSession;
}
