/** The panel of netring-xdp. */
import { showErrors } from './errors';
import { explainChoice, field, fieldValue, prepareFields, rowsOf, setField, showWhile } from './fields';
import { prepareFilter } from './filter';
import { createInterfacePicker, type InterfaceChoice } from './interface-picker';
import { effective } from './ring';
import { createTabs } from './tabs';
import { isEnvironment, sizeText, textOf } from './text';

export function prepareXdp(node: EditorNode): void {
  prepareFields(node, 'xdp');
  createTabs(node, 'netring-xdp-tabs');
  // Outside of mode custom it is an error, and what is out of sight could not be corrected.
  showOnly('prefill', 'mode', 'custom');
  showOnly('mapPin', 'attach', 'none');
  prepareFilter(node, 'xdp', 'filter');
  for (const property of ['attach', 'mode', 'bindMode', 'output', 'input']) explainChoice(node, property, `xdp.${property}-about`);
  showWhile('#netring-takes-all', ['filter', 'attach', 'mode', 'prefill'], takesAll);

  let picked: InterfaceChoice | undefined;
  const show = (): void => {
    showQueues(node, picked);
    $('#netring-ring-summary').text(memoryText(node, picked));
    const refused = picked?.defaultRoute === true && takesAll() && field('allowDefaultRoute').prop('checked') !== true;
    $('#netring-default-route').toggle(refused);
  };
  createInterfacePicker(node, 'interface', (choice) => {
    picked = choice;
    show();
  });
  for (const property of ['queueId', 'frameSize', 'frameCount', 'filter', 'attach', 'mode', 'prefill', 'allowDefaultRoute'])
    field(property).on('change', show);
  show();
  showErrors(node, 'xdp');
}

/** Shows the block of a property while another one has the value that it is for, and empties it otherwise. */
function showOnly(property: string, other: string, value: string): void {
  const wanted = (): boolean => fieldValue(other) === value || isEnvironment(fieldValue(other));
  showWhile(`#netring-${property}`, [other], wanted);
  field(other).on('change', () => {
    if (!wanted()) setField(property, '');
  });
}

/** Whether the node, as the form stands, would leave no frame of its queue to the kernel. */
function takesAll(): boolean {
  const mode = fieldValue('mode');
  const receives = mode !== 'tx' && !(mode === 'custom' && Number(fieldValue('prefill')) === 0);
  return receives && fieldValue('filter') === '' && fieldValue('attach') !== 'none';
}

/** Which queues there are, as far as that is known; in red when the one that is asked for is not among them. */
function showQueues(node: EditorNode, picked: InterfaceChoice | undefined): void {
  const queue = fieldValue('queueId');
  const last = (picked?.queues ?? 0) - 1;
  const missing = picked !== undefined && /^\d+$/.test(queue) && Number(queue) > last;
  const known = `${missing ? 'missing' : 'has'}-${last === 0 ? 'one' : 'some'}`;
  const text = textOf(node, `queueId.${picked === undefined ? 'hint' : known}`, { name: picked?.name, count: picked?.queues, last, queue });
  $('#netring-queues').text(text).toggleClass('netring-wrong', missing);
}

function memoryText(node: EditorNode, picked: InterfaceChoice | undefined): string {
  const size = Number(fieldValue('frameSize') || rowsOf('xdp').find((row) => row.name === 'frameSize')?.nodeDefault);
  const count = effective('frameCount');
  if (count === undefined || !Number.isInteger(size)) return textOf(node, 'memory.unknown');
  const queues = fieldValue('queueId') === 'all' ? (picked?.queues ?? 1) : 1;
  return textOf(node, queues > 1 ? 'memory.all' : 'memory.queue', {
    count,
    size: sizeText(size),
    each: sizeText(size * count),
    total: sizeText(size * count * queues),
    queues,
  });
}
