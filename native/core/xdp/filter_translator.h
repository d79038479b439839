// Classic BPF, which judges frames on a packet socket, as eBPF for XDP.
#ifndef NETRING_CORE_XDP_FILTER_TRANSLATOR_H_
#define NETRING_CORE_XDP_FILTER_TRANSLATOR_H_

#include <linux/bpf.h>
#include <linux/filter.h>

#include <span>
#include <vector>

#include "../result.h"

namespace netring {

// An XDP program that runs `filter` on the frame and then `accept` (it returned something else than 0) or `refuse`.
// Both find the context in R6, nothing else, and end with an exit.
//
// What differs from a packet socket: VLAN tags stand in the frame and are never beside it (SKF_AD_VLAN_TAG_PRESENT is
// 0), SKF_AD_PROTOCOL is the EtherType at bytes 12 and 13, the network header is behind it. Ancillary data that XDP
// does not have fails with EOPNOTSUPP, what is no valid filter with {EINVAL, "filter"}.
//
// The verifier takes every filter whose arithmetic it can follow: not one that adds up a value over some twenty
// branches and then compares it (E2BIG). Loads at X + k, as of the ports behind an IPv4 header, and of the length need
// CAP_PERFMON besides CAP_BPF and CAP_NET_ADMIN (else EACCES).
Result<std::vector<bpf_insn>> translate_filter(std::span<const sock_filter> filter, std::span<const bpf_insn> accept,
                                               std::span<const bpf_insn> refuse);

}  // namespace netring

#endif  // NETRING_CORE_XDP_FILTER_TRANSLATOR_H_
