// AF_XDP on one or all queues of an interface: the sockets, the program that brings frames to them, and the link.
#ifndef NETRING_CORE_XDP_XDP_SOCKET_H_
#define NETRING_CORE_XDP_XDP_SOCKET_H_

#include <linux/filter.h>
#include <linux/if_xdp.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "../link.h"
#include "queue.h"
#include "shared_program.h"

namespace netring {

struct XdpConfig {
  static constexpr int32_t kAllQueues = -1;

  std::string interface;
  int32_t queue = 0;
  uint32_t frame_size = 0;
  uint32_t frame_count = 0;
  uint32_t rx_frames = 0;  // of `frame_count`
  bool need_wakeup = true;
  BindMode bind_mode = BindMode::kAuto;
  XdpProgram::Attach attach = XdpProgram::Attach::kAuto;
  std::vector<sock_filter> filter;  // empty: every frame of the queue
  std::string map_pin;
  bool promiscuous = false;
  BusyPoll busy_poll;
};

// Totals since open.
struct XdpTotals {
  uint64_t packets = 0;  // handed out in batches
  uint64_t bytes = 0;
  uint64_t refiltered = 0;
  uint64_t waiting = 0;  // received and not handed out yet
  uint64_t sent = 0;
  uint64_t sent_bytes = 0;
  uint64_t send_errors = 0;
  uint64_t unsent = 0;  // of `sent`, those that the kernel has not taken out of the TX ring yet
  uint64_t rejected = 0;
  xdp_statistics kernel{};
};

class XdpSocket {
 public:
  // Most frames of a batch; no more than a quarter of a queue's, so that the kernel can go on receiving while a reader
  // holds a borrowed one.
  static constexpr uint32_t kMostFrames = 512;

  // `programs` outlives the socket. With `primary`, an open socket on the same single queue, its UMEM is shared and its
  // program left as it is. `detail` gets what the kernel has said besides the errno of a failure, if it has.
  static Result<std::unique_ptr<XdpSocket>> open(XdpConfig config, SharedPrograms* programs, XdpSocket* primary,
                                                 std::string* detail);
  ~XdpSocket();
  XdpSocket(const XdpSocket&) = delete;
  XdpSocket& operator=(const XdpSocket&) = delete;

  // Readable when a frame has been received: the queue's socket, or an epoll descriptor over several.
  int fd() const { return epoll_ ? epoll_.get() : queues_.front()->fd(); }
  LinkWatch& link() { return link_; }
  const std::vector<std::unique_ptr<XdpQueue>>& queues() const { return queues_; }
  // The queue that sends.
  XdpQueue& sender() { return *queues_.front(); }
  const std::vector<std::string>& warnings() const { return warnings_; }
  // The mode our program is attached in; kNone without one of ours.
  XdpProgram::Attach attach_mode() const;
  // False once another tool has taken our program off the interface.
  bool attached() const;

  // Looks for received frames, in one queue after the other. Their number, 0 when there are none; the same ones until
  // `release_batch` or `copy_batch`.
  uint32_t find_batch();
  const Umem& batch_umem() const { return *queues_[batch_queue_]->umem(); }
  uint64_t batch_bytes() const { return queues_[batch_queue_]->received_bytes(batch_frames_); }
  // `span` gets the part of the UMEM from whose begin the offsets count.
  uint32_t index_batch(BatchHeader* header, PacketRecord* records, Span* span);
  uint32_t copy_batch(BatchHeader* header, PacketRecord* records, uint8_t* bytes, uint32_t capacity);
  void release_batch();
  // Blocks until a frame is received. False after the timeout (-1: none); ENODEV when the interface is deleted.
  Result<bool> wait(int timeout_ms);

  FrameLimit limit() const { return {link_.info().mtu}; }
  // Longest frame without a VLAN tag that can be sent.
  uint32_t longest() const { return std::min(limit().longest(), frame_capacity()); }
  uint32_t frame_capacity() const { return sender().umem()->geometry().frame_size; }
  bool fits(uint32_t length, const uint8_t* frame) const {
    return length <= frame_capacity() && limit().takes(frame, length);
  }
  uint64_t rejected() const { return rejected_; }
  void count_rejected() { ++rejected_; }
  SendResult flush();
  SendResult send(const FrameSource& frames, uint32_t first, uint32_t end);

  // Swaps the filter; frames that the old one has let in are judged by the new one as they are read. Other sockets on
  // the interface share the program and follow.
  Status set_filter(std::vector<sock_filter> program, std::string* detail);
  XdpTotals totals();

 private:
  XdpSocket(LinkWatch link, SharedPrograms* programs) : link_(std::move(link)), programs_(programs) {}
  const XdpQueue& sender() const { return *queues_.front(); }
  Status open_queues(const XdpConfig& config, const XdpSocket* primary);
  Status watch_queues();
  Status use_program(XdpConfig* config, std::string* detail);
  Status share_program(const XdpConfig& config, const std::shared_ptr<SharedProgram>& program);
  Status insert_queues(SharedProgram* program);
  void warn_of_offloads();
  XdpReader reader();
  uint32_t account(const XdpCount& read, BatchHeader* header);

  // Destroyed in reverse order: first the program, which sends frames our way, then what receives them.
  LinkWatch link_;
  SharedPrograms* programs_;
  std::vector<std::unique_ptr<XdpQueue>> queues_;
  UniqueFd epoll_;
  // Keeps the interface promiscuous for as long as it is open.
  UniqueFd membership_;
  std::shared_ptr<SharedProgram> program_;
  bool program_is_ours_ = false;
  std::vector<std::string> warnings_;

  size_t batch_queue_ = 0;
  uint32_t batch_frames_ = 0;
  bool batch_full_ = false;
  // Frames of the batch that is lent out: counted as handed out, and still in the ring.
  uint32_t lent_ = 0;
  uint64_t batches_ = 0;
  uint32_t generation_ = 0;
  // For each queue, how many frames may still have passed an earlier filter.
  std::vector<uint32_t> refilter_;
  XdpTotals totals_;
  uint64_t rejected_ = 0;
};

}  // namespace netring

#endif  // NETRING_CORE_XDP_XDP_SOCKET_H_
