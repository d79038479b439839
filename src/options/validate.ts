/** From a plain object to checked options, and from those to what the native core takes. */
import { NetringError } from '../errors/errors';
import { checkNamespace, nativeNamespace } from '../interfaces/network-namespace';
import type { NativeBridgeConfig, NativeCaptureConfig, NativeInjectorConfig, NativeXdpConfig } from '../native';
import { COMBINATIONS } from './combinations';
import { packFilter, parseFilter, withSnapLen } from './filter-program';
import type {
  BridgeOptions,
  BridgeSettings,
  CaptureOptions,
  CaptureSettings,
  InjectorOptions,
  InjectorSettings,
  XdpOptions,
  XdpSettings,
} from './generated/builders';
import { assertOptions, unknownOption } from './known-options';
import { profileField, RING_PROFILES } from './profiles';
import { fill, interfaceProblem, PAGE_SIZE, type OptionValue, type OptionValues } from './rules';
import { OPTION_TABLE, type OptionGroup, type OptionRow } from './table';
import {
  FANOUT_FLAG_VALUES,
  FANOUT_MODE_VALUES,
  TIMESTAMP_SOURCE_VALUES,
  XDP_ATTACH_VALUES,
  XDP_BIND_MODE_VALUES,
  type RingProfile,
} from './values';

export interface Checked<Settings> {
  /** Every option, with profile and defaults filled in. */
  readonly settings: Settings;
  /** Options that have no effect as they stand together. */
  readonly warnings: readonly string[];
}

/**
 * Checks the options of a capture and fills in the rest. `pageSize` is the machine's, in bytes.
 * Throws `NetringError` kind `Config`, which names option, value and rule.
 */
export function resolveCapture(options: CaptureOptions, pageSize: number): Checked<CaptureSettings> {
  return resolveGroup('capture', options, pageSize) as Checked<unknown> as Checked<CaptureSettings>;
}

/** Checks the options of an injector and fills in the rest; as `resolveCapture`. */
export function resolveInjector(options: InjectorOptions, pageSize: number): Checked<InjectorSettings> {
  return resolveGroup('injector', options, pageSize) as Checked<unknown> as Checked<InjectorSettings>;
}

/** Checks the options of a bridge and fills in the rest; as `resolveCapture`. */
export function resolveBridge(options: BridgeOptions, pageSize: number): Checked<BridgeSettings> {
  return resolveGroup('bridge', options, pageSize) as Checked<unknown> as Checked<BridgeSettings>;
}

/** Checks the options of an AF_XDP socket and fills in the rest; as `resolveCapture`. */
export function resolveXdp(options: XdpOptions, pageSize: number): Checked<XdpSettings> {
  return resolveGroup('xdp', options, pageSize) as Checked<unknown> as Checked<XdpSettings>;
}

/** @internal Checks and completes the options of one group of the table. */
export function resolveGroup(group: OptionGroup, options: object, pageSize: number): Checked<Record<string, OptionValue>> {
  assertOptions(options);
  const rows = OPTION_TABLE[group];
  const given = options as Record<string, unknown>;
  for (const name of Object.keys(given)) {
    if (!rows.some((row) => row.name === name)) throw unknownOption(name, rows);
  }
  const settings: Record<string, OptionValue> = {};
  for (const row of rows) {
    const value = given[row.name];
    settings[row.name] = value === undefined && row.type !== 'interface' ? row.default : checkValue(row, value, pageSize);
  }
  fillFromProfile(settings, given);
  return { settings, warnings: checkCombinations(group, settings, given, pageSize) };
}

function fillFromProfile(settings: Record<string, OptionValue>, given: Readonly<Record<string, unknown>>): void {
  const profile = settings['profile'];
  if (typeof profile !== 'string') return;
  for (const name of Object.keys(settings)) {
    const field = profileField(name);
    if (field !== undefined && given[name] === undefined) settings[name] = RING_PROFILES[profile as RingProfile][field];
  }
}

function checkCombinations(
  group: OptionGroup,
  settings: OptionValues,
  options: Readonly<Record<string, unknown>>,
  pageSize: number,
): string[] {
  const warnings: string[] = [];
  for (const { option, warns, given = [], reads, broken, text } of COMBINATIONS[group]) {
    if (!given.every((name) => options[name] !== undefined) || !broken(settings, pageSize, reads)) continue;
    if (!warns) throw NetringError.config(fill(text, settings), option);
    warnings.push(fill(text, settings));
  }
  return warnings;
}

