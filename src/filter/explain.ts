/** What an expression means, for people. */
import { compileFilter, type CompileOptions } from './compile';
import { disassemble } from './disassemble';
import { describe, primitiveText, type Primitive, type Remark } from './explain-words';
import { parse } from './parser';
import type { Joint, Node } from './syntax';

const REMARKS: Readonly<Record<Remark, string>> = {
  ports:
    'Ports are looked for in IPv4 packets, of a fragmented one in its first fragment only (the others hold no ports), and in IPv6 packets ' +
    'without extension headers.',
  behind: 'Bytes behind an IPv4 header are looked at in packets that are whole and in first fragments only, and not in IPv6.',
  tag: 'What follows vlan in the expression is looked for behind the tag, alternatives included: put what is to match without a tag before it.',
  label: 'What follows mpls in the expression is looked for behind the label.',
  session: 'What follows pppoes in the expression is looked for behind the header of the session.',
};

/**
 * Says in plain words how an expression is understood: with every parenthesis that it could have, with what it leaves out filled in, and what each
 * of its parts looks at; then the program, as `disassemble` writes it. For people: the wording may change.
 * Throws as `compileFilter`.
 *
 * @example What it really asks for
 * ```ts
 * import { explainFilter } from '@netring/node-red';
 *
 * console.log(explainFilter('port 53 and not src net 10.0.0.0/8'));
 * ```
 */
export function explainFilter(expression: string, options: CompileOptions = {}): string {
  const program = compileFilter(expression, options);
  const count = program.length === 1 ? '1 instruction' : `${program.length} instructions`;
  const listing = `${count}:\n${disassemble(program)}`;
  const node = parse(expression);
  if (node === null) return `Every frame.\n\n${listing}`;
  const remarks = new Set<Remark>();
  const parts = new Map<string, string>();
  for (const primitive of primitivesOf(node))
    parts.set(
      primitiveText(primitive),
      describe(primitive, (remark) => remarks.add(remark)),
    );
  const width = Math.max(...[...parts.keys()].map(({ length }) => length));
  return [
    nodeText(node, false),
    '',
    ...[...parts].map(([text, meaning]) => `  ${text.padEnd(width)}  ${meaning}`),
    '',
    ...[...remarks].flatMap((remark) => [REMARKS[remark], '']),
    listing,
  ].join('\n');
}

function primitivesOf(node: Node): Primitive[] {
  if (node.kind === 'not') return primitivesOf(node.node);
  if (node.kind === 'chain') return [node.first, ...node.rest.map((link) => link.node)].flatMap(primitivesOf);
  return [node];
}

/** `and` and `or` bind alike, from left to right: what stands before a change of the word is one operand of the next. */
function nodeText(node: Node, within: boolean): string {
  if (node.kind === 'not') return `not ${nodeText(node.node, true)}`;
  if (node.kind !== 'chain') return primitiveText(node);
  let text = nodeText(node.first, true);
  let joint: Joint | undefined;
  for (const link of node.rest) {
    if (joint !== undefined && link.joint !== joint) text = `(${text})`;
    text += ` ${link.joint} ${nodeText(link.node, true)}`;
    joint = link.joint;
  }
  return within && node.rest.length > 0 ? `(${text})` : text;
}
