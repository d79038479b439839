/**
 * Validators for Node-RED's editor, as JavaScript text. They are the library's own rules: the predicates and texts of rules.ts stand in
 * them by their source, so an option is refused before deploy in the same words as at run time.
 */
import { profileField, RING_PROFILES } from '../profiles';
import { isProgram, programProblem, readProgram } from '../program-rules';
import { EDITOR_PAGE_SIZE, fill, interfaceProblem, namespaceProblem, PAGE_SIZE, type Combination } from '../rules';
import type { OptionRow } from '../table';

/** A validator as Node-RED calls it; null when no value can be wrong. `rows` are all options of the node. */
export function renderValidator(row: OptionRow, combinations: readonly Combination[], rows: readonly OptionRow[]): string | null {
  const checks = [...ownCheck(row), ...combinations.map((combination) => combinationCheck(combination, rows))];
  if (checks.length === 0) return null;
  // Two parameters, because only then does Node-RED take a text for an answer.
  const helpers = [READ, ...(checks.some((check) => check.includes(' fill(')) ? [`var fill = ${fill.toString()};`] : [])];
  return `function (value, opt) {\n${indent([...helpers, ...checks, 'return true;'].join('\n'))}\n}`;
}

/**
 * Reads a property: of the form while the dialog is open, else of the node. `undefined` is blank; NaN is the value of an environment
 * variable, known at run time only.
 */
const READ = `var node = this;
function read(name) {
  var field = $('#node-input-' + name);
  var value = !field.length ? node[name] : field.is(':checkbox') ? field.prop('checked') : field.val();
  if (typeof value === 'string') value = value.trim();
  if (typeof value === 'string' && /^\\$(\\{\\S+\\}|\\(\\S+\\))$/.test(value)) return NaN;
  return value === '' || value === null || (Array.isArray(value) && value.length === 0) ? undefined : value;
}`;

/** An expression is the runtime's to judge: what the panel has heard of it, as a text when it is bad. */
const refused = ({ filterFor }: OptionRow): string =>
  `(typeof netringEditor === 'object' && netringEditor.refusedFilter(String(value), '${filterFor}'))`;

const LIST = `(function (list) {
  return Array.isArray(list) ? list : String(list).split(',').map(function (item) { return item.trim(); });
})`;

function ownCheck(row: OptionRow): string[] {
  const statements = statementsOf(row);
  if (statements.length === 0) return [];
  // A missing interface is an error, any other blank is the default. NaN, and nothing else, is not equal to itself.
  const known = row.type === 'interface' ? 'value === value' : 'value === value && value !== undefined';
  return [`value = read('${row.name}');\nif (${known}) {\n${indent(statements.join('\n'))}\n}`];
}

function statementsOf(row: OptionRow): string[] {
  const values = JSON.stringify(row.values);
  const oneOf = `${row.name} {value} is not one of ${row.values?.join(', ')}`;
  switch (row.type) {
    case 'boolean':
      return [];
    case 'interface':
      return unlessNull(`(${interfaceProblem.toString()})(value === undefined ? '' : String(value), '${row.name}')`);
    case 'namespace':
      return unlessNull(`(${namespaceProblem.toString()})(String(value), '${row.name}')`);
    case 'filter':
      return [
        `if ((${isProgram.toString()})(String(value))) {\n${indent(programStatements(row).join('\n'))}\n}`,
        `else if (${refused(row)}) return ${refused(row)};`,
      ];
    case 'text':
      return [`if (typeof value !== 'string') ${refuse(`${row.name} {value} is not a string`, '{ value: value }')}`];
    case 'queue':
      return [`if (value !== 'all') {\n${indent(numberStatements(row).join('\n'))}\n}`];
    case 'choice':
      return [`if (${values}.indexOf(value) < 0) ${refuse(oneOf, '{ value: value }')}`];
    case 'choices':
      return [
        `var items = ${LIST}(value);`,
        `for (var i = 0; i < items.length; i++) if (${values}.indexOf(items[i]) < 0) ${refuse(oneOf, '{ value: items[i] }')}`,
      ];
    default:
      return numberStatements(row);
  }
}

function programStatements({ name, filterFor }: OptionRow): string[] {
  return [
    `var program = (${readProgram.toString()})(String(value), '${name}');`,
    `if (typeof program === 'string') return program;`,
    ...unlessNull(`(${programProblem.toString()})(program, '${name} line ', 2, '${filterFor}')`),
  ];
}

function numberStatements(row: OptionRow): string[] {
  const whole = row.type === 'integer' || row.type === 'queue';
  const wrong = { integer: 'not an integer', queue: 'neither the number of a queue nor "all"' }[row.type as string] ?? 'not a number';
  return [
    `var number = Number(value);`,
    `if (!(${whole ? 'number % 1 === 0' : 'isFinite(number)'})) ${refuse(`${row.name} {value} is ${wrong}`, '{ value: number === number ? number : value }')}`,
    ...(row.limits ?? []).map((limit) => {
      const bound = limit.bound === PAGE_SIZE ? EDITOR_PAGE_SIZE : limit.bound;
      const text = limit.text.replace('{name}', row.name);
      return `if ((${limit.broken.toString()})(number, ${bound})) ${refuse(text, `{ value: number, bound: ${bound} }`)}`;
    }),
  ];
}

function combinationCheck({ reads, broken, text }: Combination, rows: readonly OptionRow[]): string {
  const values = reads.map((name) => `${name}: ${settled(rowNamed(name, rows), rows)}`);
  const known = reads.map((name) => `values.${name} === values.${name}`).join(' && ');
  return `var values = {\n${indent(values.join(',\n'))}\n};
if (${known} && (${broken.toString()})(values, ${EDITOR_PAGE_SIZE}, ${JSON.stringify(reads)})) ${refuse(text, 'values')}`;
}

/** An expression for what an option comes to with defaults and profile filled in; NaN when that is not known. */
function settled(row: OptionRow, rows: readonly OptionRow[]): string {
  const blank = blankExpression(row, rows);
  const given = { integer: 'Number(given)', number: 'Number(given)', choices: `${LIST}(given)` }[row.type as string] ?? 'given';
  return `(function (given) { return given === undefined ? ${blank} : given !== given ? NaN : ${given}; })(read('${row.name}'))`;
}

function blankExpression(row: OptionRow, rows: readonly OptionRow[]): string {
  const field = profileField(row.name);
  const profile = rows.find(({ type, union }) => type === 'choice' && union === 'RingProfile');
  if (field === undefined || profile === undefined) return JSON.stringify(row.nodeDefault ?? row.default);
  const sizes = Object.fromEntries(Object.entries(RING_PROFILES).map(([name, geometry]) => [name, geometry[field]]));
  return `Number(${JSON.stringify(sizes)}[${settled(profile, rows)}])`;
}

function rowNamed(name: string, rows: readonly OptionRow[]): OptionRow {
  const row = rows.find((candidate) => candidate.name === name);
  if (row === undefined) throw new Error(`a combination reads "${name}", which the node does not have`);
  return row;
}

function refuse(text: string, values: string): string {
  return `return fill(${JSON.stringify(text)}, ${values});`;
}

function unlessNull(problem: string): string[] {
  return [`var problem = ${problem};`, `if (problem !== null) return problem;`];
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}
