/** Registers `netring-bridge`. */
import type { NodeAPI, NodeDef } from 'node-red';
import { Bridge } from '../src/bridge/bridge';
import { interfaceInfo } from '../src/interfaces/interfaces';
import { settingsFromFlow } from '../src/options/flow';
import { registerAdminRoutes } from './runtime/admin';
import { BridgeController } from './runtime/bridge/bridge-controller';
import { isWired, logOf, sendTo, settle, standStill, statusSetter, type FlowNode } from './runtime/flow-node';

const OUTPUTS = { aToB: 0, bToA: 1, statistics: 2 } as const;

function createController(node: FlowNode, config: NodeDef): BridgeController {
  const { options, node: own } = settingsFromFlow('bridge', { ...config });
  const log = logOf(node);
  return new BridgeController(
    { ...own, interfaceA: options.interfaceA ?? '', interfaceB: options.interfaceB ?? '' },
    {
      open: ({ aToB, bToA }) =>
        Bridge.builder({
          ...options,
          ...(aToB === undefined ? {} : { filterAToB: aToB }),
          ...(bToA === undefined ? {} : { filterBToA: bToA }),
        }).build(),
      holdsDefaultRoute: (name) => interfaceInfo(name).defaultRoute,
      sendFrames: (side, message) => sendTo(node, OUTPUTS[side], message, log),
      sendStatistics: (message) => sendTo(node, OUTPUTS.statistics, message, log),
      wired: (output) => isWired(node, OUTPUTS[output]),
      status: statusSetter(node),
      log,
    },
  );
}

export = function registerBridge(RED: NodeAPI): void {
  registerAdminRoutes(RED);

  function BridgeNode(this: FlowNode, config: NodeDef): void {
    RED.nodes.createNode(this, config);
    let controller: BridgeController;
    try {
      controller = createController(this, config);
    } catch (error) {
      return standStill(this, error);
    }
    this.on('input', (msg, _send, done) => settle(controller.input(msg), done));
    this.on('close', (_removed: boolean, done: () => void) => settle(controller.close(), done));
    controller.start();
  }

  RED.nodes.registerType('netring-bridge', BridgeNode);
};
