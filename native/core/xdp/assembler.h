// Puts eBPF instructions one after the other and fills in the distances of forward jumps, however long they are.
#ifndef NETRING_CORE_XDP_ASSEMBLER_H_
#define NETRING_CORE_XDP_ASSEMBLER_H_

#include <linux/bpf.h>

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace netring {

class Assembler {
 public:
  // Labels are 0 to `labels` - 1, at most `kMaxLabels`.
  explicit Assembler(uint32_t labels) : pending_(labels) {}

  static constexpr uint32_t kMaxLabels = 8000;

  void emit(const bpf_insn& insn);
  void emit(std::span<const bpf_insn> insns);
  // A conditional or unconditional jump to a label that is bound later.
  void jump(const bpf_insn& insn, uint32_t label);
  // The label is here.
  void bind(uint32_t label);
  bool is_wanted(uint32_t label) const { return !pending_[label].empty(); }
  // To be called now and then, at most `kStride` instructions apart, where nothing minds a jump in between.
  void break_long_jumps();

  static constexpr uint32_t kStride = 100;

  std::vector<bpf_insn> take() { return std::move(insns_); }

 private:
  void land(uint32_t slot);

  std::vector<bpf_insn> insns_;
  std::vector<std::vector<uint32_t>> pending_;  // of each label: the slots that jump to it
  size_t broken_at_ = 0;
  bool falls_through_ = true;  // whether the next slot is reached from the one before
};

}  // namespace netring

#endif  // NETRING_CORE_XDP_ASSEMBLER_H_
