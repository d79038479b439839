/** The frames of a capture file that came as a payload. */
import { isUint8Array } from 'node:util/types';
import type { PacketBatch } from '../../../src/batches/batch';
import { NetringError } from '../../../src/errors/errors';
import { isEthernet } from '../../../src/interfaces/link-types';
import { readCaptureFile } from '../../../src/pcap/file-reader';
import { shown } from '../control';
import { BatchFrames, type Input } from '../frames';

/** The frames of a pcap or pcapng file. What cannot be read or is not Ethernet is a problem; the rest still goes. */
export function framesOfFile(payload: unknown): Input {
  if (!isUint8Array(payload)) {
    const problem = new TypeError(`payload is ${shown(payload)}: with input "file" it must be a Buffer that holds a pcap or pcapng file`);
    return { frames: new BatchFrames([]), refused: 1, problem };
  }
  const { batches, error } = readCaptureFile(payload);
  const good = batches.filter((batch) => isEthernet(batch.linkType));
  const refused = count(batches) - count(good);
  const foreign =
    refused === 0
      ? undefined
      : NetringError.config(`${refused} packets of the file are not Ethernet, so they cannot be sent as frames`, 'input');
  return { frames: new BatchFrames(good), refused, problem: error ?? foreign };
}

function count(batches: readonly PacketBatch[]): number {
  return batches.reduce((sum, { length }) => sum + length, 0);
}
