/** The panel of netring-bridge. */
import { showErrors } from './errors';
import { explainChoice, field, fieldValue, prepareFields, showWhile } from './fields';
import { prepareFilter } from './filter';
import { createInterfacePicker } from './interface-picker';
import { prepareProfile, saveProfile } from './ring';
import { createTabs } from './tabs';

const PORTS = ['a', 'b'] as const;

export function prepareBridge(node: EditorNode): void {
  prepareFields(node, 'bridge');
  createTabs(node, 'netring-bridge-tabs');
  prepareInterfaces(node);
  for (const property of ['filterAToB', 'filterBToA']) prepareFilter(node, 'bridge', property);
  prepareProfile(node, PORTS);
  explainChoice(node, 'filterAction', 'bridge.filterAction-about');
  explainChoice(node, 'mode', 'bridge.mode-about');
  explainChoice(node, 'tap', 'bridge.tap-about');
  explainChoice(node, 'inlineDefault', 'bridge.inlineDefault-about');
  const isInline = (): boolean => fieldValue('mode') === 'inline';
  showWhile('#netring-inline', ['mode'], isInline);
  showWhile('#netring-tap', ['mode'], () => !isInline());
  showWhile('#netring-tapRate', ['tap'], () => fieldValue('tap') !== 'off' && fieldValue('tap') !== 'all');
  showErrors(node, 'bridge');
}

export function saveBridge(): void {
  saveProfile(PORTS);
}

/** Both pickers, and the warning when either interface holds the default route. */
function prepareInterfaces(node: EditorNode): void {
  const holds = { interfaceA: false, interfaceB: false };
  const warn = (): void => {
    const held = holds.interfaceA || holds.interfaceB;
    $('#netring-default-route').toggle(held && field('allowDefaultRoute').prop('checked') !== true);
  };
  for (const property of ['interfaceA', 'interfaceB'] as const) {
    createInterfacePicker(node, property, (picked) => {
      holds[property] = picked?.defaultRoute === true;
      warn();
    });
  }
  field('allowDefaultRoute').on('change', warn);
  warn();
}