/** The value of one option, checked by itself. */
function checkValue(row: OptionRow, value: unknown, pageSize: number): OptionValue {
  const refuse = (text: string, values: Readonly<Record<string, unknown>> = {}): NetringError =>
    NetringError.config(`${row.name} ${fill(text, { value, ...values })}`, row.name);
  switch (row.type) {
    case 'interface': {
      if (value !== undefined && value !== null && typeof value !== 'string') throw refuse('{value} is not a string');
      const problem = interfaceProblem(value ?? '', row.name);
      if (problem !== null) throw NetringError.config(problem, row.name);
      return value ?? '';
    }
    case 'namespace':
      return checkNamespace(value);
    case 'filter':
      return parseFilter(value, row.name, { for: row.filterFor ?? 'socket' });
    case 'text':
      if (typeof value !== 'string') throw refuse('{value} is not a string');
      return value;
    case 'queue':
      if (value === 'all') return value;
      if (!Number.isInteger(value)) throw refuse('{value} is neither the number of a queue nor "all"');
      return checkLimits(row, value as number, pageSize);
    case 'boolean':
      if (typeof value !== 'boolean') throw refuse('{value} is neither true nor false');
      return value;
    case 'choice':
      if (value === null && row.default === null) return null;
      if (typeof value !== 'string' || !row.values?.includes(value)) throw refuse(`{value} is not one of ${row.values?.join(', ')}`);
      return value;
    case 'choices':
      if (!Array.isArray(value)) throw refuse(`{value} is not an array of ${row.values?.join(', ')}`);
      for (const item of value as unknown[]) {
        if (typeof item !== 'string' || !row.values?.includes(item))
          throw refuse(`{item} is not one of ${row.values?.join(', ')}`, { item });
      }
      return value as string[];
    case 'integer':
      if (!Number.isInteger(value)) throw refuse('{value} is not an integer');
      return checkLimits(row, value as number, pageSize);
    case 'number':
      if (value === null && row.default === null) return null;
      if (!Number.isFinite(value)) throw refuse('{value} is not a number');
      return checkLimits(row, value as number, pageSize);
  }
}

function checkLimits(row: OptionRow, value: number, pageSize: number): number {
  for (const limit of row.limits ?? []) {
    const bound = limit.bound === PAGE_SIZE ? pageSize : limit.bound;
    // The name is no string value to be quoted, so it goes in by itself.
    if (limit.broken(value, bound)) throw NetringError.config(fill(limit.text.replace('{name}', row.name), { value, bound }), row.name);
  }
  return value;
}

export function toNativeCaptureConfig(settings: CaptureSettings): NativeCaptureConfig {
  const { fanoutMode } = settings;
  const flags = settings.fanoutFlags.reduce((bits, flag) => bits | FANOUT_FLAG_VALUES[flag], 0);
  return {
    interface: settings.interface,
    ...nativeNamespace(settings.netns),
    blockSize: settings.blockSize,
    blockCount: settings.blockCount,
    frameSize: settings.frameSize,
    snapLen: settings.snapLen,
    blockTimeoutMs: settings.blockTimeoutMs,
    immediate: settings.latency === 'immediate',
    fillRxhash: settings.fillRxhash,
    promiscuous: settings.promiscuous,
    ignoreOutgoing: settings.ignoreOutgoing,
    busyPollUs: settings.busyPollUs,
    reuseport: settings.reuseport,
    rcvbuf: settings.rcvbuf,
    rcvbufForce: settings.rcvbufForce,
    timestampFlags: TIMESTAMP_SOURCE_VALUES[settings.timestampSource],
    fanout: fanoutMode === null ? -1 : FANOUT_MODE_VALUES[fanoutMode] | flags,
    fanoutGroup: settings.fanoutGroup,
    filter: packFilter(withSnapLen(settings.filter, settings.snapLen)),
    maxBufferedBytes: settings.maxBufferedBytes,
  };
}

export function toNativeInjectorConfig(settings: InjectorSettings): NativeInjectorConfig {
  const { interface: name, netns, frameSize, frameCount, qdiscBypass } = settings;
  return { interface: name, ...nativeNamespace(netns), frameSize, frameCount, qdiscBypass };
}

/** Chunks of each queue's UMEM that are for receiving; the others send. */
export function receivingFrames({ mode, frameCount, prefill }: Pick<XdpSettings, 'mode' | 'frameCount' | 'prefill'>): number {
  return { rx: frameCount, tx: 0, rxtx: Math.floor(frameCount / 2), custom: prefill }[mode];
}

export function toNativeXdpConfig(settings: XdpSettings): NativeXdpConfig {
  const rxFrames = receivingFrames(settings);
  return {
    interface: settings.interface,
    queueId: settings.queueId === 'all' ? -1 : settings.queueId,
    frameSize: settings.frameSize,
    frameCount: settings.frameCount,
    rxFrames,
    needWakeup: settings.needWakeup,
    bindMode: XDP_BIND_MODE_VALUES[settings.bindMode],
    // A program that redirects to a socket without chunks to receive into would drop what it is given.
    attach: XDP_ATTACH_VALUES[rxFrames === 0 ? 'none' : settings.attach],
    filter: packFilter(settings.filter),
    mapPin: settings.mapPin,
    promiscuous: settings.promiscuous,
    busyPollUs: settings.busyPollUs,
    preferBusyPoll: settings.preferBusyPoll,
    busyPollBudget: settings.busyPollBudget,
    maxBufferedBytes: settings.maxBufferedBytes,
  };
}

export function toNativeBridgeConfig(settings: BridgeSettings): NativeBridgeConfig {
  const { promiscuous, qdiscBypass, dropLinkLocal } = settings;
  return {
    a: {
      interface: settings.interfaceA,
      blockSize: settings.aBlockSize,
      blockCount: settings.aBlockCount,
      frameSize: settings.aFrameSize,
      blockTimeoutMs: settings.aBlockTimeoutMs,
      sendBuffer: settings.txAFrameSize * settings.txAFrameCount,
      promiscuous,
    },
    b: {
      interface: settings.interfaceB,
      blockSize: settings.bBlockSize,
      blockCount: settings.bBlockCount,
      frameSize: settings.bFrameSize,
      blockTimeoutMs: settings.bBlockTimeoutMs,
      sendBuffer: settings.txBFrameSize * settings.txBFrameCount,
      promiscuous,
    },
    qdiscBypass,
    dropLinkLocal,
  };
}
