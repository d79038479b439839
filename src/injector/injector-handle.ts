/** The one owner of an injector's native object, behind `Injector` and its async shell. */
import { NetringError } from '../errors/errors';
import { FrameSender } from '../sending/frame-sender';
import { assertEthernet } from '../interfaces/link-types';
import { injectorAccount, type InjectorLedger, type LedgerKeeper } from '../ledger';
import { injectors } from '../metrics/books';
import { readInjectorStats, type InjectorStats } from './injector-stats';
import { native, type NativeInjector } from '../native';
import type { InjectorSettings } from '../options/generated/builders';
import { toNativeInjectorConfig } from '../options/validate';
import type { Owner } from '../owner';

export class InjectorHandle implements Owner, LedgerKeeper {
  readonly native: NativeInjector;
  readonly warnings: readonly string[];
  readonly sender: FrameSender;
  /** The interface's name at open. */
  readonly openedAs: string;
  #last: InjectorStats | undefined;
  #interfaceName: string;

  constructor(settings: InjectorSettings, warnings: readonly string[]) {
    this.native = new (native().Injector)(toNativeInjectorConfig(settings));
    this.openedAs = settings.interface;
    this.#interfaceName = settings.interface;
    try {
      assertEthernet(this.native.linkType, settings.interface, 'frames can be sent on');
    } catch (error) {
      this.native.close();
      throw error;
    }
    this.warnings = [...warnings, ...this.native.warnings];
    this.sender = new FrameSender(this.native, this, 'sendmmsg');
    injectors.open(this);
  }

  get closed(): boolean {
    return this.#last !== undefined;
  }
  /** The socket that sends batches; -1 after `close`. */
  get fd(): number {
    return this.closed ? -1 : this.native.fd;
  }
  /** The interface's name now: a rename is followed. */
  get interface(): string {
    if (!this.closed) this.#interfaceName = this.native.interfaceName;
    return this.#interfaceName;
  }
  get linkUp(): boolean {
    return !this.closed && this.native.linkUp;
  }

  assertOpen(): void {
    if (this.closed) throw NetringError.io('ECANCELED', `the injector on ${this.#interfaceName} is closed`, this.#interfaceName);
  }

  /** Since open; the last totals after `close`. */
  cumulativeStats(): InjectorStats {
    return this.#last ?? readInjectorStats(this.native);
  }

  ledger(): InjectorLedger {
    return { sent: injectorAccount(this.cumulativeStats(), this.closed) };
  }

  /** Hands over what it can at once and gives everything back; idempotent. */
  close(): void {
    if (this.closed) return;
    this.sender.flush();
    this.#interfaceName = this.native.interfaceName;
    this.#last = readInjectorStats(this.native);
    this.native.close();
    injectors.close(this);
  }
}
