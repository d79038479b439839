// Filters for packet sockets as XDP programs: the kernel's verifier must take them, and they must judge frames as the
// filter itself does.
#include "../core/xdp/redirect_program.h"

#include <linux/if_arp.h>

#include <algorithm>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "../core/bpf.h"
#include "../core/packet_socket.h"
#include "../core/xdp/ebpf.h"
#include "../core/xdp/filter_translator.h"
#include "check.h"
#include "xdp_run.h"

namespace netring::test {
namespace {

using Filter = std::vector<sock_filter>;
using Bytes = std::vector<uint8_t>;

// Verdicts that can be told apart, which those of the product cannot as long as its map has no sockets.
constexpr bpf_insn kAccept[] = {insn_mov_imm(kR0, XDP_TX), insn_exit()};
constexpr bpf_insn kRefuse[] = {insn_mov_imm(kR0, XDP_DROP), insn_exit()};

// The loaded program; none, with the test failed, when the kernel refuses it.
UniqueFd load(const std::vector<bpf_insn>& program) {
  std::string log;
  Result<UniqueFd> fd = load_xdp_program(program, &log);
  if (fd.ok()) return std::move(*fd);
  if (failure().empty())
    failure() = std::to_string(program.size()) + " slots, errno " + std::to_string(fd.status().error) + ": " + log;
  return {};
}

UniqueFd load_translated(const Filter& filter) {
  Result<std::vector<bpf_insn>> program = translate_filter(filter, kAccept, kRefuse);
  EXPECT_EQ(program.status().error, 0);
  return program.ok() ? load(*program) : UniqueFd();
}

int expected_verdict(const Filter& filter, const Bytes& frame) {
  FilterContext context;
  context.frame = frame;
  context.original_length = static_cast<uint32_t>(frame.size());
  context.network_offset = 14;
  context.link_type = ARPHRD_ETHER;
  context.interface_index = 1;  // that of lo, which test runs pretend to come in on
  context.protocol = static_cast<uint32_t>(frame[12] << 8 | frame[13]);
  return run_filter(filter, context) != 0 ? XDP_TX : XDP_DROP;
}

// Whether the program judges each frame as the filter does. Counts what it compared.
bool agrees(const Filter& filter, const std::vector<Bytes>& frames, int* compared, int* accepted) {
  const UniqueFd program = load_translated(filter);
  if (!program) return false;
  for (const Bytes& frame : frames) {
    const int expected = expected_verdict(filter, frame);
    ++*compared;
    if (expected == XDP_TX) ++*accepted;
    if (!EXPECT_EQ(run_xdp(program.get(), frame), expected)) return false;
  }
  return true;
}

bool kernel_takes(const Filter& filter) {
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM, 0));
  return check_program(socket.get(), filter).ok();
}

// --- Frames ---

Bytes random_frame(std::mt19937& random) {
  const uint32_t lengths[] = {14, 14 + static_cast<uint32_t>(random() % 50), 60, 1514};
  Bytes frame(lengths[random() % 4]);
  // Small, so that what they are compared with and added to offsets often hits.
  for (uint8_t& byte : frame) byte = static_cast<uint8_t>(random() % 8);
  return frame;
}

void put16(Bytes* frame, size_t at, uint32_t value) {
  (*frame)[at] = static_cast<uint8_t>(value >> 8);
  (*frame)[at + 1] = static_cast<uint8_t>(value);
}

// Ethernet, perhaps a tag, IPv4 with options or IPv6, then ports: as far as the length goes.
Bytes packet(std::mt19937& random) {
  const auto one_of = [&random](std::initializer_list<uint32_t> values) {
    return *(values.begin() + random() % values.size());
  };
  Bytes frame(200);
  for (uint8_t& byte : frame) byte = static_cast<uint8_t>(random());
  size_t at = 12;
  if (random() % 3 == 0) {
    put16(&frame, at, one_of({0x8100, 0x88a8}));
    put16(&frame, at + 2, one_of({5, 0x2005, 6}));
    at += 4;
  }
  const bool v6 = random() % 3 == 0;
  put16(&frame, at, v6 ? 0x86dd : one_of({0x0800, 0x0800, 0x0800, 0x0806}));
  at += 2;
  const uint32_t protocol = one_of({6, 17, 17, 1});
  size_t ports = at + 40;
  if (v6) {
    frame[at] = 0x60;
    frame[at + 6] = static_cast<uint8_t>(protocol);
  } else {
    frame[at] = static_cast<uint8_t>(0x40 + one_of({5, 5, 6, 15}));
    put16(&frame, at + 6, one_of({0, 0x4000, 0x2001}));
    frame[at + 9] = static_cast<uint8_t>(protocol);
    const uint32_t address = one_of({0x0a000001, 0xc0a80102, 0x08080808});
    put16(&frame, at + 12, address >> 16);
    put16(&frame, at + 14, address);
    ports = at + (frame[at] & 0xf) * size_t{4};
  }
  put16(&frame, ports, one_of({5000, 22, 1024}));
  put16(&frame, ports + 2, one_of({5000, 22, 1024}));
  frame.resize(one_of({14, 20, 38, 42, 60, 128, 200}));
  frame.shrink_to_fit();
  return frame;
}

