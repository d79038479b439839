/** @internal What the parts of a handle ask of it: of which interface they speak, and whether it is still open. */
export interface Owner {
  readonly closed: boolean;
  /** The interface's name now: a rename is followed. */
  readonly interface: string;
  /** Throws `Io` / `ECANCELED` once it is closed. */
  assertOpen(): void;
}
