/** What capture files are written with, where the addon can be loaded. */

/** Memory that goes round: a buffer's comes back when it is collected, and fresh memory costs page faults and zeroing, several times a copy. */
export interface NativeSlabMemory {
  /** Bytes, rounded up to powers of two, under buffers that were not collected yet. */
  readonly liveBytes: number;
  /** At least 1 byte, whose contents do not matter. null when there is no memory, or the engine allows no external buffers. */
  take(bytes: number): ArrayBuffer | null;
  /** Keeps no memory for later calls any more. */
  close(): void;
}

export interface NativeCaptureFiles {
  SlabMemory: new () => NativeSlabMemory;
  /**
   * Writes the packets of a batch (see batch.ts for its index) to `out` from byte `at` on, cut to `kept` bytes each, and returns where they end. Throws
   * RangeError for records that reach out of the bytes, and for what does not fit into `out`.
   */
  encodePcapPackets(index: Uint32Array, bytes: Uint8Array, out: Uint8Array, at: number, kept: number): number;
  /** As blocks of the interface of that number; the first tells that `lost` packets were lost before it, unless that is 0. */
  encodePcapngPackets(
    index: Uint32Array,
    bytes: Uint8Array,
    out: Uint8Array,
    at: number,
    kept: number,
    interfaceId: number,
    lost: number,
  ): number;
}
