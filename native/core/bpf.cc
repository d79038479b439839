#include "bpf.h"

#include <algorithm>
#include <optional>

namespace netring {

namespace {

uint32_t ancillary(uint32_t field, uint32_t x, uint32_t a, const FilterContext& context) {
  switch (field) {
    case SKF_AD_PROTOCOL:
      return context.protocol;
    case SKF_AD_PKTTYPE:
      return context.packet_type;
    case SKF_AD_IFINDEX:
      return context.interface_index;
    case SKF_AD_HATYPE:
      return context.link_type;
    case SKF_AD_QUEUE:
      return context.queue;
    case SKF_AD_VLAN_TAG:
      return context.vlan_tci;
    case SKF_AD_VLAN_TAG_PRESENT:
      return context.vlan_present ? 1 : 0;
    case SKF_AD_VLAN_TPID:
      return context.vlan_tpid;
    case SKF_AD_ALU_XOR_X:
      return a ^ x;
    default:
      return 0;
  }
}

// Big-endian, from the frame, or from its network header or link header for the negative offsets reserved for them.
std::optional<uint32_t> load(uint32_t offset, uint32_t size, const FilterContext& context) {
  const auto signed_offset = static_cast<int32_t>(offset);
  if (signed_offset < 0) {
    if (signed_offset >= SKF_NET_OFF)
      offset = context.network_offset + static_cast<uint32_t>(signed_offset - SKF_NET_OFF);
    else if (signed_offset >= SKF_LL_OFF)
      offset = static_cast<uint32_t>(signed_offset - SKF_LL_OFF);
    else
      return std::nullopt;
  }
  if (static_cast<uint64_t>(offset) + size > context.frame.size()) return std::nullopt;
  uint32_t value = 0;
  for (uint32_t i = 0; i < size; ++i) value = (value << 8) | context.frame[offset + i];
  return value;
}

uint32_t width(uint16_t code) {
  switch (BPF_SIZE(code)) {
    case BPF_B:
      return 1;
    case BPF_H:
      return 2;
    default:
      return 4;
  }
}

// nullopt on a division by zero, which refuses the packet.
std::optional<uint32_t> compute(uint16_t code, uint32_t a, uint32_t operand) {
  switch (BPF_OP(code)) {
    case BPF_ADD:
      return a + operand;
    case BPF_SUB:
      return a - operand;
    case BPF_MUL:
      return a * operand;
    case BPF_DIV:
      return operand == 0 ? std::nullopt : std::optional<uint32_t>(a / operand);
    case BPF_MOD:
      return operand == 0 ? std::nullopt : std::optional<uint32_t>(a % operand);
    case BPF_AND:
      return a & operand;
    case BPF_OR:
      return a | operand;
    case BPF_XOR:
      return a ^ operand;
    // By the lower five bits, as the processor does for the kernel.
    case BPF_LSH:
      return a << (operand & 31);
    case BPF_RSH:
      return a >> (operand & 31);
    default:
      return 0 - a;
  }
}

// Of those that a socket's filter may have. The flow hash of a ring is computed for it when the packet has none; the
// filter reads what the packet has.
bool no_ring_tells(const sock_filter& insn) {
  if (BPF_CLASS(insn.code) != BPF_LD || BPF_MODE(insn.code) != BPF_ABS) return false;
  switch (static_cast<int32_t>(insn.k) - SKF_AD_OFF) {
    case SKF_AD_NLATTR:
    case SKF_AD_NLATTR_NEST:
    case SKF_AD_MARK:
    case SKF_AD_QUEUE:
    case SKF_AD_RXHASH:
    case SKF_AD_CPU:
    case SKF_AD_PAY_OFFSET:
    case SKF_AD_RANDOM:
      return true;
    default:
      return false;
  }
}

bool taken(uint16_t code, uint32_t a, uint32_t operand) {
  switch (BPF_OP(code)) {
    case BPF_JEQ:
      return a == operand;
    case BPF_JGT:
      return a > operand;
    case BPF_JGE:
      return a >= operand;
    default:
      return (a & operand) != 0;
  }
}

}  // namespace

uint32_t run_filter(std::span<const sock_filter> program, const FilterContext& context) {
  uint32_t a = 0;
  uint32_t x = 0;
  uint32_t memory[BPF_MEMWORDS] = {};
  for (size_t pc = 0; pc < program.size(); ++pc) {
    const sock_filter& insn = program[pc];
    const uint32_t operand = BPF_SRC(insn.code) == BPF_X ? x : insn.k;
    switch (BPF_CLASS(insn.code)) {
      case BPF_LD:
      case BPF_LDX: {
        std::optional<uint32_t> value;
        switch (BPF_MODE(insn.code)) {
          case BPF_IMM:
            value = insn.k;
            break;
          case BPF_LEN:
            value = context.original_length;
            break;
          case BPF_MEM:
            value = memory[insn.k % BPF_MEMWORDS];
            break;
          case BPF_ABS:
            // Only a constant offset reaches the ancillary data: the kernel decides that when it translates the
            // program.
            value = static_cast<int32_t>(insn.k) >= SKF_AD_OFF && static_cast<int32_t>(insn.k) < 0
                        ? ancillary(insn.k - static_cast<uint32_t>(SKF_AD_OFF), x, a, context)
                        : load(insn.k, width(insn.code), context);
            break;
          case BPF_IND:
            value = load(x + insn.k, width(insn.code), context);
            break;
          default:  // BPF_MSH: four times the low nibble, an IPv4 header's length
            value = load(insn.k, 1, context);
            if (value) value = (*value & 0xf) << 2;
        }
        if (!value) return 0;
        (BPF_CLASS(insn.code) == BPF_LD ? a : x) = *value;
        break;
      }
      case BPF_ST:
        memory[insn.k % BPF_MEMWORDS] = a;
        break;
      case BPF_STX:
        memory[insn.k % BPF_MEMWORDS] = x;
        break;
      case BPF_ALU: {
        const std::optional<uint32_t> value = compute(insn.code, a, operand);
        if (!value) return 0;
        a = *value;
        break;
      }
      case BPF_JMP:
        if (BPF_OP(insn.code) == BPF_JA)
          pc += insn.k;
        else
          pc += taken(insn.code, a, operand) ? insn.jt : insn.jf;
        break;
      case BPF_RET:
        return BPF_RVAL(insn.code) == BPF_A ? a : insn.k;
      default:  // BPF_MISC
        if (BPF_MISCOP(insn.code) == BPF_TAX)
          x = a;
        else
          a = x;
    }
  }
  return 0;
}

std::vector<sock_filter> judge_of(std::span<const sock_filter> program) {
  std::vector<sock_filter> judge;
  if (std::none_of(program.begin(), program.end(), no_ring_tells)) {
    judge.resize(program.size());
    std::copy(program.begin(), program.end(), judge.begin());
    return judge;
  }
  uint32_t most = 0;
  for (const sock_filter& insn : program) {
    if (BPF_CLASS(insn.code) != BPF_RET) continue;
    most = std::max(most, BPF_RVAL(insn.code) == BPF_A ? UINT32_MAX : insn.k);
  }
  judge.push_back({BPF_RET | BPF_K, 0, 0, most});
  return judge;
}

}  // namespace netring
