/** What is wrong with a field, in the line below it: the editor itself tells it only in a tooltip. */
import type { NodeName, OptionRow } from '../../src/options/table';
import { field, rowsOf } from './fields';

type Validator = (this: EditorNode, value: unknown, options: object) => boolean | string;
interface Definition {
  defaults: Record<string, { validate?: Validator } | undefined>;
}

/** Follows the editor's own validation, which runs on a change of any field and sets a class. */
export function showErrors(node: EditorNode, name: NodeName): void {
  const rows = rowsOf(name);
  const panes = $(`#netring-${name}-tabs-content`).children();
  const show = (): void => {
    for (const row of rows) showError(node, row);
    // The field itself may be on a tab that is out of sight.
    panes.each((_index, pane) => {
      const wrong = $(pane).find('.netring-error').length > 0;
      $(`#netring-${name}-tabs a[href="#${pane.id}"]`).toggleClass('netring-tab-error', wrong);
    });
  };
  const observer = new MutationObserver(show);
  for (const row of rows)
    field(row.name).each((_index, input) => observer.observe(input, { attributes: true, attributeFilter: ['class'] }));
  // The class stays while one error gives way to another.
  panes.on('change', () => void setTimeout(show));
  show();
}

function showError(node: EditorNode, row: OptionRow): void {
  const input = field(row.name);
  const id = `netring-error-${row.name}`;
  const problem = input.hasClass('input-error') ? problemOf(node, row.name) : '';
  input.attr('aria-invalid', String(problem !== ''));
  // The interface's own input is hidden behind its picker.
  if (row.type === 'interface') input.nextAll('.red-ui-typedInput-container').toggleClass('input-error', problem !== '');
  if (problem === '') return void $(`#${id}`).remove();
  const line =
    $(`#${id}`).get(0) ?? $('<div class="netring-hint netring-error" role="alert">').attr('id', id).insertAfter(anchorOf(input)).get(0);
  if (line !== undefined && line.textContent !== problem) line.textContent = problem;
}

const anchorOf = (input: JQuery): JQuery => (input.closest('.form-row').length > 0 ? input.closest('.form-row') : input);

function problemOf(node: EditorNode, property: string): string {
  const answer = (node['_def'] as Definition).defaults[property]?.validate?.call(node, field(property).val(), {});
  return typeof answer === 'string' ? answer : node._('netring.invalid', { property });
}
