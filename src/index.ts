/** The public surface. */
export { AsyncCapture, type AsyncCaptureEvents, type SourceGeometry, type SourceStats } from './async/async-capture';
export { AsyncInjector, type AsyncInjectorEvents } from './async/async-injector';
export { AsyncXdpSocket, type AsyncXdpSocketEvents } from './async/async-xdp-socket';
export { PacketStream } from './async/packet-stream';
export type { ReadableGuard } from './async/receive-loop';
export type { AsyncSendOptions, SendReport } from './async/send-loop';
export type { WaitOptions } from './async/wait-list';
export { XdpStream } from './async/xdp-stream';
export { isPacketBatch, PacketBatch, type BatchOrigin, type BatchSummary, type VlanTag } from './batches/batch';
export type { FrameLike } from './batches/columns';
export { Packet, type OwnedPacket, type PacketDirection, type PacketStatus, type Timestamp } from './batches/packet';
export { Bridge, BridgeBuilder, type BridgeEvents, type BridgeHandles, type BridgePort } from './bridge/bridge';
export type { BridgeAnswer, BridgeAudience, InlineOptions, TapOptions } from './bridge/bridge-feed';
export type { BridgeFilterFunction } from './bridge/bridge-run';
export { BridgeStats, type BridgeDirectionStats } from './bridge/bridge-stats';
export { Capture, CaptureBuilder } from './capture/capture';
export { CaptureStats } from './capture/capture-stats';
export type { EbpfProgram } from './capture/ebpf';
export { ChannelCapture } from './channel/channel-capture';
export { ChannelStats } from './channel/channel-stats';
export { decode, DecodedPacket, type DecodedPacketObject, type PacketLayers } from './decode/decode';
export { ArpLayer, EthernetLayer, VlanLayer, type ArpFields, type EthernetFields, type VlanFields } from './decode/ethernet';
export { IcmpLayer, Icmpv6Layer, type IcmpFields, type Icmpv6Fields } from './decode/icmp';
export { Ipv4Layer, Ipv6Layer, type IpFields, type Ipv4Fields, type Ipv4Option, type Ipv6Extension, type Ipv6Fields } from './decode/ip';
export { Layer, type LayerFields } from './decode/layer';
export { TcpLayer, type TcpFields, type TcpOption } from './decode/tcp';
export { SctpLayer, UdpLayer, type SctpFields, type UdpFields } from './decode/udp';
export { NetringError, type ErrorDetails, type ErrorKind } from './errors/errors';
export { compileFilter, type CompileOptions } from './filter/compile';
export { disassemble } from './filter/disassemble';
export { explainFilter } from './filter/explain';
export type { FilterContext } from './filter/filter-context';
export { FilterError } from './filter/filter-error';
export { filterMatches } from './filter/interpreter';
export { captureGroup, CaptureGroup } from './group/capture-group';
export { Injector, InjectorBuilder, type SendOptions } from './injector/injector';
export { interfaceInfo, interfaces, type InterfaceInfo, type OperState } from './interfaces/interfaces';
export type { NamespaceOptions } from './interfaces/network-namespace';
export { suggestFanoutThreads, suggestProfile } from './interfaces/suggestions';
export {
  ledger,
  type BridgeLedger,
  type CaptureLedger,
  type ForwardedAccount,
  type InjectorLedger,
  type Ledger,
  type ReceivedAccount,
  type SentAccount,
  type XdpLedger,
} from './ledger';
export { recordCaptureDelta, registerMetrics, type CaptureDelta, type MetricsRegistry } from './metrics/register';
export { METRICS_CONTENT_TYPES, metricsText, type MetricsFormat } from './metrics/text';
export type { NativeCaptureGeometry as CaptureGeometry, InterfaceOffloads } from './native';
export type { BpfInsn } from './filter/instruction';
export type { Filter } from './options/filter-program';
export type { BridgeOptions, CaptureOptions, InjectorOptions, XdpOptions } from './options/generated/builders';
export type {
  BridgeAction,
  BridgeDirection,
  FanoutFlag,
  FanoutMode,
  Latency,
  RingProfile,
  TimestampSource,
  XdpAttach,
  XdpBindMode,
  XdpMode,
} from './options/values';
export type { CaptureFileInput } from './pcap/file-encoder';
export type { FileInterface, InterfaceCounters } from './pcap/file-window';
export { PcapngWriter, PcapWriter } from './pcap/file-writer';
export type { PcapOptions } from './pcap/pcap-encoder';
export type { PcapngOptions } from './pcap/pcapng-encoder';
export { PreTrigger, type PreTriggerOptions } from './pcap/pre-trigger';
export { PcapReader, readPcap, type PcapInput, type ReadPcapOptions } from './pcap/reader';
export { RotatingWriter, type RecordedFile, type RotatingOptions } from './pcap/rotating-writer';
export { replay, type ReplayBatches, type ReplayOptions, type ReplayReport, type ReplaySink, type ReplaySource } from './replay/replay';
export type { SendInput } from './sending/frame-input';
export { TxSlot } from './sending/tx-slot';
export type { PacketSink, PacketSource } from './traits';
export { XdpSocket, XdpSocketBuilder, type XdpSocketOptions } from './xdp/xdp-socket';
export { XdpSocketStats, XdpStats } from './xdp/xdp-stats';
