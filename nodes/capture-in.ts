/** Registers `netring-capture-in`. */
import type { NodeAPI, NodeDef } from 'node-red';
import { AsyncCapture } from '../src/async/async-capture';
import { Capture } from '../src/capture/capture';
import { settingsFromFlow } from '../src/options/flow';
import type { CaptureOptions } from '../src/options/generated/builders';
import { registerAdminRoutes } from './runtime/admin';
import { CaptureController } from './runtime/capture/capture-controller';
import { isWired, logOf, sendTo, settle, standStill, statusSetter, type FlowNode } from './runtime/flow-node';

function createController(node: FlowNode, config: NodeDef): CaptureController {
  const { options, node: own } = settingsFromFlow('capture-in', { ...config });
  const log = logOf(node);
  return new CaptureController(
    { interface: options.interface ?? '', output: own.output, statsInterval: own.statsInterval },
    {
      id: node.id,
      open: (filter) => openCapture(filter === undefined ? options : { ...options, filter }),
      sendPackets: (message) => sendTo(node, 0, message, log),
      sendStatistics: (message) => sendTo(node, 1, message, log),
      wired: (output) => isWired(node, output === 'packets' ? 0 : 1),
      status: statusSetter(node),
      log,
    },
  );
}

function openCapture(options: CaptureOptions): AsyncCapture {
  const capture = Capture.builder(options).build();
  try {
    return new AsyncCapture(capture);
  } catch (error) {
    capture.close();
    throw error;
  }
}

export = function registerCaptureIn(RED: NodeAPI): void {
  registerAdminRoutes(RED);

  function CaptureInNode(this: FlowNode, config: NodeDef): void {
    RED.nodes.createNode(this, config);
    let controller: CaptureController;
    try {
      controller = createController(this, config);
    } catch (error) {
      return standStill(this, error);
    }
    this.on('input', (msg, _send, done) => settle(controller.control(msg), done));
    this.on('close', (_removed: boolean, done: () => void) => settle(controller.close(), done));
    controller.start();
  }

  RED.nodes.registerType('netring-capture-in', CaptureInNode);
};
