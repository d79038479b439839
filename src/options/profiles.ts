/** The part of the table of options that gives the sizes of a profile. */
import type { RingProfile } from './values';

/** Options that a profile sets. */
export const PROFILE_FIELDS = ['blockSize', 'blockCount', 'frameSize', 'blockTimeoutMs'] as const;
export type ProfileGeometry = Readonly<Record<(typeof PROFILE_FIELDS)[number], number>>;

const KiB = 1024;
const MiB = 1024 * KiB;

export const RING_PROFILES: Readonly<Record<RingProfile, ProfileGeometry>> = {
  default: { blockSize: 4 * MiB, blockCount: 64, frameSize: 2048, blockTimeoutMs: 60 },
  'high-throughput': { blockSize: 4 * MiB, blockCount: 256, frameSize: 2048, blockTimeoutMs: 60 },
  'low-latency': { blockSize: 256 * KiB, blockCount: 64, frameSize: 2048, blockTimeoutMs: 1 },
  'low-memory': { blockSize: MiB, blockCount: 16, frameSize: 2048, blockTimeoutMs: 100 },
  'jumbo-frames': { blockSize: 4 * MiB, blockCount: 64, frameSize: 65536, blockTimeoutMs: 60 },
  balanced: { blockSize: 256 * KiB, blockCount: 64, frameSize: 2048, blockTimeoutMs: 10 },
};

/** The field of a profile that gives an option its value: `blockSize`, or that of a port, as in `aBlockSize`. */
export function profileField(option: string): (typeof PROFILE_FIELDS)[number] | undefined {
  return PROFILE_FIELDS.find(
    (field) => option === field || (/^[ab][A-Z]/.test(option) && option.slice(1).toLowerCase() === field.toLowerCase()),
  );
}
