/** Classic BPF in numbers: the parts of an opcode (linux/bpf_common.h) and the ancillary data (linux/filter.h). */

export const BPF_LD = 0x00;
export const BPF_LDX = 0x01;
export const BPF_ST = 0x02;
export const BPF_ALU = 0x04;
export const BPF_JMP = 0x05;
export const BPF_RET = 0x06;
export const BPF_MISC = 0x07;

export const BPF_IMM = 0x00;
export const BPF_ABS = 0x20;
export const BPF_IND = 0x40;
export const BPF_MEM = 0x60;
export const BPF_LEN = 0x80;
export const BPF_MSH = 0xa0;

/** The size of a load, by the number of its bytes. */
export const BPF_SIZE = { 1: 0x10, 2: 0x08, 4: 0x00 } as const;

export const BPF_ADD = 0x00;
export const BPF_SUB = 0x10;
export const BPF_MUL = 0x20;
export const BPF_DIV = 0x30;
export const BPF_OR = 0x40;
export const BPF_AND = 0x50;
export const BPF_LSH = 0x60;
export const BPF_RSH = 0x70;
export const BPF_NEG = 0x80;
export const BPF_MOD = 0x90;
export const BPF_XOR = 0xa0;

export const BPF_JA = 0x00;
export const BPF_JEQ = 0x10;
export const BPF_JGT = 0x20;
export const BPF_JGE = 0x30;
export const BPF_JSET = 0x40;

/** Source of an operand: X instead of k. */
export const BPF_X = 0x08;

/** Words of scratch memory. */
export const BPF_MEMWORDS = 16;

/** `skb->protocol` and its kin stand at negative offsets. */
export const SKF_AD_OFF = -0x1000;
export const SKF_NET_OFF = -0x100000;
export const SKF_LL_OFF = -0x200000;

export const SKF_AD = {
  protocol: 0,
  packetType: 4,
  interfaceIndex: 8,
  netlinkAttribute: 12,
  netlinkNested: 16,
  mark: 20,
  queue: 24,
  hardwareType: 28,
  rxhash: 32,
  cpu: 36,
  xorX: 40,
  vlanTag: 44,
  vlanTagPresent: 48,
  payloadOffset: 52,
  random: 56,
  vlanTpid: 60,
} as const;
