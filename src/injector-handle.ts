/** The one owner of an injector's native object, behind `Injector` and its async shell. */
import { NetringError } from './errors';
import { FrameSender } from './frame-sender';
import { native, type NativeInjector } from './native';
import type { InjectorSettings } from './options/generated/builders';
import { toNativeInjectorConfig } from './options/validate';
import type { Owner } from './owner';

const ARPHRD_ETHER = 1;
const ARPHRD_LOOPBACK = 772;

export class InjectorHandle implements Owner {
  readonly native: NativeInjector;
  readonly warnings: readonly string[];
  readonly sender: FrameSender;
  #closed = false;
  #interfaceName: string;

  constructor(settings: InjectorSettings, warnings: readonly string[]) {
    this.native = new (native().Injector)(toNativeInjectorConfig(settings));
    this.#interfaceName = settings.interface;
    const { linkType } = this.native;
    if (linkType !== ARPHRD_ETHER && linkType !== ARPHRD_LOOPBACK) {
      this.native.close();
      throw NetringError.config(
        `interface ${settings.interface} has link type ${linkType}; frames can be sent on 1 (Ethernet) and 772 (loopback)`,
        'interface',
      );
    }
    this.warnings = [...warnings, ...this.native.warnings];
    this.sender = new FrameSender(this.native, this, 'sendmmsg');
  }

  get closed(): boolean {
    return this.#closed;
  }
  /** The socket that sends batches; -1 after `close`. */
  get fd(): number {
    return this.#closed ? -1 : this.native.fd;
  }
  /** The interface's name now: a rename is followed. */
  get interface(): string {
    if (!this.#closed) this.#interfaceName = this.native.interfaceName;
    return this.#interfaceName;
  }
  get linkUp(): boolean {
    return !this.#closed && this.native.linkUp;
  }

  assertOpen(): void {
    if (this.#closed) throw NetringError.io('ECANCELED', `the injector on ${this.#interfaceName} is closed`, this.#interfaceName);
  }

  /** Hands over what it can at once and gives everything back; idempotent. */
  close(): void {
    if (this.#closed) return;
    this.sender.flush();
    this.#interfaceName = this.native.interfaceName;
    this.#closed = true;
    this.native.close();
  }
}
