/** Takes the batches of all members, in turn. */
import type { Reader } from '../async/receive-loop';
import { PacketBatch } from '../batches/batch';
import type { Taken } from '../batches/batch-reader';
import { SlabCollector } from '../batches/collector';
import type { Owner } from '../owner';
import type { Member } from './member';

export class GroupReader implements Reader {
  readonly #members: readonly Member[];
  readonly #owner: Owner;
  readonly #collector: SlabCollector;
  #next = 0;

  /** `maxBufferedBytes` is that of one member. */
  constructor(members: readonly Member[], owner: Owner, maxBufferedBytes: number) {
    this.#members = members;
    this.#owner = owner;
    this.#collector = new SlabCollector(maxBufferedBytes * members.length);
  }

  get collections(): number {
    return this.#collector.collections;
  }

  /** Whether one of the members has sent a batch. */
  get ready(): boolean {
    return this.#members.some(({ inbox }) => inbox.ready);
  }

  take(): Taken {
    this.#owner.assertOpen();
    const count = this.#members.length;
    for (let i = 0; i < count; i++) {
      const at = (this.#next + i) % count;
      const member = this.#members[at]!;
      const slab = member.inbox.take();
      if (slab === null) continue;
      this.#next = (at + 1) % count;
      this.#collector.collectInTime(this.#members.reduce((sum, { inbox }) => sum + inbox.bufferedBytes, 0));
      const batch = PacketBatch.fromSlab(slab, this.#owner.interface, member.geometry.linkType);
      member.packets += batch.length;
      member.bytes += batch.originalByteLength;
      return batch;
    }
    return this.stalled ? 'stalled' : 'empty';
  }

  /** Nothing can be lent to another thread. */
  borrow(): null {
    return null;
  }

  /** A member waits for the memory of batches that are alive here, and none has sent anything. */
  get stalled(): boolean {
    return !this.#owner.closed && this.#members.some((member) => member.stalled) && !this.ready;
  }

  reclaim(round: number): void {
    this.#collector.reclaim(round);
  }
}
