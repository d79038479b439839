/** What stands under an xdp node that is up. */
import type { OutputForm } from '../../../src/options/values';
import { PACKET_FORM_LIMIT } from '../capture/capture-output';
import { lossesOf, type InjectRates } from '../inject/inject-meter';
import type { Rates } from '../capture/capture-ledger';
import { shortCount, statusOf, warningStatus, type NodeStatus } from '../node-status';

/** The way that frames take between the device and the socket. */
export interface XdpPath {
  /** Where the program of the socket runs; null when it has none of its own. */
  readonly attachMode: 'driver' | 'skb' | null;
  readonly boundMode: 'copy' | 'zerocopy';
}

export function xdpStatus(
  { receives, sends, output }: { receives: boolean; sends: boolean; output: OutputForm },
  path: XdpPath,
  received: Rates,
  sent: InjectRates,
): NodeStatus {
  if (received.dropsPerSecond > 0) return warningStatus(`dropping ${shortCount(received.dropsPerSecond)}/s`);
  const losses = lossesOf(sent);
  if (losses !== undefined) return losses;
  const [inward, outward] = [shortCount(received.packetsPerSecond), shortCount(sent.sent)];
  if (output === 'packet' && received.packetsPerSecond > PACKET_FORM_LIMIT) return warningStatus(`${inward} pps: use batches`);
  const both = receives && sends && sent.sent > 0;
  return statusOf('up', `${pathText(path)}: ${both ? `in ${inward}, out ${outward}` : receives ? inward : outward} pps`);
}

/** `driver, zero-copy`. Without a program of the node's own only the second half. */
function pathText({ attachMode, boundMode }: XdpPath): string {
  const transfer = boundMode === 'zerocopy' ? 'zero-copy' : 'copy';
  return attachMode === null ? transfer : `${attachMode}, ${transfer}`;
}
