/**
 * The only room that loads the addon and says what is in it.
 *
 * The addon is found as a prebuilt binary inside the package or as the result of `npm run build:native`. It is loaded on first use, never at
 * `require` time, so that the nodes can be registered and edited on a machine where nothing can be captured.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { NetringError, type NativeFailure } from '../errors/errors';
import type { NativeBridge, NativeBridgeConfig } from './bridge';
import type { NativeCapture, NativeCaptureConfig, NativeSlabInbox } from './capture';
import type { NativeCaptureFiles } from './capture-file';
import type { NativeChannel } from './channel';
import type { NativeInterface } from './interfaces';
import type { NativeInjector, NativeInjectorConfig } from './sender';
import type { NativeFdWatch, NativeNamespace } from './watch';
import type { NativeXdpConfig, NativeXdpSocket } from './xdp';

export * from './batch';
export * from './bridge';
export * from './capture';
export * from './capture-file';
export * from './channel';
export * from './interfaces';
export * from './sender';
export * from './watch';
export * from './xdp';

export interface NativeAddon extends NativeCaptureFiles {
  /** Gives the addon the function that makes the errors it throws. Called once per environment. */
  initialize(makeError: (failure: NativeFailure) => Error): void;
  Capture: new (config: NativeCaptureConfig) => NativeCapture;
  /** `capacity`: packets that may wait to be consumed. */
  Channel: new (config: NativeCaptureConfig, capacity: number) => NativeChannel;
  FdWatch: new (fd: number) => NativeFdWatch;
  Injector: new (config: NativeInjectorConfig) => NativeInjector;
  Bridge: new (config: NativeBridgeConfig) => NativeBridge;
  SlabInbox: new () => NativeSlabInbox;
  /** With `sharedUmem` the socket's frames lie in that one's UMEM: same interface, same queue. */
  XdpSocket: new (config: NativeXdpConfig, sharedUmem?: NativeXdpSocket) => NativeXdpSocket;
  interfaces(where: NativeNamespace): NativeInterface[];
  readonly pageSize: number;
}

let loaded: NativeAddon | undefined;
let missing = false;

/** The addon. Throws `NetringError` kind `Io`, code `ERR_UNSUPPORTED_PLATFORM`, which says what was tried. */
export function native(): NativeAddon {
  loaded ??= load();
  return loaded;
}

/** The addon for what is only faster with it; undefined on a machine where it cannot be loaded. */
export function nativeIfPresent(): NativeAddon | undefined {
  if (missing) return undefined;
  try {
    return native();
  } catch {
    missing = true;
    return undefined;
  }
}

function load(): NativeAddon {
  if (process.platform !== 'linux') throw unavailable(`Linux only: this is ${process.platform}`);
  const tried: string[] = [];
  for (const file of candidates()) {
    try {
      // eslint-disable-next-line @typescript-eslint/no-require-imports -- a native addon can only be required
      const addon = require(file) as NativeAddon;
      addon.initialize((failure) => NetringError.fromNative(failure));
      return addon;
    } catch (error) {
      tried.push(`${file}: ${(error as Error).message.split('\n')[0] ?? ''}`);
    }
  }
  throw unavailable(
    `no native binary for ${process.platform}-${process.arch} (${libc()}), Node.js ${process.version}; tried ${tried.join('; ')}`,
    'build it from source with "npm run build:native" in the package folder',
  );
}

/** Binaries in the order they are tried: what a developer has just built wins over what came with the package. */
function candidates(): string[] {
  const root = packageRoot();
  const target = `${libc() === 'musl' ? 'linuxmusl' : 'linux'}-${process.arch}`;
  return [join(root, 'native', 'build', 'Release', 'netring.node'), join(root, 'native', 'prebuilds', `${target}.node`)];
}

function packageRoot(): string {
  // dist/src/native in the package, src/native under a loader in a checkout.
  for (const up of [join('..', '..'), join('..', '..', '..')]) {
    const root = join(__dirname, up);
    if (readdirSync(root).includes('package.json')) return root;
  }
  return join(__dirname, '..', '..', '..');
}

function libc(): 'glibc' | 'musl' {
  const report = process.report as unknown as { excludeNetwork?: boolean; getReport(): { header: { glibcVersionRuntime?: string } } };
  // Without this the report resolves the names of open sockets' peers, which can take seconds.
  report.excludeNetwork = true;
  return report.getReport().header.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
}

function unavailable(message: string, hint = ''): NetringError {
  return new NetringError('Io', message, { code: 'ERR_UNSUPPORTED_PLATFORM', hint });
}
