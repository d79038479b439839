/** The picker of a network interface: a list of those that are there, an environment variable, or any name typed by hand. */
import { field, fieldValue, setField } from './fields';
import { isEnvironment, speedText } from './text';

/** What the admin route tells of an interface. */
export interface InterfaceChoice {
  name: string;
  mtu: number;
  address: string;
  up: boolean;
  /** Receive queues. */
  queues: number;
  /** Mbit/s, 0 when unknown. */
  speed: number;
  defaultRoute: boolean;
}

/** What opens a menu of the widget: of the types, and of the entries. */
const TRIGGERS = '.red-ui-typedInput-type-select, .red-ui-typedInput-option-trigger';
/** The one that was pressed last, of all pickers: the widget does not tell whose menu is open. */
let lastTrigger: Element | undefined;

type Listener = (picked: InterfaceChoice | undefined) => void;

/**
 * The visible typedInput `#netring-<property>` works beside the property's own hidden input, which holds what the flow saves: a name, or `${NAME}`.
 * `onPick` is told what is known of the interface whenever another is picked.
 */
export function createInterfacePicker(node: EditorNode, property: string, onPick: Listener = () => undefined): void {
  const picker = $(`#netring-${property}`);
  const state = $(`#netring-${property}-state`);
  const initial = fieldValue(property);
  let known: InterfaceChoice[] | undefined;

  picker.val(isEnvironment(initial) ? initial.slice(2, -1) : initial);
  picker.typedInput({ default: isEnvironment(initial) ? 'env' : 'list', types: types(node, initial, known) });
  labelTypedInput(picker, node, `netring-${property}-label`);
  container(picker)
    .find(TRIGGERS)
    .on('click keydown', (event) => (lastTrigger = event.currentTarget as Element));

  const update = (): void => {
    const value = picker.typedInput('value').trim();
    const environment = picker.typedInput('type') === 'env' && value !== '' && !isEnvironment(value);
    setField(property, environment ? `\${${value}}` : value);
    const picked = environment ? undefined : known?.find((candidate) => candidate.name === value);
    if (environment) state.text(node._('netring.interface.environment'));
    else if (known !== undefined) state.text(stateText(node, value, picked));
    onPick(picked);
  };
  picker.on('change', update);
  update();

  /** Asks for the interfaces of the network namespace that the form names; panels without such a field have the process's own. */
  const ask = (): void => {
    const netns = fieldValue('netns');
    const isCurrent = (): boolean => netns === fieldValue('netns');
    if (isEnvironment(netns)) return fail(undefined);
    $.getJSON('netring/interfaces', netns === '' ? {} : { netns })
      .done((answer: unknown) => {
        if (!isCurrent()) return;
        if (!Array.isArray(answer)) return fail(answer);
        known = answer as InterfaceChoice[];
        const reopen = closeMenu(picker);
        picker.typedInput('types', types(node, fieldValue(property), known));
        update();
        reopen();
      })
      .fail(() => isCurrent() && fail(undefined));
  };

  const fail = (answer: unknown): void => {
    const error = (answer as { error?: { message?: string } } | undefined)?.error;
    state.text(error?.message ?? node._('netring.interface.no-list'));
    // A list that cannot be had is no reason not to type the name.
    if (picker.typedInput('type') !== 'list') return;
    closeMenu(picker);
    picker.typedInput('type', 'name');
  };

  // Not with every letter of it: the editor's own validation is told of each.
  field('netns').on('blur', ask);
  ask();
}

function types(node: EditorNode, saved: string, known: InterfaceChoice[] | undefined): (string | TypedInputType)[] {
  const options = (known ?? []).map((candidate) => ({ value: candidate.name, label: choiceText(node, candidate) }));
  // Without it the list would silently fall to its first entry, and a flow that is edited on another machine would lose its interface.
  const absent = saved !== '' && !isEnvironment(saved) && !options.some((option) => option.value === saved);
  if (absent) options.unshift({ value: saved, label: known === undefined ? saved : node._('netring.interface.absent', { name: saved }) });
  if (saved === '' || isEnvironment(saved)) options.unshift({ value: '', label: node._('netring.interface.choose') });
  return [
    { value: 'list', label: node._('netring.interface.list'), icon: 'fa fa-plug', options },
    { value: 'name', label: node._('netring.interface.name'), icon: 'fa fa-i-cursor' },
    'env',
  ];
}

function choiceText(node: EditorNode, choice: InterfaceChoice): string {
  const parts = [choice.name, node._(choice.up ? 'netring.interface.up' : 'netring.interface.down')];
  if (choice.speed > 0) parts.push(speedText(choice.speed));
  if (choice.address !== '') parts.push(choice.address);
  return parts.join(' · ');
}

function stateText(node: EditorNode, value: string, picked: InterfaceChoice | undefined): string {
  if (value === '') return '';
  if (picked === undefined) return node._('netring.interface.unknown');
  const parts = [node._(picked.up ? 'netring.interface.up' : 'netring.interface.down')];
  if (picked.speed > 0) parts.push(speedText(picked.speed));
  parts.push(`MTU ${picked.mtu}`);
  if (picked.address !== '') parts.push(picked.address);
  if (picked.defaultRoute) parts.push(node._('netring.interface.default-route'));
  return parts.join(' · ');
}

/**
 * Closes the picker's menu if it is open, and returns what opens it again: other entries take away the menu that shows the old ones, and a list that
 * arrives late would take it from under the pointer. That a menu is open the widget tells, and not of which field: the panels have no others than pickers.
 */
function closeMenu(picker: JQuery): () => void {
  const trigger = lastTrigger;
  const open =
    trigger !== undefined && container(picker)[0]?.contains(trigger) === true && $('.red-ui-typedInput-options:visible').length > 0;
  if (!open) return () => undefined;
  $(document).trigger('mousedown');
  return () => $(trigger).trigger('click');
}

const container = (picker: JQuery): JQuery => picker.next('.red-ui-typedInput-container');

/** Node-RED 4 does not carry the label over to the inputs that the widget makes. */
function labelTypedInput(picker: JQuery, node: EditorNode, label: string): void {
  const parts = container(picker);
  parts.find('.red-ui-typedInput-input, .red-ui-typedInput-option-trigger').attr('aria-labelledby', label);
  parts.find('.red-ui-typedInput-type-select').attr('aria-label', node._('netring.interface.kind'));
}
