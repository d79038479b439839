/** What the receive tests share: small rings, reading until something was seen, frames with headers. */
import { AsyncCapture, Capture, type CaptureOptions, type Latency, type OwnedPacket, type PacketBatch } from '@netring/node-red';
import type { Lab } from '../support/lab';

/** 64 blocks of 256 KiB, 10 ms: what the nodes start from. */
export const SMALL: Partial<CaptureOptions> = { profile: 'balanced', fillRxhash: false };

let latency: Latency = 'block';

/** Describes what holds for both kinds of ring: the captures that `body` opens through this file are of the one, then of the other. */
export function inBothModes(title: string, body: () => void): void {
  for (const mode of ['block', 'immediate'] as const)
    describe(`${title}, latency ${mode}`, () => {
      before(() => (latency = mode));
      after(() => (latency = 'block'));
      body();
    });
}

/** A capture that the lab closes. */
export function capture(lab: Lab, options: CaptureOptions): Capture {
  const opened = Capture.builder({ ...SMALL, latency, ...options }).build();
  lab.defer(() => opened.close());
  return opened;
}

export function asyncCapture(lab: Lab, options: CaptureOptions): AsyncCapture {
  const opened = new AsyncCapture(Capture.builder({ ...SMALL, latency, ...options }).build());
  lab.defer(() => opened.close());
  return opened;
}

/** Reads batches until `count` packets are there; rejects after `ms`. */
export async function collect(source: Pick<AsyncCapture, 'recv'>, count: number, ms = 5000): Promise<PacketBatch[]> {
  const signal = AbortSignal.timeout(ms);
  const batches: PacketBatch[] = [];
  for (let seen = 0; seen < count;) {
    const batch = await source.recv({ signal });
    batches.push(batch);
    seen += batch.length;
  }
  return batches;
}

export async function collectPackets(source: Pick<AsyncCapture, 'recv'>, count: number, ms = 5000): Promise<OwnedPacket[]> {
  return (await collect(source, count, ms)).flatMap((batch) => batch.toArray());
}

/** A broadcast frame of the experimental ethertype with a payload of its own. */
export function frame(text: string, length = 60, etherType = 0x88b6): Buffer {
  const bytes = Buffer.alloc(Math.max(length, 14 + text.length));
  bytes.fill(0xff, 0, 6);
  bytes.set([2, 0, 0, 0, 0, 9], 6);
  bytes.writeUInt16BE(etherType, 12);
  bytes.write(text, 14, 'latin1');
  return bytes;
}

/** The frame with VLAN tags before its ethertype, outermost first: `[tpid, tci]`. */
export function tagged(inner: Buffer, ...tags: readonly [number, number][]): Buffer {
  const words = Buffer.alloc(tags.length * 4);
  tags.forEach(([tpid, tci], i) => {
    words.writeUInt16BE(tpid, i * 4);
    words.writeUInt16BE(tci, i * 4 + 2);
  });
  return Buffer.concat([inner.subarray(0, 12), words, inner.subarray(12)]);
}

/** `tcpdump -ddd` of "ether proto 0x88b5" and "ether proto 0x88b6", accepting whole frames. */
/** All but one packet in 2^32, by what the kernel alone knows (`ld rand`); of each at most 262144 bytes. */
export const ALMOST_ALL = '4\n32 0 0 4294963256\n21 1 0 0\n6 0 0 262144\n6 0 0 0';
export const ONLY_88B5 = '4\n40 0 0 12\n21 0 1 34997\n6 0 0 262144\n6 0 0 0';
export const ONLY_88B6 = '4\n40 0 0 12\n21 0 1 34998\n6 0 0 262144\n6 0 0 0';