std::vector<Bytes> many(size_t count, Bytes (*make)(std::mt19937&), std::mt19937& random) {
  std::vector<Bytes> frames;
  for (size_t i = 0; i < count; ++i) frames.push_back(make(random));
  return frames;
}

// --- Filters ---

constexpr uint16_t kCodes[] = {
    BPF_LD | BPF_W | BPF_ABS,
    BPF_LD | BPF_H | BPF_ABS,
    BPF_LD | BPF_B | BPF_ABS,
    BPF_LD | BPF_W | BPF_IND,
    BPF_LD | BPF_H | BPF_IND,
    BPF_LD | BPF_B | BPF_IND,
    BPF_LD | BPF_IMM,
    BPF_LD | BPF_W | BPF_LEN,
    BPF_LD | BPF_MEM,
    BPF_LDX | BPF_IMM,
    BPF_LDX | BPF_W | BPF_LEN,
    BPF_LDX | BPF_MEM,
    BPF_LDX | BPF_B | BPF_MSH,
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
    BPF_RET | BPF_A,
};

uint32_t random_operand(std::mt19937& random) {
  const auto net = static_cast<uint32_t>(SKF_NET_OFF);
  const auto link = static_cast<uint32_t>(SKF_LL_OFF);
  const uint32_t hostile[] = {0xffffffff, 0x80000000, 0x7fffffff, 0xffff,     0xfffc,   net - 1,   net - 14,
                              net,        net + 6,    net + 50,   link - 1,   link,     link + 12, link + 1510,
                              0xfffff000, 0xffffefff, 0xfffffff0, 0xffff0000, 1U << 16, 1500,      1511};
  switch (random() % 8) {
    case 0:
      return hostile[random() % std::size(hostile)];
    case 1:
      return static_cast<uint32_t>(random() % 1600);
    default:
      return static_cast<uint32_t>(random() % 24);
  }
}

Filter random_filter(std::mt19937& random) {
  Filter filter;
  // Something to work with, and scratch memory that the kernel lets a filter read.
  filter.push_back({BPF_LD | BPF_B | BPF_ABS, 0, 0, static_cast<uint32_t>(random() % 14)});
  for (uint32_t word = 0; word < 3; ++word) filter.push_back({BPF_ST, 0, 0, word});
  filter.push_back({BPF_LDX | BPF_IMM, 0, 0, random_operand(random)});
  const auto length = static_cast<uint32_t>(filter.size() + 2 + random() % 20);
  for (auto i = static_cast<uint32_t>(filter.size()); i + 1 < length; ++i) {
    sock_filter insn{kCodes[random() % std::size(kCodes)], 0, 0, random_operand(random)};
    const uint32_t rest = length - i - 1;
    const bool scratch = insn.code == BPF_ST || insn.code == BPF_STX || insn.code == (BPF_LD | BPF_MEM) ||
                         insn.code == (BPF_LDX | BPF_MEM);
    if (scratch) insn.k %= 3;
    if (BPF_CLASS(insn.code) == BPF_JMP) {
      insn.jt = static_cast<uint8_t>(random() % rest);
      insn.jf = static_cast<uint8_t>(random() % rest);
      if (BPF_OP(insn.code) == BPF_JA) insn.k = static_cast<uint32_t>(random() % rest);
    }
    filter.push_back(insn);
  }
  const uint16_t last = random() % 2 == 0 ? BPF_RET | BPF_A : BPF_RET | BPF_K;
  filter.push_back({last, 0, 0, static_cast<uint32_t>(random() % 3)});
  return filter;
}

