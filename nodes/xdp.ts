/** Registers `netring-xdp`. */
import type { NodeAPI, NodeDef } from 'node-red';
import { AsyncXdpSocket } from '../src/async/async-xdp-socket';
import { interfaceInfo } from '../src/interfaces/interfaces';
import { settingsFromFlow } from '../src/options/flow';
import type { XdpOptions } from '../src/options/generated/builders';
import { XdpSocket } from '../src/xdp/xdp-socket';
import { registerAdminRoutes } from './runtime/admin';
import { guarded, isWired, logOf, sendTo, settle, standStill, statusSetter, type FlowNode } from './runtime/flow-node';
import { XdpController } from './runtime/xdp/xdp-controller';
import { setupOf } from './runtime/xdp/xdp-setup';

function openSocket(options: XdpOptions): AsyncXdpSocket {
  const socket = XdpSocket.builder(options).build();
  try {
    return new AsyncXdpSocket(socket);
  } catch (error) {
    socket.close();
    throw error;
  }
}

function createController(node: FlowNode, config: NodeDef): XdpController {
  const { options, node: own } = settingsFromFlow('xdp', { ...config });
  const log = logOf(node);
  return new XdpController(setupOf(options, own), {
    id: node.id,
    open: (filter) => openSocket(filter === undefined ? options : { ...options, filter }),
    holdsDefaultRoute: (name) => interfaceInfo(name).defaultRoute,
    sendPackets: (message) => sendTo(node, 0, message, log),
    sendStatistics: (message) => sendTo(node, 1, message, log),
    wired: (output) => isWired(node, output === 'packets' ? 0 : 1),
    status: statusSetter(node),
    log,
  });
}

export = function registerXdp(RED: NodeAPI): void {
  registerAdminRoutes(RED);

  function XdpNode(this: FlowNode, config: NodeDef): void {
    RED.nodes.createNode(this, config);
    let controller: XdpController;
    try {
      controller = createController(this, config);
    } catch (error) {
      return standStill(this, error);
    }
    const log = logOf(this);
    this.on('input', (msg, _send, done) => controller.input(msg, (error) => guarded(log, () => done(error))));
    this.on('close', (_removed: boolean, done: () => void) => settle(controller.close(), done));
    controller.start();
  }

  RED.nodes.registerType('netring-xdp', XdpNode);
};
