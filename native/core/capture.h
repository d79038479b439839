// A receive ring on one interface: opened in an order that lets no foreign or unfiltered frame in, read batch by batch.
#ifndef NETRING_CORE_CAPTURE_H_
#define NETRING_CORE_CAPTURE_H_

#include <linux/filter.h>
#include <linux/if_packet.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "capture_books.h"
#include "link.h"
#include "receive_ring.h"
#include "resources.h"
#include "result.h"

namespace netring {

struct CaptureConfig {
  std::string interface;
  // Frames are read as they come, instead of by the block.
  bool immediate = false;
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

class Capture {
 public:
  // In the calling thread's network namespace.
  static Result<std::unique_ptr<Capture>> open(const CaptureConfig& config);
  // Closes. Memory under a borrowed block may outlive this: see `ring`.
  ~Capture();
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  int fd() const { return socket_.get(); }
  LinkWatch& link() { return link_; }
  const LinkWatch& link() const { return link_; }
  const ReceiveRing& ring() const { return *ring_; }
  int fanout_group() const { return fanout_group_; }
  const std::vector<std::string>& warnings() const { return warnings_; }

  // The batch that would be read next.
  WaitingBatch waiting() { return ring_->waiting(); }
  // Reads the batch that `waiting` has just told of, as a copy or on loan; see receive_ring.h. Returns its packets.
  uint32_t copy(const WaitingBatch& waiting, BatchHeader* header, PacketRecord* records, uint8_t* bytes,
                uint32_t capacity);
  uint32_t lend(const WaitingBatch& waiting, BatchHeader* header, PacketRecord* records, LentBatch* out);
  // Ends the loan.
  void release() { ring_->release(); }

  // Blocks until there is a batch. False after the timeout (-1: none); ENODEV when the interface is deleted and the
  // ring is empty.
  Result<bool> wait(int timeout_ms);
  // One sleep of such a wait: ends with anything that may have changed, the link's state too, once `interrupt` is
  // readable, or after the timeout. Not while a block is retired. ENODEV as above.
  Status doze(int64_t timeout_ms, int interrupt = -1);

  // Swaps the filter without touching the ring. Packets that the old one has let in are judged by the new one as they
  // are read.
  Status set_filter(std::vector<sock_filter> program);

  // Swaps the filter for an eBPF program of type socket filter. It cannot be run here: packets in the ring stay as the
  // filter before has let them in.
  Status attach_ebpf_filter(int program_fd);
  // Gives the fanout group, which has mode `ebpf`, the program that picks a member for each packet.
  Status attach_fanout_ebpf(int program_fd);

  // For any thread.
  CaptureTotals read_totals() { return books_->read(); }
  const std::shared_ptr<CaptureBooks>& books() const { return books_; }

 private:
  Capture(LinkWatch link, UniqueFd socket);
  Status configure(const CaptureConfig& config);
  bool ignores_outgoing(const CaptureConfig& config) const;
  Result<std::unique_ptr<ReceiveRing>> open_ring(const CaptureConfig& config);
  Status join_fanout(const CaptureConfig& config);
  RingReader reader() const;
  uint32_t count(const BatchCount& read);

  // Destroyed in reverse order: the ring's mapping before the socket, which stays alive in the kernel, promiscuous and
  // filling the ring, until both are gone.
  LinkWatch link_;
  UniqueFd socket_;
  std::unique_ptr<ReceiveRing> ring_;
  bool promiscuous_ = false;
  int fanout_group_ = -1;
  uint32_t snap_len_ = 0;
  std::vector<std::string> warnings_;

  int64_t gone_until_ms_ = 0;  // monotonic; 0 until a wait finds the interface gone
  const std::shared_ptr<CaptureBooks> books_;
};

}  // namespace netring

#endif  // NETRING_CORE_CAPTURE_H_
