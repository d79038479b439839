/** What is counted of each kind of handle, and under which names. Labels are the name by which a handle was opened, a queue, a direction, a cause. */
import type { Bridge } from '../bridge/bridge';
import type { CaptureHandle } from '../capture/capture-handle';
import type { ChannelCapture } from '../channel/channel-capture';
import type { InjectorHandle } from '../injector/injector-handle';
import { ledger } from '../ledger';
import type { BridgeDirection } from '../options/values';
import type { XdpHandle } from '../xdp/xdp-handle';
import { Book, type Column, type Row } from './book';

export const counter = (name: string, help: string, labels?: Readonly<Record<string, string>>): Column => ({
  name,
  help,
  type: 'counter',
  ...(labels === undefined ? {} : { labels }),
});
export const gauge = (name: string, help: string): Column => ({ name, help, type: 'gauge' });

const RECEIVED = [
  counter('received', 'Frames that came to the socket past its filter, those the kernel dropped included'),
  counter('packets', 'Frames handed out in batches'),
  counter('bytes', 'Bytes of the frames handed out, as long as they were on the wire'),
  counter('drops', 'Frames dropped by the kernel for want of room'),
  counter('shed', 'Frames taken into the ring and not handed out'),
  counter('stalls', 'Times the ring was left alone because live batches had reached maxBufferedBytes'),
  gauge('waiting', 'Frames in the ring'),
  gauge('buffered_bytes', 'Bytes under live owned batches'),
  gauge('open', 'Open handles'),
] as const;

const SENT = [
  counter('accepted', 'Frames handed over to be sent'),
  counter('packets', 'Frames taken by the kernel'),
  counter('bytes', 'Bytes of the frames taken by the kernel'),
  counter('rejected', 'Frames refused for their length'),
  counter('drops', 'Frames given up: not sent by the device, or left in the ring at its end'),
  gauge('waiting', 'Frames in the transmit ring that the kernel has not taken'),
] as const;

/** A capture's columns: netring's three, and what makes the sum. */
export const CAPTURE_COLUMNS: readonly Column[] = [...RECEIVED, counter('freezes', 'Times the ring was full')];

/** Where a capture counts, or several that are one handle. */
type CountingCapture = Pick<CaptureHandle, 'cumulativeStats' | 'ledger'> & {
  readonly settings: Pick<CaptureHandle['settings'], 'interface'>;
};

export const captures = new Book<CountingCapture>('netring_capture_', ['iface'], CAPTURE_COLUMNS, (handle) => {
  const stats = handle.cumulativeStats();
  const { wire, delivered, drops, shed, waiting } = handle.ledger().received;
  const values = [wire, delivered, stats.bytes, drops, shed, stats.stalls, waiting, stats.bufferedBytes, 1, stats.freezes];
  return [{ labels: [handle.settings.interface], values }];
});

const CHANNEL_COLUMNS: readonly Column[] = [
  counter('received', 'Frames that came to the socket past its filter, those the kernel dropped included'),
  counter('packets', 'Packets handed out'),
  counter('bytes', 'Bytes of the packets handed out, as long as they were on the wire'),
  counter('drops', 'Frames dropped by the kernel for want of room'),
  counter('shed', 'Packets that the queue had no room for, or that nobody had fetched at close'),
  counter('freezes', 'Times the ring was full'),
  gauge('waiting', 'Packets in the ring or in the queue'),
  gauge('open', 'Open handles'),
];

export const channels = new Book<ChannelCapture>('netring_channel_', ['iface'], CHANNEL_COLUMNS, (channel) => {
  const { bytes, freezes } = channel.cumulativeStats();
  const { wire, delivered, drops, shed, waiting } = ledger(channel).received;
  return [{ labels: [channel.openedAs], values: [wire, delivered, bytes, drops, shed, freezes, waiting, 1] }];
});

