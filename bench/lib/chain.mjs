/**
 * Three network namespaces in a row, client - middle - server, joined by two veth pairs; who stands in the middle makes one network of them. The
 * client's processes run on cpu 0, those of the middle and the server on cpu 1.
 */
import { execute, hold, inside } from './network.mjs';

export const SERVER_ADDRESS = '10.78.0.2';

export class Chain {
  #holders;

  static async create() {
    const chain = new Chain();
    chain.#holders = [await hold(), await hold(), await hold()];
    const [client, , server] = chain.#holders;
    for (const [end, address, near, far] of [
      [client, '10.78.0.1', 'm1', 'c0'],
      [server, SERVER_ADDRESS, 'm2', 's0'],
    ]) {
      execute([...chain.middle('ip'), 'link', 'add', near, 'type', 'veth', 'peer', 'name', far, 'netns', `${end.pid}`]);
      const there = inside(end, 0, ['ip']);
      execute([...there, 'addr', 'add', `${address}/24`, 'dev', far]);
      execute([...there, 'link', 'set', far, 'up']);
      execute([...chain.middle('ip'), 'link', 'set', near, 'up']);
    }
    return chain;
  }

  client = (...command) => inside(this.#holders[0], 0, command);
  middle = (...command) => inside(this.#holders[1], 1, command);
  server = (...command) => inside(this.#holders[2], 1, command);

  /** The same, but free to run on any CPU: for programs whose own placing by the scheduler is what users have. */
  anywhere(which, ...command) {
    return inside(this.#holders[['client', 'middle', 'server'].indexOf(which)], '0-1', command);
  }

  close() {
    for (const holder of this.#holders) holder.stdin.end();
  }
}
