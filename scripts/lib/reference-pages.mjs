/** Which page of docs/reference/ an export stands on: that of its room in src/, or, from a room that several handles share, that of its handle. */
import { Problem } from './run.mjs';

/** `name` is the file, `from` are beginnings of paths below src/, `names` what comes from elsewhere. The first page that fits has it. */
const PAGES = [
  {
    name: 'capture',
    title: 'Receiving',
    text: 'A receive ring on one interface: `Capture`, and `AsyncCapture` and `PacketStream` on the event loop.',
    from: ['capture/', 'async/async-capture', 'async/packet-stream', 'async/receive-loop', 'async/wait-list', 'native/capture'],
    names: ['CaptureOptions', 'FanoutFlag', 'FanoutMode', 'Latency', 'PacketSource', 'RingProfile', 'TimestampSource'],
  },
  {
    name: 'capture-group',
    title: 'Receiving with several threads',
    text: 'Captures of one fanout group, each in a worker thread, read as one.',
    from: ['group/'],
  },
  {
    name: 'channel',
    title: 'Receiving packet by packet',
    text: 'A native thread reads the ring into a bounded queue of packets.',
    from: ['channel/'],
  },
  {
    name: 'batches',
    title: 'Batches and packets',
    text: 'What all receivers hand out: `PacketBatch`, columns over the packets of one block, and views of a single packet.',
    from: ['batches/'],
  },
  {
    name: 'injector',
    title: 'Sending',
    text: 'A transmit ring on one interface: `Injector`, and `AsyncInjector`, which waits for room.',
    from: ['injector/', 'sending/', 'async/async-injector', 'async/send-loop'],
    names: ['InjectorOptions', 'PacketSink'],
  },
  {
    name: 'bridge',
    title: 'Bridge',
    text: 'Two interfaces become one wire, forwarded by a native thread.',
    from: ['bridge/'],
    names: ['BridgeAction', 'BridgeDirection', 'BridgeOptions'],
  },
  {
    name: 'xdp',
    title: 'AF_XDP',
    text: 'Receiving and sending past the network stack, on one queue of an interface.',
    from: ['xdp/', 'async/async-xdp-socket', 'async/xdp-stream'],
    names: ['XdpAttach', 'XdpBindMode', 'XdpMode', 'XdpOptions'],
  },
  {
    name: 'filter',
    title: 'Filters',
    text: "tcpdump's expressions as classic BPF: compiled, run, explained, listed.",
    from: ['filter/', 'options/filter-program'],
  },
  {
    name: 'decode',
    title: 'Decoding',
    text: 'The layers of a frame, from Ethernet to TCP, UDP and SCTP: offsets into its bytes, never copies, and never an exception.',
    from: ['decode/'],
  },
  {
    name: 'pcap',
    title: 'Capture files',
    text: 'Writing and reading pcap and pcapng, files that rotate, the seconds before an alarm, and replay.',
    from: ['pcap/', 'replay/'],
  },
  {
    name: 'interfaces',
    title: 'Interfaces',
    text: 'What there is to open, and what suits it.',
    from: ['interfaces/', 'native/interfaces'],
  },
  {
    name: 'metrics',
    title: 'Metrics and the ledger',
    text: 'Counters for Prometheus, and what became of every frame.',
    from: ['metrics/', 'ledger'],
  },
  { name: 'errors', title: 'Errors', text: 'The one class of all failures that are not a wrong argument.', from: ['errors/'] },
];

/** The page of the export `name`, which is declared at `path` below src/. */
export function pageOf(name, path) {
  const page = PAGES.find(({ from, names = [] }) => names.includes(name) || from.some((start) => path.startsWith(start)));
  if (page === undefined) throw new Problem(`${name} of src/${path} is exported and has no page: see scripts/lib/reference-pages.mjs`);
  return page;
}

/** All pages, in the order of the index. */
export const pages = () => PAGES;
