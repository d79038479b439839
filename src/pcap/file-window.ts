/** Bytes of a capture file that are in memory, and where in the file they stand. */
export class FileWindow {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Offset of the first byte in the file. */
  readonly base: number;

  constructor(bytes: Uint8Array, base: number) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.base = base;
  }
}

/** What a parser waits for: so many bytes from the position on that it has come to. */
export interface Shortage {
  what: string;
  needed: number;
}

/** What a file tells about an interface of its present section. */
export interface FileInterface {
  /** Empty when the file does not tell. */
  name: string;
  /** LINKTYPE_* of the file. */
  linkType: number;
  /** Longest packet that was kept, in bytes; 0 for no limit. */
  snapLen: number;
  /** From the last statistics block of the interface so far. */
  statistics?: InterfaceCounters;
}

/** Counters of an interface since its capture was opened; a `CaptureStats` is one. */
export interface InterfaceCounters {
  /** Frames that passed the filter, the dropped ones included. */
  received: number;
  /** Frames that were lost for want of room. */
  drops: number;
}
