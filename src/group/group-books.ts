/** What a group has counted: each packet once, all members together. */
import { type CaptureStats, sumOfStats } from '../capture/capture-stats';
import { receivedAccount, type CaptureLedger, type LedgerKeeper } from '../ledger';
import type { CaptureSettings } from '../options/generated/builders';
import type { Owner } from '../owner';
import type { GroupReader } from './group-reader';
import type { Member } from './member';

export class GroupBooks implements LedgerKeeper {
  readonly settings: CaptureSettings;
  readonly #members: readonly Member[];
  readonly #reader: GroupReader;
  readonly #owner: Owner;

  constructor(settings: CaptureSettings, members: readonly Member[], reader: GroupReader, owner: Owner) {
    this.settings = settings;
    this.#members = members;
    this.#reader = reader;
    this.#owner = owner;
  }

  /** Since open, the members' last ones once they have ended. `packets` are those handed out: what was read ahead waits. */
  cumulativeStats(): CaptureStats {
    return sumOfStats(
      this.#members.map((member) => member.stats),
      this.#reader.collections,
    );
  }

  ledger(): CaptureLedger {
    return { received: receivedAccount(this.cumulativeStats(), this.#owner.closed) };
  }
}
