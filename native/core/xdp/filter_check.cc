#include "filter_check.h"

#include <linux/bpf_common.h>

#include <algorithm>
#include <cstdint>
#include <iterator>

namespace netring {

namespace {

// NOLINTBEGIN(misc-redundant-expression): each is a field, and several are 0.
constexpr uint16_t kCodes[] = {BPF_LD | BPF_W | BPF_ABS,
                               BPF_LD | BPF_H | BPF_ABS,
                               BPF_LD | BPF_B | BPF_ABS,
                               BPF_LD | BPF_W | BPF_IND,
                               BPF_LD | BPF_H | BPF_IND,
                               BPF_LD | BPF_B | BPF_IND,
                               BPF_LD | BPF_W | BPF_LEN,
                               BPF_LD | BPF_IMM,
                               BPF_LD | BPF_MEM,
                               BPF_LDX | BPF_W | BPF_LEN,
                               BPF_LDX | BPF_B | BPF_MSH,
                               BPF_LDX | BPF_IMM,
                               BPF_LDX | BPF_MEM,
                               BPF_ST,
                               BPF_STX,
                               BPF_ALU | BPF_ADD | BPF_K,
                               BPF_ALU | BPF_ADD | BPF_X,
                               BPF_ALU | BPF_SUB | BPF_K,
                               BPF_ALU | BPF_SUB | BPF_X,
                               BPF_ALU | BPF_MUL | BPF_K,
                               BPF_ALU | BPF_MUL | BPF_X,
                               BPF_ALU | BPF_DIV | BPF_K,
                               BPF_ALU | BPF_DIV | BPF_X,
                               BPF_ALU | BPF_MOD | BPF_K,
                               BPF_ALU | BPF_MOD | BPF_X,
                               BPF_ALU | BPF_AND | BPF_K,
                               BPF_ALU | BPF_AND | BPF_X,
                               BPF_ALU | BPF_OR | BPF_K,
                               BPF_ALU | BPF_OR | BPF_X,
                               BPF_ALU | BPF_XOR | BPF_K,
                               BPF_ALU | BPF_XOR | BPF_X,
                               BPF_ALU | BPF_LSH | BPF_K,
                               BPF_ALU | BPF_LSH | BPF_X,
                               BPF_ALU | BPF_RSH | BPF_K,
                               BPF_ALU | BPF_RSH | BPF_X,
                               BPF_ALU | BPF_NEG,
                               BPF_MISC | BPF_TAX,
                               BPF_MISC | BPF_TXA,
                               BPF_JMP | BPF_JA,
                               BPF_JMP | BPF_JEQ | BPF_K,
                               BPF_JMP | BPF_JEQ | BPF_X,
                               BPF_JMP | BPF_JGT | BPF_K,
                               BPF_JMP | BPF_JGT | BPF_X,
                               BPF_JMP | BPF_JGE | BPF_K,
                               BPF_JMP | BPF_JGE | BPF_X,
                               BPF_JMP | BPF_JSET | BPF_K,
                               BPF_JMP | BPF_JSET | BPF_X,
                               BPF_RET | BPF_K,
                               BPF_RET | BPF_A};
// NOLINTEND(misc-redundant-expression)

// `rest` is how many instructions follow.
bool is_valid(const sock_filter& insn, size_t rest) {
  if (std::find(std::begin(kCodes), std::end(kCodes), insn.code) == std::end(kCodes)) return false;
  switch (insn.code) {
    case BPF_ALU | BPF_DIV | BPF_K:
    case BPF_ALU | BPF_MOD | BPF_K:
      return insn.k != 0;
    case BPF_ALU | BPF_LSH | BPF_K:
    case BPF_ALU | BPF_RSH | BPF_K:
      return insn.k < 32;
    case BPF_LD | BPF_MEM:
    case BPF_LDX | BPF_MEM:
    case BPF_ST:
    case BPF_STX:
      return insn.k < BPF_MEMWORDS;
    case BPF_JMP | BPF_JA:
      return insn.k < rest;
    default:
      return BPF_CLASS(insn.code) != BPF_JMP || std::max(insn.jt, insn.jf) < rest;
  }
}

}  // namespace

bool is_valid_filter(std::span<const sock_filter> filter) {
  if (filter.empty() || filter.size() > BPF_MAXINSNS || BPF_CLASS(filter.back().code) != BPF_RET) return false;
  size_t rest = filter.size();
  return std::all_of(filter.begin(), filter.end(), [&rest](const sock_filter& insn) { return is_valid(insn, --rest); });
}

}  // namespace netring
