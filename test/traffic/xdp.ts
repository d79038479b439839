/** What the tests of AF_XDP share. */
import { AsyncXdpSocket, XdpSocket, type NetringError, type PacketBatch, type XdpOptions } from '@netring/node-red';
import type { Lab } from '../support/lab';
import { output } from '../support/process';
import { until } from '../support/wait';

export { collect } from './rx';

/** Both places a program can be attached in. */
export const MODES = ['skb', 'driver'] as const;
export type Mode = (typeof MODES)[number];

/** A UMEM that holds some milliseconds of what the tests send. */
const ROOMY: Partial<XdpOptions> = { frameSize: 2048, frameCount: 8192 };

/** A socket that the lab closes. */
export function xdp(lab: Lab, options: XdpOptions): XdpSocket {
  const opened = XdpSocket.builder({ ...ROOMY, ...options }).build();
  lab.defer(() => opened.close());
  return opened;
}

export function asyncXdp(lab: Lab, options: XdpOptions): AsyncXdpSocket {
  const opened = new AsyncXdpSocket(XdpSocket.builder({ ...ROOMY, ...options }).build());
  lab.defer(() => opened.close());
  return opened;
}

/** What opening is refused with, once the kernel has freed the queue of the attempt before, which it does in its own time. */
export async function refusal(options: XdpOptions): Promise<NetringError> {
  const attempt = (): NetringError | null => {
    try {
      XdpSocket.builder(options).build().close();
    } catch (error) {
      return /another socket is bound to queue/.test((error as Error).message) ? null : (error as NetringError);
    }
    throw new Error('it opened');
  };
  return until(attempt, 5000, 'a free queue');
}

/** The numbers of numbered frames in the order of their arrival, each frame's bytes checked. */
export function numbersOf(batches: readonly PacketBatch[], length: number): number[] {
  const numbers: number[] = [];
  for (const batch of batches) {
    for (const { data } of batch) {
      const number = Number(data.readBigUInt64BE(14));
      if (data.length !== length) throw new Error(`frame ${number} has ${data.length} bytes, not ${length}`);
      for (let k = 22; k < length; k++) if (data[k] !== ((number + k) & 0xff)) throw new Error(`byte ${k} of frame ${number} changed`);
      numbers.push(number);
    }
  }
  return numbers;
}

export const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** The interface's XDP program as iproute2 sees it: its mode and id, or null. */
export function program(interfaceName: string): { mode: 'driver' | 'skb'; id: number } | null {
  const [entry] = JSON.parse(output('ip', ['-d', '-j', 'link', 'show', 'dev', interfaceName])) as {
    xdp?: { mode: number; prog: { id: number } };
  }[];
  if (entry?.xdp === undefined) return null;
  return { mode: entry.xdp.mode === 2 ? 'skb' : 'driver', id: entry.xdp.prog.id };
}

/** `tcpdump -ddd` of "udp dst port 5000" for IPv4 without options looked at, and of "ether[21] & 1 == 0". */
export const UDP_5000 = '8\n40 0 0 12\n21 0 5 2048\n48 0 0 23\n21 0 3 17\n40 0 0 36\n21 0 1 5000\n6 0 0 262144\n6 0 0 0';
/** The same behind a header of any length, as tcpdump writes it. */
export const UDP_BEHIND_OPTIONS =
  '11\n40 0 0 12\n21 0 8 2048\n48 0 0 23\n21 0 6 17\n40 0 0 20\n69 4 0 8191\n177 0 0 14\n72 0 0 16\n21 0 1 5000\n6 0 0 262144\n6 0 0 0';
export const EVEN = '4\n48 0 0 21\n69 1 0 1\n6 0 0 262144\n6 0 0 0';