export const injectors = new Book<InjectorHandle>('netring_inject_', ['iface'], [...SENT, gauge('open', 'Open handles')], (handle) => {
  const { accepted, sent, rejected, dropped, waiting } = handle.ledger().sent;
  return [{ labels: [handle.openedAs], values: [accepted, sent, handle.cumulativeStats().bytes, rejected, dropped, waiting, 1] }];
});

const KERNEL = [
  counter('rx_dropped', 'XDP_STATISTICS: frames dropped without a chunk in the fill ring, or longer than one'),
  counter('rx_invalid_descs', 'XDP_STATISTICS: chunks to receive into that the kernel refused'),
  counter('tx_invalid_descs', 'XDP_STATISTICS: frames to send that the kernel refused'),
  counter('rx_ring_full', 'XDP_STATISTICS: frames dropped because the receive ring was full'),
  counter('rx_fill_ring_empty_descs', 'XDP_STATISTICS: times a chunk was wanted and the fill ring was empty'),
  counter('tx_ring_empty_descs', 'XDP_STATISTICS: times a frame to send was wanted and there was none'),
] as const;

const XDP_COLUMNS: readonly Column[] = [...RECEIVED, ...SENT.map((column) => ({ ...column, name: `tx_${column.name}` })), ...KERNEL];

export const xdpSockets = new Book<XdpHandle>('netring_xdp_', ['iface', 'queue'], XDP_COLUMNS, (handle) => {
  const { socket, kernel } = handle.read();
  const { received, sent } = handle.ledger();
  const { interface: name, queueId } = handle.settings;
  const values = [
    ...[received.wire, received.delivered, socket.bytes, received.drops, received.shed, socket.stalls],
    ...[received.waiting, socket.bufferedBytes, 1],
    ...[sent.accepted, sent.sent, socket.sentBytes, sent.rejected, sent.dropped, sent.waiting],
    ...[kernel.rx_dropped, kernel.rx_invalid_descs, kernel.tx_invalid_descs],
    ...[kernel.rx_ring_full, kernel.rx_fill_ring_empty_descs, kernel.tx_ring_empty_descs],
  ];
  return [{ labels: [name, String(queueId)], values }];
});

const lost = (cause: string): Column => counter('drops', 'Frames that were not forwarded, by cause', { cause });

const BRIDGE_COLUMNS: readonly Column[] = [
  counter('received', 'Frames that came to the interface, those the kernel dropped included'),
  counter('received_bytes', 'Bytes of the frames received, as long as they were on the wire'),
  counter('packets', 'Frames taken by the kernel of the other interface'),
  counter('bytes', 'Bytes of the frames forwarded'),
  counter('filtered', 'Frames held back by a filter or a verdict'),
  lost('kernel'),
  lost('ring_full'),
  lost('too_large'),
  lost('error'),
  lost('closed'),
  counter('tap_shed', 'Frames that the tap left out'),
  counter('timed_out', 'Frames whose verdict did not come in time'),
  gauge('waiting', 'Frames under way: in the ring, in the engine or with the flow'),
  gauge('open', 'Open handles'),
];

export const bridges = new Book<Bridge>('netring_bridge_', ['iface', 'direction'], BRIDGE_COLUMNS, (bridge) => {
  // One reading for both: a bridge counts while it is read.
  const stats = bridge.cumulativeStats();
  const accounts = bridge.ledger(stats);
  const row = (side: 'aToB' | 'bToA', iface: string, direction: BridgeDirection): Row => {
    const { wire, shed, waiting } = accounts[side];
    const one = stats[side];
    return {
      labels: [iface, direction],
      values: [
        ...[wire, one.bytes, one.forwarded, one.forwardedBytes, one.filtered],
        ...[one.kernelDrops, one.ringFull, one.tooLarge, one.errors, shed],
        ...[one.tapShed, one.timedOut, waiting, 1],
      ],
    };
  };
  const { interfaceA, interfaceB } = bridge.settings;
  return [row('aToB', interfaceA, 'a-to-b'), row('bToA', interfaceB, 'b-to-a')];
});
