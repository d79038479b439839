/** Registers `netring-inject-out`. */
import type { NodeAPI, NodeDef } from 'node-red';
import { AsyncInjector } from '../src/async/async-injector';
import { Injector } from '../src/injector/injector';
import { interfaceInfo } from '../src/interfaces/interfaces';
import { settingsFromFlow } from '../src/options/flow';
import type { InjectorOptions } from '../src/options/generated/builders';
import { registerAdminRoutes } from './runtime/admin';
import { guarded, isWired, logOf, settle, standStill, statusSetter, type FlowNode } from './runtime/flow-node';
import { InjectController } from './runtime/inject/inject-controller';

function openInjector(options: InjectorOptions): AsyncInjector {
  const injector = Injector.builder(options).build();
  try {
    return new AsyncInjector(injector);
  } catch (error) {
    injector.close();
    throw error;
  }
}

function createController(node: FlowNode, config: NodeDef): InjectController {
  const { options, node: own } = settingsFromFlow('inject-out', { ...config });
  const name = options.interface ?? '';
  return new InjectController(
    { ...own, interface: name },
    {
      open: () => openInjector(options),
      holdsDefaultRoute: (held) => interfaceInfo(held, { netns: options.netns ?? '' }).defaultRoute,
      status: statusSetter(node),
      log: logOf(node),
    },
  );
}

export = function registerInjectOut(RED: NodeAPI): void {
  registerAdminRoutes(RED);

  function InjectOutNode(this: FlowNode, config: NodeDef): void {
    RED.nodes.createNode(this, config);
    let controller: InjectController;
    try {
      controller = createController(this, config);
    } catch (error) {
      return standStill(this, error);
    }
    const log = logOf(this);
    this.on('input', (msg, send, done) =>
      controller.input(msg, {
        report: (payload) => {
          if (!isWired(this, 0)) return;
          // A message of its own: a Catch node still gets the frames that were refused.
          guarded(log, () => send({ ...msg, topic: controller.interface, payload }));
        },
        done: (error) => guarded(log, () => done(error)),
      }),
    );
    this.on('close', (_removed: boolean, done: () => void) => settle(controller.close(), done));
    controller.start();
  }

  RED.nodes.registerType('netring-inject-out', InjectOutNode);
};
