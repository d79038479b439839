#include "filter_translator.h"

#include <linux/if_arp.h>
#include <linux/if_ether.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "assembler.h"
#include "ebpf.h"
#include "filter_check.h"

namespace netring {

namespace {

// A and X keep to the lower halves of their registers, with the upper ones 0. R1 to R3 are free for each instruction.
constexpr EbpfRegister kA = kR0;
constexpr EbpfRegister kContext = kR6;
constexpr EbpfRegister kX = kR7;
constexpr EbpfRegister kStackEnd = kR10;

// The verifier lets a program read within the first 65535 bytes. No frame that XDP sees is longer.
constexpr uint32_t kMaxFrame = 0xffff;

uint32_t width(const sock_filter& insn) {
  if (BPF_SIZE(insn.code) == BPF_B) return 1;
  return BPF_SIZE(insn.code) == BPF_H ? 2 : 4;
}

bool is_load(const sock_filter& insn, unsigned mode) {
  const unsigned kind = BPF_CLASS(insn.code);
  return (kind == BPF_LD || kind == BPF_LDX) && BPF_MODE(insn.code) == mode;
}

bool is_ancillary(const sock_filter& insn) {
  const auto offset = static_cast<int32_t>(insn.k);
  return BPF_CLASS(insn.code) == BPF_LD && BPF_MODE(insn.code) == BPF_ABS && offset < 0 && offset >= SKF_AD_OFF;
}

// Where a load with a constant offset ends, counted from the first byte of the frame; nullopt: outside any frame.
std::optional<uint32_t> end_of_load(const sock_filter& insn) {
  int64_t offset = static_cast<int32_t>(insn.k);
  if (offset < 0) offset += offset >= SKF_NET_OFF ? ETH_HLEN - SKF_NET_OFF : -SKF_LL_OFF;
  if (offset < 0 || offset + width(insn) > kMaxFrame) return std::nullopt;
  return static_cast<uint32_t>(offset + width(insn));
}

// Scratch memory, M[0] uppermost. Never at the start of an aligned slot of 8 bytes, where the verifier would remember
// what it knows of the value and tell apart programs' states that are the same to us.
int16_t scratch(uint32_t word) { return static_cast<int16_t>(-4 - 8 * static_cast<int>(word)); }
constexpr uint32_t kSpareWord = BPF_MEMWORDS;

class Translator {
 public:
  explicit Translator(std::span<const sock_filter> filter)
      : filter_(filter), end_(static_cast<uint32_t>(filter.size())), out_(end_ + 2), reachable_(end_, false) {}

  Result<std::vector<bpf_insn>> run(std::span<const bpf_insn> accept, std::span<const bpf_insn> refuse) {
    find_reachable();
    prologue();
    for (uint32_t i = 0; i < end_; ++i) {
      if (!reachable_[i]) continue;
      out_.break_long_jumps();
      out_.bind(i);
      if (const Status status = translate(i); !status.ok()) return status;
    }
    // Only what is jumped to: the verifier refuses what cannot be reached.
    for (const auto& [label, insns] : {std::pair{refuse_label(), refuse}, std::pair{accept_label(), accept}}) {
      if (!out_.is_wanted(label)) continue;
      out_.bind(label);
      out_.emit(insns);
    }
    return out_.take();
  }

 private:
  // The labels: of each instruction its index, then the two ends.
  uint32_t refuse_label() const { return end_; }
  uint32_t accept_label() const { return end_ + 1; }

  void find_reachable();
  void prologue();
  Status translate(uint32_t index);
  Status load(const sock_filter& insn);
  Status load_ancillary(uint32_t field);
  void load_from_frame(const sock_filter& insn, EbpfRegister result);
  void load_indirect(const sock_filter& insn);
  void load_checked(unsigned size, uint32_t bytes, EbpfRegister result);
  void compute(const sock_filter& insn);
  void branch(const sock_filter& insn, uint32_t next);
  void finish(const sock_filter& insn);
  void forget(EbpfRegister reg);
  void jump(uint32_t label) { out_.jump(insn_jump(), label); }

