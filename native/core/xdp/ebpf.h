// The few eBPF instructions that programs made here consist of, each as one function.
#ifndef NETRING_CORE_XDP_EBPF_H_
#define NETRING_CORE_XDP_EBPF_H_

#include <linux/bpf.h>

#include <array>
#include <cstdint>

// Jumps that compare the lower 32 bits, since 5.1.
#ifndef BPF_JMP32
#define BPF_JMP32 0x06
#endif

namespace netring {

// R0 holds results, R1 to R5 arguments, which a call destroys; R6 to R9 survive it, R10 is the end of the stack.
enum EbpfRegister : uint8_t { kR0, kR1, kR2, kR3, kR4, kR5, kR6, kR7, kR8, kR9, kR10 };

constexpr bpf_insn make_insn(unsigned code, EbpfRegister dst, EbpfRegister src, int16_t off, int32_t imm) {
  bpf_insn insn{};
  insn.code = static_cast<uint8_t>(code);
  insn.dst_reg = dst;
  insn.src_reg = src;
  insn.off = off;
  insn.imm = imm;
  return insn;
}

// 32-bit arithmetic (BPF_ADD, ...), which clears the upper half of its result.
constexpr bpf_insn insn_alu32_imm(unsigned op, EbpfRegister dst, uint32_t imm) {
  return make_insn(BPF_ALU | op | BPF_K, dst, kR0, 0, static_cast<int32_t>(imm));
}
constexpr bpf_insn insn_alu32(unsigned op, EbpfRegister dst, EbpfRegister src) {
  return make_insn(BPF_ALU | op | BPF_X, dst, src, 0, 0);
}
constexpr bpf_insn insn_mov_imm(EbpfRegister dst, uint32_t imm) { return insn_alu32_imm(BPF_MOV, dst, imm); }
constexpr bpf_insn insn_mov32(EbpfRegister dst, EbpfRegister src) { return insn_alu32(BPF_MOV, dst, src); }

// 64-bit arithmetic, for pointers.
constexpr bpf_insn insn_add_imm(EbpfRegister dst, uint32_t imm) {
  // NOLINTNEXTLINE(misc-redundant-expression): each is a field, and several are 0.
  return make_insn(BPF_ALU64 | BPF_ADD | BPF_K, dst, kR0, 0, static_cast<int32_t>(imm));
}
constexpr bpf_insn insn_alu(unsigned op, EbpfRegister dst, EbpfRegister src) {
  return make_insn(BPF_ALU64 | op | BPF_X, dst, src, 0, 0);
}

// The lower 16 or 32 bits from network byte order to the machine's; clears the rest.
constexpr bpf_insn insn_from_be(EbpfRegister dst, uint32_t bits) {
  return make_insn(BPF_ALU | BPF_END | BPF_TO_BE, dst, kR0, 0, static_cast<int32_t>(bits));
}

// `size` is BPF_B, BPF_H, BPF_W or BPF_DW. dst = *(src + off), zero-extended.
constexpr bpf_insn insn_ldx(unsigned size, EbpfRegister dst, EbpfRegister src, int off) {
  return make_insn(BPF_LDX | size | BPF_MEM, dst, src, static_cast<int16_t>(off), 0);
}
// *(dst + off) = src
constexpr bpf_insn insn_stx(unsigned size, EbpfRegister dst, int off, EbpfRegister src) {
  return make_insn(BPF_STX | size | BPF_MEM, dst, src, static_cast<int16_t>(off), 0);
}
// *(dst + off) = imm
constexpr bpf_insn insn_st_imm(unsigned size, EbpfRegister dst, int off, int32_t imm) {
  return make_insn(BPF_ST | size | BPF_MEM, dst, kR0, static_cast<int16_t>(off), imm);
}

// The address of a map, which the kernel puts in place of the descriptor: one instruction of two slots.
constexpr std::array<bpf_insn, 2> insn_ld_map_fd(EbpfRegister dst, int fd) {
  // NOLINTNEXTLINE(misc-redundant-expression): each is a field, and several are 0.
  bpf_insn first = make_insn(BPF_LD | BPF_DW | BPF_IMM, dst, kR0, 0, fd);
  first.src_reg = BPF_PSEUDO_MAP_FD;
  return {first, bpf_insn{}};
}

constexpr bpf_insn insn_call(int32_t helper) { return make_insn(BPF_JMP | BPF_CALL, kR0, kR0, 0, helper); }
constexpr bpf_insn insn_exit() { return make_insn(BPF_JMP | BPF_EXIT, kR0, kR0, 0, 0); }

// Jumps over `off` slots; those to a label get theirs from the Assembler.
constexpr bpf_insn insn_jump(int16_t off = 0) { return make_insn(BPF_JMP | BPF_JA, kR0, kR0, off, 0); }
constexpr bpf_insn insn_jump_if(unsigned op, EbpfRegister dst, EbpfRegister src) {
  return make_insn(BPF_JMP | op | BPF_X, dst, src, 0, 0);
}
constexpr bpf_insn insn_jump_if_imm(unsigned op, EbpfRegister dst, uint32_t imm, int16_t off = 0) {
  return make_insn(BPF_JMP | op | BPF_K, dst, kR0, off, static_cast<int32_t>(imm));
}
constexpr bpf_insn insn_jump32_if(unsigned op, EbpfRegister dst, EbpfRegister src) {
  return make_insn(BPF_JMP32 | op | BPF_X, dst, src, 0, 0);
}
constexpr bpf_insn insn_jump32_if_imm(unsigned op, EbpfRegister dst, uint32_t imm) {
  return make_insn(BPF_JMP32 | op | BPF_K, dst, kR0, 0, static_cast<int32_t>(imm));
}

}  // namespace netring

#endif  // NETRING_CORE_XDP_EBPF_H_
