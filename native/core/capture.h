// A TPACKET_V3 receive ring on one interface: opened in an order that lets no foreign or unfiltered frame in, read
// block by block.
#ifndef NETRING_CORE_CAPTURE_H_
#define NETRING_CORE_CAPTURE_H_

#include <linux/filter.h>
#include <linux/if_packet.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "block.h"
#include "link.h"
#include "resources.h"
#include "result.h"

namespace netring {

struct CaptureConfig {
  std::string interface;
  uint32_t block_size = 0;
  uint32_t block_count = 0;
  uint32_t frame_size = 0;
  uint32_t snap_len = 0;  // 0: no truncation
  uint32_t block_timeout_ms = 0;
  bool fill_rxhash = false;
  bool promiscuous = false;
  bool ignore_outgoing = false;
  uint32_t busy_poll_us = 0;  // 0: off
  bool reuseport = false;
  uint32_t rcvbuf = 0;  // 0: the kernel's default
  bool rcvbuf_force = false;
  uint32_t timestamp_flags = 0;  // argument of PACKET_TIMESTAMP, 0: software
  int32_t fanout = -1;           // mode | flags, -1: none
  uint16_t fanout_group = 0;
  std::vector<sock_filter> filter;
};

// Totals since open. The kernel clears its own on every read, so nobody else may read them.
struct CaptureTotals {
  uint64_t received = 0;  // passed the filter: delivered into the ring plus dropped
  uint64_t drops = 0;
  uint64_t freezes = 0;
  uint64_t packets = 0;  // handed out in batches
  uint64_t bytes = 0;    // their lengths on the wire
  uint64_t refiltered = 0;
};

class Capture {
 public:
  static Result<std::unique_ptr<Capture>> open(const CaptureConfig& config);
  // Closes. Memory under a borrowed block may outlive this: see `ring`.
  ~Capture();
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  int fd() const { return socket_.get(); }
  LinkWatch& link() { return link_; }
  uint32_t block_size() const { return request_.tp_block_size; }
  uint32_t block_count() const { return request_.tp_block_nr; }
  uint32_t frame_size() const { return request_.tp_frame_size; }
  int fanout_group() const { return fanout_group_; }
  const std::vector<std::string>& warnings() const { return warnings_; }
  // Shared with whoever looks at a block, so that memory a reader has carried away stays safe to touch.
  const std::shared_ptr<Mapping>& ring() const { return ring_; }

  // The oldest retired block that holds packets, or null. Stays the same until `release_block`.
  uint8_t* current_block();
  // Reads the current block in place, or as a copy; see block.h.
  uint32_t index_current(BatchHeader* header, PacketRecord* records);
  uint32_t copy_current(BatchHeader* header, PacketRecord* records, uint8_t* bytes, uint32_t capacity);
  // Gives the current block back to the kernel and goes on to the next.
  void release_block();

  // Blocks until a block is retired. False after the timeout (-1: none); ENODEV when the interface is deleted and the
  // ring is empty.
  Result<bool> wait(int timeout_ms);

  // Swaps the filter without touching the ring. Packets that the old one has let in are judged by the new one as they
  // are read.
  Status set_filter(std::vector<sock_filter> program);

  // Swaps the filter for an eBPF program of type socket filter. It cannot be run here: packets in the ring stay as the
  // filter before has let them in.
  Status attach_ebpf_filter(int program_fd);
  // Gives the fanout group, which has mode `ebpf`, the program that picks a member for each packet.
  Status attach_fanout_ebpf(int program_fd);

  const CaptureTotals& read_totals();

 private:
  Capture(LinkWatch link, UniqueFd socket);
  Status configure(const CaptureConfig& config);
  bool ignores_outgoing(const CaptureConfig& config) const;
  Status set_up_ring(const CaptureConfig& config);
  Status join_fanout(const CaptureConfig& config);
  BlockReader reader() const;
  uint32_t count(const BlockCount& read);
  tpacket_block_desc* block_at(uint32_t index) const;
  bool retired(uint32_t index) const;

  // Destroyed in reverse order: the mapping before the socket, which stays alive in the kernel, promiscuous and filling
  // the ring, until both are gone.
  LinkWatch link_;
  UniqueFd socket_;
  std::shared_ptr<Mapping> ring_;
  tpacket_req3 request_{};
  bool promiscuous_ = false;
  int fanout_group_ = -1;
  uint32_t snap_len_ = 0;
  std::vector<std::string> warnings_;

  uint32_t current_ = 0;
  std::vector<sock_filter> refilter_;
  uint32_t refilter_blocks_ = 0;
  int64_t gone_until_ms_ = 0;  // monotonic; 0 until a wait finds the interface gone
  CaptureTotals totals_;
};

}  // namespace netring

#endif  // NETRING_CORE_CAPTURE_H_
