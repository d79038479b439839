// The cBPF machine against the kernel's own: the same program over the same frames, through a socket pair of packet
// type.
#include "../core/bpf.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <random>
#include <vector>

#include "check.h"

namespace netring::test {
namespace {

uint32_t run(const std::vector<sock_filter>& program, const std::vector<uint8_t>& frame) {
  FilterContext context;
  context.frame = frame;
  context.original_length = static_cast<uint32_t>(frame.size());
  return run_filter(program, context);
}

// What the kernel makes of it: a filter on a datagram socket truncates what is sent to it, or swallows it. nullopt: the
// program is refused.
std::optional<uint32_t> run_in_kernel(const std::vector<sock_filter>& program, const std::vector<uint8_t>& frame) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair) != 0) return std::nullopt;
  const sock_fprog argument = {static_cast<unsigned short>(program.size()), const_cast<sock_filter*>(program.data())};
  std::optional<uint32_t> result;
  if (::setsockopt(pair[1], SOL_SOCKET, SO_ATTACH_FILTER, &argument, sizeof argument) == 0) {
    uint8_t buffer[4096];
    result = 0;
    if (::send(pair[0], frame.data(), frame.size(), 0) >= 0) {
      const ssize_t received = ::recv(pair[1], buffer, sizeof buffer, 0);
      if (received > 0) result = static_cast<uint32_t>(received);
    }
  }
  ::close(pair[0]);
  ::close(pair[1]);
  return result;
}

void ancillary_loads_read_the_context() {
  FilterContext context;
  const std::vector<uint8_t> frame(60, 0);
  context.frame = frame;
  context.vlan_present = true;
  context.vlan_tci = 0x2064;
  context.vlan_tpid = 0x88a8;
  context.protocol = 0x0800;
  context.packet_type = 4;
  const auto load = [&](int field) {
    const sock_filter program[] = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<uint32_t>(SKF_AD_OFF + field)},
                                   {BPF_RET | BPF_A, 0, 0, 0}};
    return run_filter(program, context);
  };
  EXPECT_EQ(load(SKF_AD_VLAN_TAG_PRESENT), 1U);
  EXPECT_EQ(load(SKF_AD_VLAN_TAG), 0x2064U);
  EXPECT_EQ(load(SKF_AD_VLAN_TPID), 0x88a8U);
  EXPECT_EQ(load(SKF_AD_PROTOCOL), 0x0800U);
  EXPECT_EQ(load(SKF_AD_PKTTYPE), 4U);
}

void loads_outside_refuse() {
  const std::vector<uint8_t> frame = {1, 2, 3, 4};
  for (const uint32_t offset : {1U, 4U, 0x7fffffffU, 0x80000000U}) {
    EXPECT_EQ(run({{BPF_LD | BPF_W | BPF_ABS, 0, 0, offset}, {BPF_RET | BPF_K, 0, 0, 9}}, frame), 0U);
  }
  EXPECT_EQ(run({{BPF_LD | BPF_W | BPF_ABS, 0, 0, 0}, {BPF_RET | BPF_K, 0, 0, 9}}, frame), 9U);
}

void division_by_zero_refuses() {
  EXPECT_EQ(run({{BPF_ALU | BPF_DIV | BPF_X, 0, 0, 0}, {BPF_RET | BPF_K, 0, 0, 9}}, {1}), 0U);
}

void what_no_ring_tells_is_not_judged() {
  const auto asking = [](int field, sock_filter end) {
    const uint32_t k = static_cast<uint32_t>(SKF_AD_OFF + field);
    return std::vector<sock_filter>{
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, k}, {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 5}, end, {BPF_RET | BPF_K, 0, 0, 7}};
  };
  const sock_filter hundred = {BPF_RET | BPF_K, 0, 0, 100};
  for (const int field : {SKF_AD_PROTOCOL, SKF_AD_PKTTYPE, SKF_AD_IFINDEX, SKF_AD_HATYPE, SKF_AD_ALU_XOR_X,
                          SKF_AD_VLAN_TAG, SKF_AD_VLAN_TAG_PRESENT, SKF_AD_VLAN_TPID}) {
    const std::vector<sock_filter> program = asking(field, hundred);
    const std::vector<sock_filter> judge = judge_of(program);
    EXPECT_EQ(judge.size(), program.size());
    EXPECT_EQ(std::memcmp(judge.data(), program.data(), program.size() * sizeof(sock_filter)), 0);
  }
  for (const int field : {SKF_AD_NLATTR, SKF_AD_NLATTR_NEST, SKF_AD_MARK, SKF_AD_QUEUE, SKF_AD_RXHASH, SKF_AD_CPU,
                          SKF_AD_PAY_OFFSET, SKF_AD_RANDOM}) {
    EXPECT_EQ(run(judge_of(asking(field, hundred)), {1}), 100U);
    EXPECT_EQ(run(judge_of(asking(field, {BPF_RET | BPF_A, 0, 0, 0})), {1}), UINT32_MAX);
  }
  EXPECT_EQ(judge_of({}).size(), 0U);
}

