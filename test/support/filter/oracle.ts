/** tcpdump as the judge of what an expression means: its programs, many in one go. */
import { spawn } from 'node:child_process';
import type { BpfInsn } from '../../../src/filter/instruction';

/** What tcpdump makes of an expression: its program, or why there is none. */
export type Verdict = { program: readonly BpfInsn[]; error: null } | { program: null; error: string };

/** One tcpdump after the other in one shell: starting each from Node.js takes longer than it runs. Expressions are one line. */
const LOOP = 'while IFS= read -r expression; do tcpdump "$@" -- "$expression" 2>&1; echo "== $?"; done';

const SHELLS = 3;

/** The verdicts on `expressions`, by tcpdump with `flags` (`-y EN10MB`, `-i lo`, `-O`). */
export async function judge(expressions: readonly string[], ...flags: readonly string[]): Promise<Verdict[]> {
  const size = Math.ceil(expressions.length / SHELLS);
  const shares = Array.from({ length: SHELLS }, (_, index) => expressions.slice(index * size, (index + 1) * size));
  return (await Promise.all(shares.map((share) => judgeShare(share, flags)))).flat();
}

async function judgeShare(expressions: readonly string[], flags: readonly string[]): Promise<Verdict[]> {
  if (expressions.length === 0) return [];
  const shell = spawn('sh', ['-c', LOOP, 'sh', '-ddd', ...flags], { stdio: ['pipe', 'pipe', 'inherit'] });
  shell.stdin.end(`${expressions.join('\n')}\n`);
  let output = '';
  shell.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  await new Promise((resolve, reject) => shell.on('error', reject).on('close', resolve));
  const answers = output.split(/^== (\d+)\n/m);
  return expressions.map((expression, index) => {
    const [text, status] = [answers[2 * index], answers[2 * index + 1]];
    if (text === undefined || status === undefined) throw new Error(`tcpdump has not answered for ${expression}`);
    if (status !== '0') return { program: null, error: text.trim() };
    return { program: read(text), error: null };
  });
}

/** Not parseFilter(): what tcpdump does not optimize can be longer than the kernel takes. A warning may stand before it. */
function read(text: string): BpfInsn[] {
  const rows = text.split('\n').filter((line) => /^\d+ \d+ \d+ \d+$/.test(line));
  return rows.map((row) => {
    const [code = 0, jt = 0, jf = 0, k = 0] = row.split(' ').map(Number);
    return { code, jt, jf, k };
  });
}
