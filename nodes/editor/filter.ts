/** The filter field: what the runtime says of the text while it is typed. */
import { field, fieldValue } from './fields';
import { isEnvironment, textOf } from './text';

interface Answer {
  ok: boolean;
  /** Of an accepted filter: its length in instructions. */
  instructions?: number | unknown[];
  error?: { message: string; column?: number };
}

/** Time after the last keystroke in ms: a check per letter would show errors of words half typed. */
const PAUSE = 300;

/** `property` is the filter's; what is said of it stands in `#netring-<property>-state`. */
export function prepareFilter(node: EditorNode, property: string): void {
  const line = $(`#netring-${property}-state`);
  const say = (text: string, wrong = false): void => void line.text(text).toggleClass('netring-wrong', wrong);
  let asked = '';
  let timer: ReturnType<typeof setTimeout> | undefined;

  const check = (): void => {
    const expression = fieldValue(property);
    if (expression === asked) return;
    asked = expression;
    if (expression === '') return say(textOf(node, 'filter.none'));
    if (isEnvironment(expression)) return say(textOf(node, 'filter.environment'));
    $.ajax({ url: 'netring/filter', method: 'POST', contentType: 'application/json', data: JSON.stringify({ expression }) })
      .done((answer: Answer) => {
        // Answers may overtake each other.
        if (expression === asked) show(answer);
      })
      .fail(() => say(textOf(node, 'filter.unchecked')));
  };
  const show = (answer: Answer): void => {
    // What the editor's own validation has found stands below the field already.
    if (!answer.ok) return say(field(property).hasClass('input-error') ? '' : (answer.error?.message ?? ''), true);
    const count = Array.isArray(answer.instructions) ? answer.instructions.length : (answer.instructions ?? 0);
    say(textOf(node, 'filter.good', { count }));
  };
  field(property).on('change', () => {
    clearTimeout(timer);
    timer = setTimeout(check, PAUSE);
  });
  say(textOf(node, 'filter.none'));
  check();
}
