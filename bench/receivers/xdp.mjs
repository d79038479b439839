/** The AF_XDP socket that the receivers share. Arguments of the process: interface, options. */
import { AsyncXdpSocket, XdpSocket } from '../../dist/src/index.js';

export const socket = new AsyncXdpSocket(
  XdpSocket.builder({ interface: process.argv[2], queueId: 0, mode: 'rx', ...JSON.parse(process.argv[3]) }).build(),
);

/** Frames the kernel dropped, for want of a frame or of room in the ring: as the C reader counts them. */
export const drops = () => socket.statistics().dropped;
