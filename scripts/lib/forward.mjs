/** A door on localhost to a Unix socket: sockets in the file system are the same in every network namespace. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { Problem } from './run.mjs';

/** Where Node-RED usually listens, and how many ports after it are tried. */
const USUAL_PORT = 1880;
const TRIES = 20;

/** Forwards connections to 127.0.0.1:`port`, or to the first free port from 1880 on, to the socket. Resolves to the server. */
export async function forward(socketPath, port) {
  const server = createServer((near) => {
    const far = connect(socketPath);
    near.pipe(far).pipe(near);
    // Either end may go at any time: a closed browser tab, a runtime that stops.
    near.on('error', () => far.destroy());
    far.on('error', () => near.destroy());
  });
  const ports = port === undefined ? Array.from({ length: TRIES }, (_, i) => USUAL_PORT + i) : [port];
  for (const candidate of ports) {
    try {
      server.listen(candidate, '127.0.0.1');
      await once(server, 'listening');
      return server;
    } catch (error) {
      if (error.code !== 'EADDRINUSE') throw new Problem(`port ${candidate}: ${error.message}`);
    }
  }
  throw new Problem(`port ${ports.join(', ')} in use: choose another one with --port`);
}
