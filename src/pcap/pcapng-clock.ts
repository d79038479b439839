/** How the times of a pcapng interface count. */

/** Set in a resolution: a power of two, not of ten. */
const BINARY = 0x80;
/** Powers of ten up to this one are divided by without BigInt. */
const NANOSECONDS = 9;

/** Holds the time it was last asked about, so that none is an object. */
export class Clock {
  readonly #ticks: number;
  readonly #nanoseconds: number;
  /** Ticks a second, where only a BigInt holds them or what comes of them. */
  readonly #large: bigint | undefined;
  readonly #offset: number;
  /** The time at which the second of the last time began, where its ticks have the same high word. */
  #secondHigh = -1;
  #secondLow = 0;
  sec = 0;
  nsec = 0;

  /** `resolution` is a power of ten, or of two with bit 7 set, to be taken negative. `offset` is in seconds. */
  constructor(resolution: number, offset: number) {
    const exponent = resolution & ~BINARY;
    const decimal = (resolution & BINARY) === 0;
    this.#ticks = 10 ** exponent;
    this.#nanoseconds = 10 ** (NANOSECONDS - exponent);
    this.#large = decimal && exponent <= NANOSECONDS ? undefined : (decimal ? 10n : 2n) ** BigInt(exponent);
    this.#offset = offset;
  }

  /** Sets `sec` and `nsec` to what a packet's two 32-bit words stand for. */
  tell(high: number, low: number): void {
    // Packets share their second with thousands of others.
    const later = low - this.#secondLow;
    if (high === this.#secondHigh && later >= 0 && later < this.#ticks) {
      this.nsec = later * this.#nanoseconds;
      return;
    }
    if (this.#large !== undefined) return this.#tellLarge(this.#large, high, low);
    // 64 bits by 30: long division in digits of 16 bits, whose partial dividends a number holds exactly.
    const ticks = this.#ticks;
    let partial = high;
    let sec = Math.floor(partial / ticks);
    partial = (partial - sec * ticks) * 0x1_0000 + (low >>> 16);
    let digit = Math.floor(partial / ticks);
    sec = sec * 0x1_0000 + digit;
    partial = (partial - digit * ticks) * 0x1_0000 + (low & 0xffff);
    digit = Math.floor(partial / ticks);
    const since = partial - digit * ticks;
    this.sec = sec * 0x1_0000 + digit + this.#offset;
    this.nsec = since * this.#nanoseconds;
    this.#secondHigh = since <= low ? high : -1;
    this.#secondLow = low - since;
  }

  #tellLarge(ticks: bigint, high: number, low: number): void {
    const time = (BigInt(high) << 32n) | BigInt(low);
    this.sec = Number(time / ticks) + this.#offset;
    this.nsec = Number(((time % ticks) * 1_000_000_000n) / ticks);
  }
}
