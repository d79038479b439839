/** The panel of netring-capture-in. */
import { showErrors } from './errors';
import { explainChoice, field, fieldValue, prepareFields, setField, showWhile } from './fields';
import { prepareFilter } from './filter';
import { createInterfacePicker } from './interface-picker';
import { prepareProfile, saveProfile } from './ring';
import { createTabs } from './tabs';

/** One ring, whose fields have no prefix. */
const PORTS = [''] as const;

export function prepareCaptureIn(node: EditorNode): void {
  prepareFields(node, 'capture-in');
  createTabs(node, 'netring-capture-in-tabs');
  createInterfacePicker(node, 'interface');
  prepareProfile(node, PORTS);
  prepareFilter(node, 'filter');
  prepareFanout(node);
  explainChoice(node, 'latency', 'capture-in.latency-about');
  explainChoice(node, 'timestampSource', 'capture-in.timestamp-about');
  explainChoice(node, 'output', 'capture-in.output-about');
  showErrors(node, 'capture-in');
  // The node has its input only while it takes control messages.
  field('control').on('change', () => void field('inputs').val(field('control').prop('checked') === true ? '1' : '0'));
}

export function saveCaptureIn(): void {
  saveProfile(PORTS);
}

const FLAGS = '#netring-fanout-flags input[type=checkbox]';

/** The checkboxes stand for a hidden multiple select, whose value Node-RED saves as an array. */
function prepareFanout(node: EditorNode): void {
  const boxes = $(FLAGS).toArray() as HTMLInputElement[];
  const saved = field('fanoutFlags').val();
  for (const box of boxes) box.checked = Array.isArray(saved) && saved.includes(box.value);
  const keep = (): void =>
    void field('fanoutFlags')
      .val(boxes.filter((box) => box.checked).map((box) => box.value))
      .trigger('change');
  $(FLAGS).on('change', keep);
  field('fanoutMode').on('change', () => {
    if (fieldValue('fanoutMode') !== '') return;
    // Group and flags need a mode, and what is out of sight could not be corrected.
    for (const box of boxes) box.checked = false;
    keep();
    setField('fanoutGroup', '');
  });
  explainChoice(node, 'fanoutMode', 'capture-in.fanout-about');
  showWhile('#netring-fanout', ['fanoutMode'], () => fieldValue('fanoutMode') !== '');
}
