/** The instructions that filters are made of. */

/** One instruction, `struct sock_filter` of linux/filter.h. */
export interface BpfInsn {
  /** Operation code: class, mode and size or operation (BPF_* of linux/bpf_common.h), 16 bits. */
  code: number;
  /** Instructions to skip when a jump's condition holds, 0 to 255. */
  jt: number;
  /** Instructions to skip when it does not, 0 to 255. */
  jf: number;
  /** Operand: a constant, an offset, or how far `ja` jumps, 32 bits without sign. */
  k: number;
}