  std::span<const sock_filter> filter_;
  uint32_t end_;
  Assembler out_;
  std::vector<bool> reachable_;
};

// Jumps only go forward, so that one pass finds all that can run.
void Translator::find_reachable() {
  reachable_[0] = true;
  for (uint32_t i = 0; i < end_; ++i) {
    if (!reachable_[i]) continue;
    const sock_filter& insn = filter_[i];
    const bool by_constant = (is_load(insn, BPF_ABS) && !is_ancillary(insn)) || is_load(insn, BPF_MSH);
    if (BPF_CLASS(insn.code) == BPF_RET || (by_constant && !end_of_load(insn))) continue;
    if (BPF_CLASS(insn.code) != BPF_JMP) {
      reachable_[i + 1] = true;
    } else if (BPF_OP(insn.code) == BPF_JA) {
      reachable_[i + 1 + insn.k] = true;
    } else {
      reachable_[i + 1 + insn.jt] = true;
      reachable_[i + 1 + insn.jf] = true;
    }
  }
}

void Translator::prologue() {
  out_.emit(make_insn(BPF_ALU64 | BPF_MOV | BPF_X, kContext, kR1, 0, 0));  // the context, out of reach of calls
  out_.emit(insn_mov_imm(kA, 0));                                          // A = 0
  out_.emit(insn_mov_imm(kX, 0));                                          // X = 0
  bool used[BPF_MEMWORDS] = {};
  for (const sock_filter& insn : filter_) {
    if (is_load(insn, BPF_MEM)) used[insn.k] = true;
  }
  for (uint32_t word = 0; word < BPF_MEMWORDS; ++word) {
    if (used[word]) out_.emit(insn_st_imm(BPF_W, kStackEnd, scratch(word), 0));  // M[word] = 0
  }
}

Status Translator::translate(uint32_t index) {
  const sock_filter& insn = filter_[index];
  switch (BPF_CLASS(insn.code)) {
    case BPF_LD:
    case BPF_LDX:
      return load(insn);
    case BPF_ST:
    case BPF_STX:
      out_.emit(insn_stx(BPF_W, kStackEnd, scratch(insn.k), BPF_CLASS(insn.code) == BPF_ST ? kA : kX));
      return {};
    case BPF_ALU:
      compute(insn);
      return {};
    case BPF_JMP:
      branch(insn, index + 1);
      return {};
    case BPF_RET:
      finish(insn);
      return {};
    default:  // BPF_MISC
      out_.emit(BPF_MISCOP(insn.code) == BPF_TAX ? insn_mov32(kX, kA) : insn_mov32(kA, kX));
      return {};
  }
}

Status Translator::load(const sock_filter& insn) {
  const EbpfRegister result = BPF_CLASS(insn.code) == BPF_LD ? kA : kX;
  switch (BPF_MODE(insn.code)) {
    case BPF_IMM:
      out_.emit(insn_mov_imm(result, insn.k));
      return {};
    case BPF_LEN:
      out_.emit(insn_ldx(BPF_W, result, kContext, offsetof(xdp_md, data_end)));
      out_.emit(insn_ldx(BPF_W, kR1, kContext, offsetof(xdp_md, data)));
      out_.emit(insn_alu(BPF_SUB, result, kR1));
      return {};
    case BPF_MEM:
      out_.emit(insn_ldx(BPF_W, result, kStackEnd, scratch(insn.k)));
      return {};
    case BPF_ABS:
      if (is_ancillary(insn)) return load_ancillary(insn.k - static_cast<uint32_t>(SKF_AD_OFF));
      load_from_frame(insn, result);
      return {};
    case BPF_IND:
      load_indirect(insn);
      return {};
    default:  // BPF_MSH, X = 4 * (byte & 15): the length of an IPv4 header
      load_from_frame(insn, kX);
      if (!end_of_load(insn)) return {};
      out_.emit(insn_alu32_imm(BPF_AND, kX, 0xf));
      out_.emit(insn_alu32_imm(BPF_LSH, kX, 2));
      return {};
  }
}

// src/options/program-rules.ts has the same list, to refuse the others with their place.
Status Translator::load_ancillary(uint32_t field) {
  switch (field) {
    case SKF_AD_PROTOCOL:
      load_from_frame({BPF_LD | BPF_H | BPF_ABS, 0, 0, offsetof(ethhdr, h_proto)}, kA);
      return {};
    case SKF_AD_IFINDEX:
      out_.emit(insn_ldx(BPF_W, kA, kContext, offsetof(xdp_md, ingress_ifindex)));
      return {};
    case SKF_AD_QUEUE:
      out_.emit(insn_ldx(BPF_W, kA, kContext, offsetof(xdp_md, rx_queue_index)));
      return {};
    case SKF_AD_HATYPE:
      out_.emit(insn_mov_imm(kA, ARPHRD_ETHER));
      return {};
    case SKF_AD_VLAN_TAG:
    case SKF_AD_VLAN_TAG_PRESENT:
    case SKF_AD_VLAN_TPID:
      out_.emit(insn_mov_imm(kA, 0));
      return {};
    case SKF_AD_ALU_XOR_X:
      out_.emit(insn_alu32(BPF_XOR, kA, kX));
      return {};
    default:
      return {EOPNOTSUPP, "ancillary load in a filter for XDP"};
  }
}

void Translator::load_from_frame(const sock_filter& insn, EbpfRegister result) {
  const std::optional<uint32_t> end = end_of_load(insn);
  if (!end) return jump(refuse_label());
  out_.emit(insn_ldx(BPF_W, kR1, kContext, offsetof(xdp_md, data)));
  out_.emit(insn_add_imm(kR1, *end));
  load_checked(BPF_SIZE(insn.code), width(insn), result);
}

// The offset X + k wraps at 32 bits. As elsewhere in classic BPF, a negative one counts from the network header or from
// the link header. Without jumps for the three cases: the verifier keeps only 8192 of them in mind.
void Translator::load_indirect(const sock_filter& insn) {
  // Counted from SKF_LL_OFF on, in units of 2^20: 0 the link header's, 1 the network header's, 2 what is not negative.
  static_assert(SKF_LL_OFF == -(2 << 20) && SKF_NET_OFF == -(1 << 20));
  const uint32_t most = kMaxFrame - width(insn);
  out_.emit(insn_mov32(kR2, kX));  // r2 = X + k - SKF_LL_OFF
  out_.emit(insn_alu32_imm(BPF_ADD, kR2, insn.k - static_cast<uint32_t>(SKF_LL_OFF)));
  forget(kR2);
  out_.emit(insn_mov32(kR3, kR2));  // r3 = which of the three
  out_.emit(insn_alu32_imm(BPF_RSH, kR3, 20));
  out_.emit(insn_alu32_imm(BPF_AND, kR2, 0xfffff));  // r2 = the offset there
  out_.emit(insn_mov32(kR1, kR3));                   // r1 = where that header is: 14 for the network header
  out_.emit(insn_alu32_imm(BPF_AND, kR1, 1));
  out_.emit(insn_alu32_imm(BPF_MUL, kR1, ETH_HLEN));
  out_.emit(insn_alu32(BPF_ADD, kR2, kR1));
  out_.emit(insn_alu32_imm(BPF_ADD, kR3, 1));  // none of the three: r2 beyond any frame
  out_.emit(insn_alu32_imm(BPF_RSH, kR3, 2));
  out_.emit(insn_alu32_imm(BPF_LSH, kR3, 16));
  out_.emit(insn_alu32(BPF_OR, kR2, kR3));
  // Over a jump, because the verifier walks first what does not jump and here is done with it soon.
  out_.emit(insn_jump_if_imm(BPF_JLE, kR2, most, 1));  // if (r2 > most) goto refuse
  jump(refuse_label());
  out_.emit(insn_ldx(BPF_W, kR1, kContext, offsetof(xdp_md, data)));  // r1 = where the load ends
  out_.emit(insn_alu(BPF_ADD, kR1, kR2));
  out_.emit(insn_add_imm(kR1, width(insn)));
  load_checked(BPF_SIZE(insn.code), width(insn), kA);
}

// R1 is where the load ends. The pointers are read anew for each: were they kept, the verifier would have to tell apart
// how far each path has checked them.
void Translator::load_checked(unsigned size, uint32_t bytes, EbpfRegister result) {
  out_.emit(insn_ldx(BPF_W, kR3, kContext, offsetof(xdp_md, data_end)));
  out_.jump(insn_jump_if(BPF_JGT, kR1, kR3), refuse_label());
  out_.emit(insn_ldx(size, result, kR1, -static_cast<int>(bytes)));
  if (bytes > 1) out_.emit(insn_from_be(result, 8 * bytes));
}

// Through memory, where the verifier loses what it knows of the value. It would otherwise follow every value that the
// paths up to here can give to X as a program of its own.
void Translator::forget(EbpfRegister reg) {
  out_.emit(insn_stx(BPF_W, kStackEnd, scratch(kSpareWord), reg));
  out_.emit(insn_ldx(BPF_W, reg, kStackEnd, scratch(kSpareWord)));
}

void Translator::compute(const sock_filter& insn) {
  const unsigned op = BPF_OP(insn.code);
  if (op == BPF_NEG || BPF_SRC(insn.code) == BPF_K)
    return out_.emit(insn_alu32_imm(op, kA, op == BPF_NEG ? 0 : insn.k));
  EbpfRegister operand = kX;
  if (op == BPF_DIV || op == BPF_MOD) {
    out_.jump(insn_jump_if_imm(BPF_JEQ, kX, 0), refuse_label());
  } else if (op == BPF_LSH || op == BPF_RSH) {
    operand = kR1;  // by the lower five bits, which processors do anyway and the verifier likes to see
    out_.emit(insn_mov32(operand, kX));
    out_.emit(insn_alu32_imm(BPF_AND, operand, 31));
  }
  out_.emit(insn_alu32(op, kA, operand));
}

// The comparison that is true when `op` is not, or 0.
unsigned opposite(unsigned op) {
  switch (op) {
    case BPF_JEQ:
      return BPF_JNE;
    case BPF_JGT:
      return BPF_JLE;
    case BPF_JGE:
      return BPF_JLT;
    default:
      return 0;
  }
}

void Translator::branch(const sock_filter& insn, uint32_t next) {
  unsigned op = BPF_OP(insn.code);
  if (op == BPF_JA) return jump(next + insn.k);
  uint32_t taken = insn.jt;
  uint32_t otherwise = insn.jf;
  if (taken == 0 && opposite(op) != 0) {
    op = opposite(op);
    std::swap(taken, otherwise);
  }
  out_.jump(BPF_SRC(insn.code) == BPF_X ? insn_jump32_if(op, kA, kX) : insn_jump32_if_imm(op, kA, insn.k),
            next + taken);
  if (otherwise != 0) jump(next + otherwise);
}

void Translator::finish(const sock_filter& insn) {
  if (BPF_RVAL(insn.code) == BPF_A) {
    out_.jump(insn_jump_if_imm(BPF_JEQ, kA, 0), refuse_label());
    jump(accept_label());
  } else {
    jump(insn.k == 0 ? refuse_label() : accept_label());
  }
}

}  // namespace

Result<std::vector<bpf_insn>> translate_filter(std::span<const sock_filter> filter, std::span<const bpf_insn> accept,
                                               std::span<const bpf_insn> refuse) {
  if (!is_valid_filter(filter)) return Status{EINVAL, "filter"};
  return Translator(filter).run(accept, refuse);
}

}  // namespace netring
