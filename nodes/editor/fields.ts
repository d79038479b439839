/** The fields of a panel: what the table of options and the catalogue add to the inputs that stand in its HTML. */
import { PAGE_SIZE } from '../../src/options/rules';
import { NODE_GROUPS, OPTION_TABLE, type NodeName, type OptionRow } from '../../src/options/table';
import { isEnvironment, sizeText } from './text';

/** A property's input. Node-RED fills it when the dialog opens and saves what stands in it. */
export const field = (property: string): JQuery => $(`#node-input-${property}`);

export const fieldValue = (property: string): string => String(field(property).val() ?? '').trim();

/** Sets a field as if the user had typed it, so that validation and everything that listens follows. */
export function setField(property: string, value: string): void {
  if (field(property).val() === value) return;
  field(property).val(value).trigger('change');
}

/** The rows of a node's options, in the order of the table. */
export function rowsOf(name: NodeName): OptionRow[] {
  return NODE_GROUPS[name].flatMap((group) => OPTION_TABLE[group]);
}

/** Gives every field of the panel its default as placeholder and its help line as tooltip, and keeps `${ENV}` values alive. */
export function prepareFields(node: EditorNode, name: NodeName): void {
  // The editor validates on "paste", when the text is not in the field yet; "input" comes after every way to change it.
  $('.netring-panel').on('input', (event) => void $(event.target).trigger('change'));
  for (const row of rowsOf(name)) {
    keepEnvironment(node, row);
    const input = field(row.name);
    if (input.is('input[type=text]') && !input.attr('placeholder')) input.attr('placeholder', defaultText(row));
    const line = input.closest('.form-row');
    (line.find('[id^="node-input-"]').length > 1 ? input : line).attr('title', helpLine(row));
    if (row.unit === 'bytes') showSize(input, row);
  }
}

function defaultText(row: OptionRow): string {
  const value = row.nodeDefault ?? row.default;
  return typeof value === 'number' ? String(value) : '';
}

/** The help line of the table, with the rules that the value must keep. */
function helpLine(row: OptionRow): string {
  const limits = (row.limits ?? []).map((limit) =>
    limit.says.replace('{bound}', limit.bound === PAGE_SIZE ? 'the page size' : String(limit.bound)),
  );
  return `${row.name}: ${row.doc}${limits.length === 0 ? '' : ` (${limits.join(', ')})`}`;
}

/**
 * A select and a checkbox would lose a `${NAME}` that stands in the flow: the select gets it as one more choice, the checkbox gives way to
 * a text field.
 */
function keepEnvironment(node: EditorNode, row: OptionRow): void {
  const saved = node[row.name];
  if (typeof saved !== 'string' || saved === '') return;
  const input = field(row.name);
  if (input.is('select') && input.val() !== saved) input.append($('<option>').val(saved).text(saved)).val(saved);
  else if (input.is('input[type=checkbox]') && isEnvironment(saved)) {
    const text = $('<input type="text" class="netring-environment">').attr('id', input.attr('id') as string);
    input.replaceWith(text.val(saved));
  }
}

/** Says beside a number of bytes what it comes to. */
function showSize(input: JQuery, row: OptionRow): void {
  const unit = input.siblings('.netring-unit').last();
  // A row of two fields has no room for it.
  if (unit.length === 0 || input.siblings('[id^="node-input-"]').length > 0) return;
  const size = $('<span class="netring-unit">').insertAfter(unit);
  const show = (): void => {
    const bytes = Number(input.val() === '' ? (row.nodeDefault ?? row.default) : input.val());
    size.text(Number.isInteger(bytes) && bytes >= 1024 ? `= ${sizeText(bytes)}` : '');
  };
  input.on('change', show);
  show();
}

/** Explains the choice of a select in the line below it: `<prefix>.<value>` of the catalogue. */
export function explainChoice(node: EditorNode, property: string, prefix: string): void {
  const line = $(`#netring-about-${property}`);
  const show = (): void => {
    const value = fieldValue(property);
    line.text(isEnvironment(value) ? '' : node._(`${prefix}.${value === '' ? 'none' : value}`));
  };
  field(property).on('change', show);
  show();
}

/** Shows a block of fields only while the condition holds, which is looked at again when one of the properties changes. */
export function showWhile(block: string, properties: readonly string[], condition: () => boolean): void {
  const show = (): void => void $(block).toggle(condition());
  for (const property of properties) field(property).on('change', show);
  show();
}
