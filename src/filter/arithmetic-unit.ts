/** The arithmetic of classic BPF. */
import { BPF_ADD, BPF_AND, BPF_DIV, BPF_LSH, BPF_MOD, BPF_MUL, BPF_NEG, BPF_OR, BPF_RSH, BPF_SUB, BPF_XOR } from './opcodes';

/** One operation, unsigned in 32 bits; -1 if there is none of that number. Shifts use the low 5 bits. Division by zero is the caller's affair. */
export function calculate(operation: number, a: number, operand: number): number {
  switch (operation) {
    case BPF_ADD:
      return (a + operand) >>> 0;
    case BPF_SUB:
      return (a - operand) >>> 0;
    case BPF_MUL:
      return Math.imul(a, operand) >>> 0;
    case BPF_DIV:
      return Math.trunc(a / operand);
    case BPF_OR:
      return (a | operand) >>> 0;
    case BPF_AND:
      return (a & operand) >>> 0;
    case BPF_LSH:
      return (a << (operand & 31)) >>> 0;
    case BPF_RSH:
      return a >>> (operand & 31);
    case BPF_NEG:
      return -a >>> 0;
    case BPF_MOD:
      return a % operand;
    case BPF_XOR:
      return (a ^ operand) >>> 0;
    default:
      return -1;
  }
}
