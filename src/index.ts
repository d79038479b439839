/** The public surface. */
export { AsyncCapture, type AsyncCaptureEvents, type ReadableGuard } from './async/async-capture';
export { AsyncInjector, type AsyncInjectorEvents, type AsyncSendOptions, type SendReport } from './async/async-injector';
export { PacketStream } from './async/packet-stream';
export type { WaitOptions } from './async/wait-list';
export { isPacketBatch, PacketBatch, type BatchOrigin, type FrameLike, type VlanTag } from './batch';
export { Capture, CaptureBuilder } from './capture';
export { NetringError, type ErrorDetails, type ErrorKind } from './errors';
export type { SendInput } from './frame-input';
export { Injector, InjectorBuilder, type SendOptions } from './injector';
export { interfaceInfo, interfaces, type InterfaceInfo } from './interfaces';
export type { NativeCaptureGeometry as CaptureGeometry } from './native';
export type { BpfInsn, Filter } from './options/filter-program';
export type { CaptureOptions, InjectorOptions } from './options/generated/builders';
export type { FanoutFlag, FanoutMode, RingProfile, TimestampSource } from './options/values';
export { Packet, type OwnedPacket, type PacketDirection, type PacketStatus, type Timestamp } from './packet';
export { CaptureStats } from './stats';
export type { PacketSink, PacketSource } from './traits';
export { TxSlot } from './tx-slot';
