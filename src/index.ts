/** The public surface. */
export { AsyncCapture, type AsyncCaptureEvents } from './async/async-capture';
export { AsyncInjector, type AsyncInjectorEvents } from './async/async-injector';
export { AsyncXdpSocket, type AsyncXdpSocketEvents } from './async/async-xdp-socket';
export { PacketStream } from './async/packet-stream';
export type { ReadableGuard } from './async/receive-loop';
export type { AsyncSendOptions, SendReport } from './async/send-loop';
export type { WaitOptions } from './async/wait-list';
export { XdpStream } from './async/xdp-stream';
export { isPacketBatch, PacketBatch, type BatchOrigin, type FrameLike, type VlanTag } from './batch';
export { Bridge, BridgeBuilder, type BridgeEvents, type BridgeHandles, type BridgePort } from './bridge';
export type { BridgeAnswer, BridgeAudience, InlineOptions, TapOptions } from './bridge-feed';
export type { BridgeFilterFunction } from './bridge-run';
export { BridgeStats, type BridgeDirectionStats } from './bridge-stats';
export { Capture, CaptureBuilder } from './capture';
export type { EbpfProgram } from './ebpf';
export { NetringError, type ErrorDetails, type ErrorKind } from './errors';
export type { SendInput } from './frame-input';
export { captureGroup, CaptureGroup } from './group/capture-group';
export { Injector, InjectorBuilder, type SendOptions } from './injector';
export { interfaceInfo, interfaces, type InterfaceInfo } from './interfaces';
export type { NativeCaptureGeometry as CaptureGeometry } from './native';
export type { BpfInsn, Filter } from './options/filter-program';
export type { BridgeOptions, CaptureOptions, InjectorOptions, XdpOptions } from './options/generated/builders';
export type {
  BridgeAction,
  BridgeDirection,
  FanoutFlag,
  FanoutMode,
  RingProfile,
  TimestampSource,
  XdpAttach,
  XdpBindMode,
  XdpMode,
} from './options/values';
export { Packet, type OwnedPacket, type PacketDirection, type PacketStatus, type Timestamp } from './packet';
export { CaptureStats } from './stats';
export type { PacketSink, PacketSource } from './traits';
export { TxSlot } from './tx-slot';
export { XdpSocket, XdpSocketBuilder, type XdpSocketOptions } from './xdp';
export { XdpSocketStats, XdpStats } from './xdp-stats';