void agrees_with_the_filter_machine() {
  if (!may_use_bpf()) return;
  std::mt19937 random(9);
  int compared = 0;
  int accepted = 0;
  for (int round = 0; round < 6000; ++round) {
    const Filter filter = random_filter(random);
    if (!kernel_takes(filter)) continue;
    if (!agrees(filter, many(12, random_frame, random), &compared, &accepted)) return;
  }
  EXPECT(compared > 20'000);
  EXPECT(accepted > compared / 10);
}

struct Compiled {
  const char* expression;
  const char* program;  // tcpdump -ddd -y EN10MB, its lines separated by commas
};

constexpr Compiled kCompiled[] = {
    {"udp port 5000",
     "20,40 0 0 12,21 0 6 34525,48 0 0 20,21 0 15 17,40 0 0 54,21 12 0 5000,40 0 0 56,21 10 11 5000,21 0 10 2048,48 0 "
     "0 23,21 0 8 17,40 0 0 20,69 6 0 8191,177 0 0 14,72 0 0 14,21 2 0 5000,72 0 0 16,21 0 1 5000,6 0 0 262144,6 0 0 "
     "0"},
    {"tcp port 22 and not host 10.0.0.1",
     "24,40 0 0 12,21 0 6 34525,48 0 0 20,21 0 19 6,40 0 0 54,21 16 0 22,40 0 0 56,21 14 15 22,21 0 14 2048,48 0 0 "
     "23,21 0 12 6,40 0 0 20,69 10 0 8191,177 0 0 14,72 0 0 14,21 2 0 22,72 0 0 16,21 0 5 22,32 0 0 26,21 3 0 "
     "167772161,32 0 0 30,21 1 0 167772161,6 0 0 262144,6 0 0 0"},
    {"ip6 and udp", "9,40 0 0 12,21 0 6 34525,48 0 0 20,21 3 0 17,21 0 3 44,48 0 0 54,21 0 1 17,6 0 0 262144,6 0 0 0"},
    {"vlan 5 and udp",
     "19,40 0 0 12,21 2 0 33024,21 1 0 34984,21 0 14 37120,40 0 0 14,84 0 0 4095,21 0 11 5,40 0 0 16,21 0 2 2048,48 0 "
     "0 27,21 6 7 17,21 0 6 34525,48 0 0 24,21 3 0 17,21 0 3 44,48 0 0 58,21 0 1 17,6 0 0 262144,6 0 0 0"},
    {"tcp[tcpflags] & tcp-syn != 0",
     "11,40 0 0 12,21 0 8 2048,48 0 0 23,21 0 6 6,40 0 0 20,69 4 0 8191,177 0 0 14,80 0 0 27,69 0 1 2,6 0 0 262144,6 0 "
     "0 0"},
    {"len > 100 and ip proto 1",
     "8,128 0 0 0,37 0 5 100,40 0 0 12,21 0 3 2048,48 0 0 23,21 0 1 1,6 0 0 262144,6 0 0 0"},
    {"host 2001:db8::1 or net 192.168.0.0/16",
     "35,40 0 0 12,21 0 16 34525,32 0 0 22,21 0 6 536939960,32 0 0 26,21 0 4 0,32 0 0 30,21 0 2 0,32 0 0 34,21 23 0 "
     "1,32 0 0 38,21 0 22 536939960,32 0 0 42,21 0 20 0,32 0 0 46,21 0 18 0,32 0 0 50,21 15 16 1,21 0 6 2048,32 0 0 "
     "26,84 0 0 4294901760,21 11 0 3232235520,32 0 0 30,84 0 0 4294901760,21 8 9 3232235520,21 1 0 2054,21 0 7 "
     "32821,32 0 0 28,84 0 0 4294901760,21 3 0 3232235520,32 0 0 38,84 0 0 4294901760,21 0 1 3232235520,6 0 0 262144,6 "
     "0 0 0"},
    {"1 << ip[0] > 3", "7,48 0 0 14,7 0 0 2,0 0 0 1,108 0 0 0,37 0 1 3,6 0 0 262144,6 0 0 0"},
};

Filter parse(std::string program) {
  std::replace(program.begin(), program.end(), ',', ' ');
  std::istringstream numbers(program);
  size_t length = 0;
  numbers >> length;
  Filter filter;
  uint32_t code = 0, jt = 0, jf = 0, k = 0;
  while (numbers >> code >> jt >> jf >> k)
    filter.push_back({static_cast<uint16_t>(code), static_cast<uint8_t>(jt), static_cast<uint8_t>(jf), k});
  EXPECT_EQ(filter.size(), length);
  return filter;
}

void judges_packets_as_tcpdump_means_it() {
  if (!may_use_bpf()) return;
  std::mt19937 random(5);
  for (const Compiled& compiled : kCompiled) {
    int compared = 0;
    int accepted = 0;
    if (!agrees(parse(compiled.program), many(1000, packet, random), &compared, &accepted)) {
      failure() += std::string(", ") + compiled.expression;
      return;
    }
    EXPECT(accepted > 0 && accepted < compared);
  }
}

// --- Limits ---

// Every instruction the most expensive one, and the jumps as far as they go.
void takes_the_longest_filter() {
  if (!may_use_bpf()) return;
  std::mt19937 random(6);
  int compared = 0;
  int accepted = 0;
  Filter loads(BPF_MAXINSNS - 1, {BPF_LD | BPF_W | BPF_IND, 0, 0, 3});
  loads.push_back({BPF_RET | BPF_A, 0, 0, 0});
  if (!agrees(loads, many(10, random_frame, random), &compared, &accepted)) return;
  EXPECT(accepted > 0);
  accepted = 0;
  for (int round = 0; round < 8; ++round) {
    Filter filter;
    while (filter.size() + 10 < BPF_MAXINSNS) {
      const auto rest = static_cast<uint32_t>(BPF_MAXINSNS - filter.size() - 7);
      filter.push_back({BPF_LD | BPF_B | BPF_ABS, 0, 0, static_cast<uint32_t>(random() % 14)});
      filter.push_back({BPF_MISC | BPF_TAX, 0, 0, 0});
      filter.push_back({BPF_LD | BPF_H | BPF_IND, 0, 0, static_cast<uint32_t>(random() % 4)});
      filter.push_back({BPF_JMP | BPF_JGT | BPF_K, static_cast<uint8_t>(random() % std::min(rest, 256U)), 0, 0x600});
      filter.push_back({BPF_JMP | BPF_JSET | BPF_K, 0, 1, static_cast<uint32_t>(1 << random() % 3)});
      filter.push_back({BPF_JMP | BPF_JA, 0, 0, static_cast<uint32_t>(random() % 8 == 0 ? random() % rest : 0)});
    }
    while (filter.size() < BPF_MAXINSNS - 1) filter.push_back({BPF_ALU | BPF_ADD | BPF_X, 0, 0, 0});
    filter.push_back({BPF_RET | BPF_A, 0, 0, 0});
    if (!agrees(filter, many(20, random_frame, random), &compared, &accepted)) return;
  }
  EXPECT(accepted > 0);
}

// 2^40 paths, each with an offset of its own in X: the verifier must not walk them one by one.
void takes_a_filter_with_many_paths() {
  if (!may_use_bpf()) return;
  std::mt19937 random(7);
  int compared = 0;
  int accepted = 0;
  Filter filter = {{BPF_LDX | BPF_IMM, 0, 0, 1}};
  for (uint32_t i = 0; i < 40; ++i) {
    filter.push_back({BPF_LD | BPF_B | BPF_ABS, 0, 0, i % 14});
    filter.push_back({BPF_JMP | BPF_JSET | BPF_K, 0, 3, 1U << i % 3});
    filter.push_back({BPF_MISC | BPF_TXA, 0, 0, 0});
    filter.push_back({BPF_ALU | BPF_ADD | BPF_K, 0, 0, i});
    filter.push_back({BPF_MISC | BPF_TAX, 0, 0, 0});
  }
  filter.push_back({BPF_LD | BPF_B | BPF_IND, 0, 0, 0});
  filter.push_back({BPF_RET | BPF_A, 0, 0, 0});
  EXPECT(kernel_takes(filter));
  if (!agrees(filter, many(200, random_frame, random), &compared, &accepted)) return;
  EXPECT(accepted > 0 && accepted < compared);
}

// --- Ancillary data and refusals ---

Filter compare_ancillary(int field, uint32_t value) {
  return {{BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<uint32_t>(SKF_AD_OFF + field)},
          {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, value},
          {BPF_RET | BPF_K, 0, 0, 1},
          {BPF_RET | BPF_K, 0, 0, 0}};
}

void knows_the_ancillary_data_of_xdp() {
  if (!may_use_bpf()) return;
  Bytes frame(60);
  put16(&frame, 12, 0x86dd);
  const std::pair<int, uint32_t> fields[] = {
      {SKF_AD_PROTOCOL, 0x86dd}, {SKF_AD_IFINDEX, 1},          {SKF_AD_QUEUE, 0},     {SKF_AD_HATYPE, ARPHRD_ETHER},
      {SKF_AD_VLAN_TAG, 0},      {SKF_AD_VLAN_TAG_PRESENT, 0}, {SKF_AD_VLAN_TPID, 0}, {SKF_AD_ALU_XOR_X, 0}};
  for (const auto& [field, value] : fields) {
    EXPECT_EQ(run_xdp(load_translated(compare_ancillary(field, value)).get(), frame), int{XDP_TX});
    EXPECT_EQ(run_xdp(load_translated(compare_ancillary(field, value + 1)).get(), frame), int{XDP_DROP});
  }
  for (const int field : {SKF_AD_PKTTYPE, SKF_AD_RXHASH, SKF_AD_CPU, SKF_AD_MARK, SKF_AD_NLATTR, SKF_AD_NLATTR_NEST,
                          SKF_AD_RANDOM, SKF_AD_PAY_OFFSET}) {
    const Result<std::vector<bpf_insn>> program = redirect_program(compare_ancillary(field, 0), -1);
    EXPECT_EQ(program.status().error, EOPNOTSUPP);
    EXPECT(std::string(program.status().step) == "ancillary load in a filter for XDP");
  }
}

void refuses_what_is_no_filter() {
  const Filter broken[] = {
      {{BPF_LD | BPF_IMM, 0, 0, 0}},                                        // no end
      {{BPF_JMP | BPF_JA, 0, 0, 0xffffffff}, {BPF_RET | BPF_K, 0, 0, 0}},   // back
      {{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0}, {BPF_RET | BPF_K, 0, 0, 0}},   // out
      {{BPF_ALU | BPF_DIV | BPF_K, 0, 0, 0}, {BPF_RET | BPF_K, 0, 0, 0}},   // by zero
      {{BPF_ALU | BPF_LSH | BPF_K, 0, 0, 32}, {BPF_RET | BPF_K, 0, 0, 0}},  // too far
      {{BPF_ST, 0, 0, BPF_MEMWORDS}, {BPF_RET | BPF_K, 0, 0, 0}},           // beyond scratch memory
      {{BPF_LD | BPF_MEM, 0, 0, 0xffffffff}, {BPF_RET | BPF_K, 0, 0, 0}},   //
      {{BPF_ALU | 0xf0, 0, 0, 0}, {BPF_RET | BPF_K, 0, 0, 0}},              // no such operation
      {{BPF_LD | 0xe0, 0, 0, 0}, {BPF_RET | BPF_K, 0, 0, 0}},               //
      Filter(BPF_MAXINSNS + 1, {BPF_RET | BPF_K, 0, 0, 0}),                 // too long
  };
  for (const Filter& filter : broken) EXPECT_EQ(redirect_program(filter, -1).status().error, EINVAL);
}

// With a map that has no sockets everything goes on to the kernel.
void redirect_programs_load_and_pass() {
  if (!may_use_bpf()) return;
  Result<UniqueFd> map = create_xskmap(4);
  for (const Filter& filter : {Filter(), parse(kCompiled[0].program), Filter{{BPF_RET | BPF_K, 0, 0, 1}},
                               Filter{{BPF_RET | BPF_K, 0, 0, 0}}}) {
    Result<std::vector<bpf_insn>> program = redirect_program(filter, map->get());
    EXPECT(program.ok());
    EXPECT_EQ(run_xdp(load(*program).get(), Bytes(60)), int{XDP_PASS});
  }
}

void reports_why_the_verifier_refuses() {
  if (!may_use_bpf()) return;
  const bpf_insn reads_nothing[] = {insn_ldx(BPF_W, kR0, kR5, 0), insn_exit()};
  std::string log;
  const Result<UniqueFd> program = load_xdp_program(reads_nothing, &log);
  EXPECT_EQ(program.status().error, EACCES);
  EXPECT(log.find("R5 !read_ok") != std::string::npos);
}

}  // namespace
}  // namespace netring::test

int main() {
  using namespace netring::test;
  return run_all({
      {"agrees_with_the_filter_machine", agrees_with_the_filter_machine},
      {"judges_packets_as_tcpdump_means_it", judges_packets_as_tcpdump_means_it},
      {"takes_the_longest_filter", takes_the_longest_filter},
      {"takes_a_filter_with_many_paths", takes_a_filter_with_many_paths},
      {"knows_the_ancillary_data_of_xdp", knows_the_ancillary_data_of_xdp},
      {"refuses_what_is_no_filter", refuses_what_is_no_filter},
      {"redirect_programs_load_and_pass", redirect_programs_load_and_pass},
      {"reports_why_the_verifier_refuses", reports_why_the_verifier_refuses},
  });
}
