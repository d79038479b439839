#include "redirect_program.h"

#include <array>
#include <cstddef>

#include "ebpf.h"
#include "filter_translator.h"

namespace netring {

namespace {

constexpr std::array<bpf_insn, 6> redirect(EbpfRegister context, int xskmap_fd) {
  const auto [map, map_upper_half] = insn_ld_map_fd(kR1, xskmap_fd);
  return {
      insn_ldx(BPF_W, kR2, context, offsetof(xdp_md, rx_queue_index)),  // key: the queue that the frame came in on
      map,                                                              // the map
      map_upper_half,                                                   //
      insn_mov_imm(kR3, XDP_PASS),                                      // what to return when the queue has no socket
      insn_call(BPF_FUNC_redirect_map),                                 // r0 = XDP_REDIRECT or that
      insn_exit(),                                                      //
  };
}

constexpr std::array<bpf_insn, 2> kPass = {
    insn_mov_imm(kR0, XDP_PASS),  // on to the kernel
    insn_exit(),
};

}  // namespace

Result<std::vector<bpf_insn>> redirect_program(std::span<const sock_filter> filter, int xskmap_fd) {
  if (!filter.empty()) return translate_filter(filter, redirect(kR6, xskmap_fd), kPass);
  const auto all = redirect(kR1, xskmap_fd);
  return std::vector<bpf_insn>(all.begin(), all.end());
}

}  // namespace netring
