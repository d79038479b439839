/** eBPF programs as they come from outside: this package loads none itself for a packet socket. */

/**
 * An eBPF program that another tool has loaded as type socket filter (`bpftool prog load FILE PATH type socket`): its descriptor in this process, or the
 * path in a bpf file system that it is pinned to. The socket keeps the program; the descriptor may be closed, the path unpinned.
 */
export type EbpfProgram = number | string;

/** @internal Throws TypeError, or RangeError for what cannot be a descriptor or a path. */
export function checkProgram(program: unknown): EbpfProgram {
  if (typeof program === 'string') {
    if (program === '' || program.includes('\0'))
      throw new RangeError(`the path of an eBPF program must not be empty or hold a NUL, not ${JSON.stringify(program)}`);
    return program;
  }
  if (typeof program !== 'number')
    throw new TypeError(`an eBPF program is a descriptor or a path, not ${program === null ? 'null' : typeof program}`);
  if (!Number.isInteger(program) || program < 0 || program > 0x7fff_ffff)
    throw new RangeError(`the descriptor of an eBPF program must be an integer from 0 to 2147483647, not ${program}`);
  return program;
}
