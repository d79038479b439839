/** The filter field: what the runtime says of the text while it is typed. */
import type { NodeName } from '../../src/options/table';
import { field, fieldValue, rowsOf } from './fields';
import { isEnvironment, textOf } from './text';

interface Answer {
  ok: boolean;
  /** Of an accepted filter: its length in instructions. */
  instructions?: number | unknown[];
  /** `column` counts characters of the expression from 1; 0: no place in it. */
  error?: { message: string; column?: number };
}

/** Time after the last keystroke in ms: a check per letter would show errors of words half typed. */
const PAUSE = 300;

/** Characters that are shown on either side of a mistake. */
const AROUND = 36;

/** What was wrong with expressions that the runtime has refused since the page was loaded, by what they are for and the expression. */
const refused = new Map<string, string>();
const key = (expression: string, wanted: string): string => `${wanted} ${expression}`;

/** What is wrong with an expression, as far as the panels have heard; '' when nothing is known. The editor's own validation asks it. */
export const refusedFilter = (expression: string, wanted: string): string => refused.get(key(expression, wanted)) ?? '';

/** `property` is the filter's; what is said of it stands in `#netring-<property>-state`. */
export function prepareFilter(node: EditorNode, name: NodeName, property: string): void {
  const line = $(`#netring-${property}-state`);
  const wanted = rowsOf(name).find((row) => row.name === property)?.filterFor ?? 'socket';
  const say = (text: string): void => void line.text(text).removeClass('netring-wrong');
  let asked = '';
  let timer: ReturnType<typeof setTimeout> | undefined;

  const check = (): void => {
    const expression = fieldValue(property);
    if (expression === asked) return;
    asked = expression;
    if (expression === '') return say(textOf(node, 'filter.none'));
    if (isEnvironment(expression)) return say(textOf(node, 'filter.environment'));
    const request = JSON.stringify({ expression, for: wanted });
    $.ajax({ url: 'netring/filter', method: 'POST', contentType: 'application/json', data: request })
      .done((answer: Answer) => {
        // Answers may overtake each other.
        if (expression === asked) show(expression, answer);
      })
      .fail(() => say(textOf(node, 'filter.unchecked')));
  };
  const show = (expression: string, { ok, instructions, error }: Answer): void => {
    if (ok) {
      refused.delete(key(expression, wanted));
      say(textOf(node, 'filter.good', { count: Array.isArray(instructions) ? instructions.length : (instructions ?? 0) }));
    } else {
      refused.set(key(expression, wanted), error?.message ?? textOf(node, 'filter.unchecked'));
      line
        .empty()
        .addClass('netring-wrong')
        .append(pointAt(expression, error?.column ?? 0));
    }
    // The editor's own validation runs again, and tells the message in the line below.
    field(property).trigger('change');
  };
  field(property).on('change', () => {
    clearTimeout(timer);
    timer = setTimeout(check, PAUSE);
  });
  say(textOf(node, 'filter.none'));
  check();
}

/** The line of the expression that has the mistake, and below it carets under the wrong word. Nothing for column 0. */
function pointAt(expression: string, column: number): JQuery {
  if (column < 1) return $();
  const at = Math.min(column - 1, expression.length);
  const start = expression.lastIndexOf('\n', at - 1) + 1;
  const before = expression.slice(start, at);
  // A sign is a word of its own.
  const word = /^[\w.:-]+/.exec(expression.slice(at))?.[0] ?? expression.slice(at, at + 1).trim();
  const after = expression.slice(at + word.length).split('\n', 1)[0] ?? '';
  const left = before.length > AROUND ? `…${before.slice(-AROUND)}` : before;
  const shown = word.length > AROUND ? `${word.slice(0, AROUND)}…` : word;
  const right = after.length > AROUND ? `${after.slice(0, AROUND)}…` : after;
  return $('<pre class="netring-mistake">').append(
    document.createTextNode(left),
    $('<u>').text(shown),
    document.createTextNode(`${right}\n${' '.repeat(left.length)}`),
    $('<span aria-hidden="true">').text('^'.repeat(Math.max(1, shown.length))),
  );
}
