/**
 * What a valid classic BPF program is. Self-contained functions, which run in the library and, by their source text, in the editor.
 *
 * The rules are those of the kernel's bpf_check_classic(), so that a bad program is refused with the place of the mistake, not an EINVAL.
 */

/**
 * Whether a filter's text is a program: what stands on its first line, or before its first comma, is a number, that of the instructions. No
 * expression begins like that, and every other text is one.
 */
export function isProgram(text: string): boolean {
  return /^\s*\d+[^\S\r\n]*(?:[\r\n,]|$)/.test(text);
}

/** Reads `tcpdump -ddd` text into rows of code, jt, jf, k. A string says what is wrong. */
export function readProgram(text: string, name: string): number[][] | string {
  const lines = text
    .trim()
    .replace(/,$/, '')
    .split(/\r?\n|,/);
  const program: number[][] = [];
  for (let i = 1; i < lines.length; i++) {
    const line = String(lines[i]).trim();
    if (!/^\d+\s+\d+\s+\d+\s+\d+$/.test(line)) return name + ' line ' + (i + 1) + ' ' + JSON.stringify(line) + ' is not "code jt jf k"';
    program.push(line.split(/\s+/).map(Number));
  }
  if (Number(lines[0]) !== program.length)
    return name + ' line 1 announces ' + Number(lines[0]) + ' instructions, but ' + program.length + ' follow';
  return program;
}

/**
 * What is wrong with rows of code, jt, jf, k; null: nothing. The first row is called `place` with `first` after it. A program for `xdp` is translated here,
 * and one for a `bridge` is run here: these know less of a packet than the kernel does.
 */
export function programProblem(program: readonly (readonly number[])[], place: string, first: number, target?: string): string | null {
  const count = program.length;
  if (count === 0) return 'BPF filter has no instructions';
  if (count > 4096) return 'BPF filter has ' + count + ' instructions (max 4096)';
  // Loads and stores, ALU operations, jumps, returns, moves between A and X: the opcodes that a socket filter may have.
  const loads = [0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x80, 0x00, 0x60, 0x81, 0x01, 0x61, 0xb1, 0x02, 0x03];
  const alu = [
    0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3c, 0x44, 0x4c, 0x54, 0x5c, 0x64, 0x6c, 0x74, 0x7c, 0x84, 0x94, 0x9c, 0xa4, 0xac,
  ];
  const jumps = [0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d];
  const opcodes = loads.concat(alu, jumps, [0x05, 0x06, 0x16, 0x07, 0x87]);
  // SKF_AD_* of linux/filter.h, in fours, and the ones among them that native/core/xdp/filter_translator.cc and native/core/bridge/direction.cc know.
  const ancillary = 0xfffff000;
  const lastAncillary = 60;
  const known = target === 'xdp' ? [0, 8, 24, 28, 40, 44, 48, 60] : target === 'bridge' ? [0, 4, 8, 28, 40, 44, 48, 60] : null;
  const fields = ['code', 'jt', 'jf', 'k'];
  const limits = [0xffff, 0xff, 0xff, 0xffffffff];
  // Bits: words of the scratch memory that are written on every way to an instruction, and to the one that is looked at.
  const writtenAt = program.map(() => 0xffff);
  let written = 0;
  for (let i = 0; i < count; i++) {
    const where = place + (first + i) + ': ';
    const row = (program[i] || []).map(Number);
    for (let f = 0; f < 4; f++) {
      const given = (program[i] || [])[f];
      if (typeof given !== 'number' || given % 1 !== 0 || given < 0 || given > Number(limits[f]))
        return where + fields[f] + ' ' + String(given) + ' is not an integer from 0 to ' + limits[f];
    }
    const code = Number(row[0]);
    const k = Number(row[3]);
    if (opcodes.indexOf(code) < 0) return where + 'code ' + code + ' is no instruction of classic BPF';
    if ((code === 0x34 || code === 0x94) && k === 0) return where + 'k 0 divides by zero';
    if ((code === 0x64 || code === 0x74) && k > 31) return where + 'k ' + k + ' shifts by more than 31';
    if ((code === 0x60 || code === 0x61 || code === 0x02 || code === 0x03) && k > 15)
      return where + 'k ' + k + ' is no word of the scratch memory (0 to 15)';
    if ((code === 0x20 || code === 0x28 || code === 0x30) && k >= ancillary) {
      const which = k - ancillary;
      if (which % 4 !== 0 || which > lastAncillary) return where + 'k ' + k + ' is neither an offset nor an ancillary load of Linux';
      if (known !== null && known.indexOf(which) < 0)
        return (
          where +
          'k ' +
          k +
          ' is an ancillary load (SKF_AD_OFF + ' +
          which +
          ') that filters for ' +
          (target === 'xdp' ? 'XDP' : 'bridges') +
          ' do not have'
        );
    }
    written &= Number(writtenAt[i]);
    if (code === 0x02 || code === 0x03) written |= 1 << k;
    if (target !== 'xdp' && (code === 0x60 || code === 0x61) && (written & (1 << k)) === 0)
      return where + 'loads word ' + k + ' of the scratch memory, which is not written on every way there';
    const farthest = code === 0x05 ? k : jumps.indexOf(code) >= 0 ? Math.max(Number(row[1]), Number(row[2])) : -1;
    if (farthest >= 0 && i + 1 + farthest >= count) return where + 'jumps past the end of the program';
    if (farthest >= 0) {
      const targets = code === 0x05 ? [k] : [Number(row[1]), Number(row[2])];
      for (let t = 0; t < targets.length; t++) {
        const target = i + 1 + Number(targets[t]);
        writtenAt[target] = Number(writtenAt[target]) & written;
      }
      written = 0xffff;
    }
  }
  const last = Number((program[count - 1] || [])[0]);
  if (last !== 0x06 && last !== 0x16) return place + (first + count - 1) + ': the last instruction is not a return';
  return null;
}
