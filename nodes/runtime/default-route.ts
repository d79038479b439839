/** Nodes that send keep off the interface over which the editor may be reached. */
import { NetringError } from '../../src/errors/errors';

/** Between looks at the routes while a node is open: Node-RED is often up before DHCP has set the default route. */
export const ROUTE_INTERVAL_MS = 5000;

/** Why a node must not use an interface that holds the default route. */
export function defaultRouteError(name: string): NetringError {
  return new NetringError('Config', `${name} holds the default route`, {
    code: 'ERR_DEFAULT_ROUTE',
    option: 'allowDefaultRoute',
    interface: name,
    hint: 'the editor may be reached over it; set allowDefaultRoute to use it all the same',
  });
}
