/** What options suit an interface and this machine: a starting point, to be measured against. */
import { availableParallelism, totalmem } from 'node:os';
import { interfaceInfo, type InterfaceInfo } from './interfaces';
import { RING_PROFILES } from '../options/profiles';
import type { RingProfile } from '../options/values';

const ETHERNET_MTU = 1500;
/** The kernel's memory for a ring cannot be paged out: a larger part is no suggestion. */
const MEMORY_SHARE = 8;

/**
 * The ring profile that suits the interface: `jumbo-frames` for an MTU above 1500, `high-throughput` from 10 Gbit/s on, `default` from 1 Gbit/s on, else
 * `low-memory`; `balanced` for loopback, whose MTU of 65536 and missing speed say nothing of its traffic. A profile whose ring is larger than an eighth
 * of the memory that this process may use gives way to the next smaller one, at last to `balanced` (16 MiB), whose blocks hold jumbo frames too.
 * Virtual interfaces claim speeds (veth 10 Gbit/s) that mean nothing. Throws `NetringError` kind `InterfaceNotFound` for a name that is none.
 *
 * @example A starting point
 * ```ts
 * import { interfaceInfo, suggestProfile } from '@netring/node-red';
 *
 * console.log(suggestProfile(interfaceInfo('eth0')));
 * console.log(suggestProfile({ mtu: 9000, speed: 1000, loopback: false }));
 * ```
 */
export function suggestProfile(interfaceOrName: Pick<InterfaceInfo, 'mtu' | 'speed' | 'loopback'> | string): RingProfile {
  return profileFor(typeof interfaceOrName === 'string' ? interfaceInfo(interfaceOrName) : interfaceOrName, usableMemory());
}

/**
 * How many captures of a fanout group the interface feeds: as many as it has receive queues, and no more than this process has processors, at least 1.
 * Throws `NetringError` kind `InterfaceNotFound` for a name that is none.
 *
 * @example A group that the interface can feed
 * ```ts
 * import { captureGroup, suggestFanoutThreads } from '@netring/node-red';
 *
 * await using group = await captureGroup(suggestFanoutThreads('eth0'), { interface: 'eth0', profile: 'balanced' });
 * console.log(group.size, `${await group.recv()}`);
 * ```
 */
export function suggestFanoutThreads(interfaceOrName: Pick<InterfaceInfo, 'queues'> | string): number {
  const { queues } = typeof interfaceOrName === 'string' ? interfaceInfo(interfaceOrName) : interfaceOrName;
  return Math.max(1, Math.min(queues, availableParallelism()));
}

/** @internal `memory` in bytes. */
export function profileFor({ mtu, speed, loopback }: Pick<InterfaceInfo, 'mtu' | 'speed' | 'loopback'>, memory: number): RingProfile {
  const fits = (profile: RingProfile): boolean => ringBytes(profile) <= memory / MEMORY_SHARE;
  return wanted(mtu, speed, loopback).find(fits) ?? 'balanced';
}

/** From the best on. */
function wanted(mtu: number, speed: number, loopback: boolean): readonly RingProfile[] {
  if (loopback) return ['balanced'];
  if (mtu > ETHERNET_MTU) return ['jumbo-frames'];
  if (speed >= 10_000) return ['high-throughput', 'default'];
  return speed >= 1000 ? ['default'] : ['low-memory'];
}

function ringBytes(profile: RingProfile): number {
  const { blockSize, blockCount } = RING_PROFILES[profile];
  return blockSize * blockCount;
}

/** A container may be allowed less than the machine has; without a limit it is told as 0 or as more than there is. */
function usableMemory(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}
