/** What can be said of an AF_XDP socket's options before the kernel is asked, and what its refusals come to. */
import { NetringError } from '../errors/errors';
import type { InterfaceInfo } from '../interfaces/interfaces';
import type { XdpOptions, XdpSettings } from '../options/generated/builders';
import { receivingFrames } from '../options/validate';
import { remedyFor } from '../errors/remedies';

/** XDP_PACKET_HEADROOM of linux/bpf.h: room that the kernel leaves before a received frame. */
const HEADROOM = 256;

/** Ethernet header and one 802.1Q tag. */
const LONGEST_HEADER = 18;

/** Throws Config for a receiving socket whose queue the interface does not have, or whose chunks are too small for its frames. */
export function assertFits(settings: XdpSettings, { name, mtu, queues }: Pick<InterfaceInfo, 'name' | 'mtu' | 'queues'>): void {
  if (receivingFrames(settings) === 0) return;
  const { queueId, frameSize } = settings;
  if (queueId !== 'all' && queueId >= queues) {
    const range = queues === 1 ? '1 queue (0)' : `${queues} queues (0 to ${queues - 1})`;
    throw NetringError.config(`queueId ${queueId} is out of range: ${name} has ${range}`, 'queueId');
  }
  const room = frameSize - HEADROOM;
  if (mtu + LONGEST_HEADER > room) {
    const remedy = mtu + LONGEST_HEADER <= 4096 - HEADROOM ? 'take 4096' : 'lower the MTU';
    throw NetringError.config(
      `frameSize ${frameSize} has ${room} bytes for a received frame, and with MTU ${mtu} ${name} has frames of up to ${mtu + LONGEST_HEADER}: ${remedy}`,
      'frameSize',
    );
  }
}

/** What a socket that shares its memory has to be: its state, and the options it was opened with. */
export interface SharedUmem {
  readonly closed: boolean;
  readonly sends: boolean;
  readonly interface: string;
  readonly settings: Pick<XdpSettings, 'queueId' | 'frameSize' | 'frameCount'>;
}

/** Options with what the shared memory decides, where it is left out: its sizes, and that the socket only sends. */
export function withSharedSizes(options: XdpOptions, { settings }: SharedUmem): XdpOptions {
  return {
    ...options,
    mode: options.mode ?? 'tx',
    frameSize: options.frameSize ?? settings.frameSize,
    frameCount: options.frameCount ?? settings.frameCount,
  };
}

/** Throws Config for sockets that cannot share memory. */
export function assertShareable(settings: XdpSettings, shared: SharedUmem): void {
  const refuse = (text: string): NetringError => NetringError.config(`sharedUmem ${text}`, 'sharedUmem');
  if (shared.closed) throw refuse('is closed: a socket shares its memory while it is open');
  if (settings.queueId === 'all' || shared.settings.queueId === 'all')
    throw refuse('with queueId "all": sockets share memory on one queue of one interface');
  if (settings.interface !== shared.interface)
    throw refuse(
      `is bound to ${shared.interface}, but interface is "${settings.interface}": sockets share memory on one queue of one interface`,
    );
  if (settings.queueId !== shared.settings.queueId)
    throw refuse(
      `is bound to queue ${shared.settings.queueId}, but queueId is ${settings.queueId}: sockets share memory on one queue of one interface`,
    );
  if (receivingFrames(settings) > 0)
    throw refuse(`with mode "${settings.mode}": frames come to the socket whose memory it is, the one that shares it only sends (mode tx)`);
  if (!shared.sends) throw refuse('is a socket without frames to send from: open it with mode rxtx, or custom with a smaller prefill');
  if (settings.frameCount !== shared.settings.frameCount)
    throw refuse(`has frameCount ${shared.settings.frameCount}, but frameCount is ${settings.frameCount}: the memory is one`);
  if (settings.frameSize !== shared.settings.frameSize)
    throw refuse(
      `has frameSize ${shared.settings.frameSize}, but frameSize is ${settings.frameSize}: shared memory has chunks of one size`,
    );
}

/** A refusal with what only the opener knows: the memory that was asked for, the queue, the family of the socket. */
export function explainRefusal(error: unknown, settings: XdpSettings, queues: number): unknown {
  if (!(error instanceof NetringError)) return error;
  const { queueId, frameSize, frameCount, bindMode } = settings;
  switch (`${error.code} ${error.option ?? error.syscall}`) {
    case 'ENOBUFS XDP_UMEM_REG':
    case 'ENOMEM XDP_UMEM_REG': {
      const size = `${frameSize * frameCount} bytes (frameSize ${frameSize} x frameCount ${frameCount})`;
      return reworded(error, `${size}${queueId === 'all' ? ` for each of ${queues} queues` : ''} were asked for`);
    }
    case 'ENOMEM mmap':
      return reworded(error, `there is no memory for ${frameSize * frameCount} bytes`, remedyFor(error.code, 'XDP_UMEM_REG'));
    case 'EBUSY bind':
      return reworded(error, `another socket is bound to ${queueId === 'all' ? 'one of its queues' : `queue ${queueId}`}`);
    case 'ENOTSUP bind':
      return bindMode === 'zerocopy' ? reworded(error, 'no zero-copy here, and bindMode is "zerocopy"') : error;
    case 'EAFNOSUPPORT socket':
      return reworded(error, 'no AF_XDP sockets here', remedyFor(error.code, 'AF_XDP'));
    default:
      return error;
  }
}

function reworded(error: NetringError, reason: string, hint = error.hint): NetringError {
  const { kind, code, errno, syscall, option, interface: name } = error;
  return new NetringError(kind, `${error.message}: ${reason}`, {
    code,
    hint,
    ...(errno === undefined ? {} : { errno }),
    ...(syscall === undefined ? {} : { syscall }),
    ...(option === undefined ? {} : { option }),
    ...(name === undefined ? {} : { interface: name }),
  });
}
