#include "assembler.h"

#include <algorithm>
#include <limits>

#include "ebpf.h"

namespace netring {

namespace {

// How many slots lie between two islands. A jump spans at most one such stretch and two islands.
constexpr uint32_t kStretch = 16000;
static_assert(kStretch + Assembler::kStride + 2 * (Assembler::kMaxLabels + 1) <= std::numeric_limits<int16_t>::max());

bool goes_on(const bpf_insn& insn) { return insn.code != (BPF_JMP | BPF_JA) && insn.code != (BPF_JMP | BPF_EXIT); }

}  // namespace

void Assembler::emit(const bpf_insn& insn) {
  insns_.push_back(insn);
  falls_through_ = goes_on(insn);
}

void Assembler::emit(std::span<const bpf_insn> insns) {
  for (const bpf_insn& insn : insns) emit(insn);
}

void Assembler::jump(const bpf_insn& insn, uint32_t label) {
  pending_[label].push_back(static_cast<uint32_t>(insns_.size()));
  emit(insn);
}

void Assembler::land(uint32_t slot) { insns_[slot].off = static_cast<int16_t>(insns_.size() - slot - 1); }

void Assembler::bind(uint32_t label) {
  for (const uint32_t slot : pending_[label]) land(slot);
  falls_through_ |= is_wanted(label);
  pending_[label].clear();
}

// Jumps have 16 bits. Those still open go on from here, from an island of jumps, one for each label.
void Assembler::break_long_jumps() {
  if (insns_.size() - broken_at_ < kStretch) return;
  const bool falls_through = falls_through_;
  // Not where nothing comes along: the verifier refuses what cannot be reached.
  if (falls_through) {
    const auto wanted =
        std::count_if(pending_.begin(), pending_.end(), [](const auto& slots) { return !slots.empty(); });
    emit(insn_jump(static_cast<int16_t>(wanted)));
  }
  for (std::vector<uint32_t>& slots : pending_) {
    if (slots.empty()) continue;
    for (const uint32_t slot : slots) land(slot);
    slots.assign(1, static_cast<uint32_t>(insns_.size()));
    emit(insn_jump());
  }
  falls_through_ = falls_through;
  broken_at_ = insns_.size();
}

}  // namespace netring
