/** The panel of netring-inject-out. */
import { showErrors } from './errors';
import { explainChoice, field, fieldValue, prepareFields, showWhile } from './fields';
import { createInterfacePicker, type InterfaceChoice } from './interface-picker';
import { prepareTransmitRing } from './ring';
import { createTabs } from './tabs';

export function prepareInjectOut(node: EditorNode): void {
  prepareFields(node, 'inject-out');
  createTabs(node, 'netring-inject-out-tabs');
  let picked: InterfaceChoice | undefined;
  const warn = (): void => {
    const refused = picked?.defaultRoute === true && field('allowDefaultRoute').prop('checked') !== true;
    $('#netring-default-route').toggle(refused);
  };
  createInterfacePicker(node, 'interface', (choice) => {
    picked = choice;
    warn();
  });
  field('allowDefaultRoute').on('change', warn);
  prepareTransmitRing(node);
  explainChoice(node, 'input', 'inject-out.input-about');
  explainChoice(node, 'pacing', 'inject-out.pacing-about');
  explainChoice(node, 'onFull', 'inject-out.full-about');
  showWhile('#netring-rate', ['pacing'], () => fieldValue('pacing') !== 'none' && fieldValue('pacing') !== 'recorded');
  const unit = (): void =>
    void $('#netring-rate-unit').text(node._(`inject-out.rate-unit.${fieldValue('pacing') === 'bps' ? 'bps' : 'pps'}`));
  field('pacing').on('change', unit);
  unit();
  showErrors(node, 'inject-out');
}