// Random programs and frames: wherever the kernel takes the program, both must accept the same bytes.
void agrees_with_the_kernel() {
  std::mt19937 random(4);
  const uint16_t codes[] = {
      BPF_LD | BPF_W | BPF_ABS,
      BPF_LD | BPF_H | BPF_ABS,
      BPF_LD | BPF_B | BPF_ABS,
      BPF_LD | BPF_H | BPF_IND,
      BPF_LD | BPF_B | BPF_IND,
      BPF_LD | BPF_IMM,
      BPF_LD | BPF_W | BPF_LEN,
      BPF_LDX | BPF_B | BPF_MSH,
      BPF_LDX | BPF_IMM,
      BPF_ALU | BPF_ADD | BPF_K,
      BPF_ALU | BPF_SUB | BPF_X,
      BPF_ALU | BPF_MUL | BPF_K,
      BPF_ALU | BPF_AND | BPF_K,
      BPF_ALU | BPF_OR | BPF_X,
      BPF_ALU | BPF_XOR | BPF_X,
      BPF_ALU | BPF_DIV | BPF_X,
      BPF_ALU | BPF_MOD | BPF_X,
      BPF_ALU | BPF_LSH | BPF_K,
      BPF_ALU | BPF_RSH | BPF_K,
      BPF_ALU | BPF_LSH | BPF_X,
      BPF_ALU | BPF_RSH | BPF_X,
      BPF_ALU | BPF_NEG,
      BPF_MISC | BPF_TAX,
      BPF_MISC | BPF_TXA,
      BPF_ST,
      BPF_LD | BPF_MEM,
      BPF_JMP | BPF_JEQ | BPF_K,
      BPF_JMP | BPF_JGT | BPF_X,
      BPF_JMP | BPF_JGE | BPF_K,
      BPF_JMP | BPF_JSET | BPF_K,
      BPF_JMP | BPF_JA,
      BPF_RET | BPF_A,
  };
  int compared = 0;
  for (int round = 0; round < 60'000; ++round) {
    std::vector<sock_filter> program;
    const auto length = static_cast<uint32_t>(2 + random() % 12);
    for (uint32_t i = 0; i + 1 < length; ++i) {
      sock_filter insn{codes[random() % std::size(codes)], 0, 0, static_cast<uint32_t>(random() % 40)};
      const uint32_t rest = length - i - 2;
      if (BPF_CLASS(insn.code) == BPF_JMP) {
        insn.jt = static_cast<uint8_t>(random() % (rest + 1));
        insn.jf = static_cast<uint8_t>(random() % (rest + 1));
        if (BPF_OP(insn.code) == BPF_JA) insn.k = random() % (rest + 1);
      }
      if (BPF_CLASS(insn.code) == BPF_ST || BPF_MODE(insn.code) == BPF_MEM) insn.k %= BPF_MEMWORDS;
      program.push_back(insn);
    }
    program.push_back({BPF_RET | BPF_K, 0, 0, static_cast<uint32_t>(random() % 100)});
    std::vector<uint8_t> frame(1 + random() % 40);
    for (uint8_t& byte : frame) byte = static_cast<uint8_t>(random() % 8);
    const std::optional<uint32_t> kernel = run_in_kernel(program, frame);
    if (!kernel) continue;
    ++compared;
    const uint32_t ours = std::min<uint32_t>(run(program, frame), static_cast<uint32_t>(frame.size()));
    if (!EXPECT_EQ(ours, *kernel)) return;
  }
  EXPECT(compared > 20'000);
}

}  // namespace
}  // namespace netring::test

int main() {
  using namespace netring::test;
  return run_all({
      {"ancillary_loads_read_the_context", ancillary_loads_read_the_context},
      {"loads_outside_refuse", loads_outside_refuse},
      {"division_by_zero_refuses", division_by_zero_refuses},
      {"what_no_ring_tells_is_not_judged", what_no_ring_tells_is_not_judged},
      {"agrees_with_the_kernel", agrees_with_the_kernel},
  });
}
