// One AF_XDP socket on one queue of an interface: receives into its UMEM and sends out of it.
#ifndef NETRING_CORE_XDP_QUEUE_H_
#define NETRING_CORE_XDP_QUEUE_H_

#include <linux/filter.h>
#include <linux/if_ether.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "../frame_limit.h"
#include "../frame_source.h"
#include "../packet_index.h"
#include "../resources.h"
#include "../result.h"
#include "rings.h"
#include "umem.h"

namespace netring {

enum class BindMode : uint8_t { kAuto = 0, kCopy = 1, kZeroCopy = 2 };

struct BusyPoll {
  uint32_t microseconds = 0;  // 0: off
  bool preferred = false;
  uint32_t budget = 0;  // 0: the kernel's
};

struct XdpQueueConfig {
  int ifindex = 0;
  uint32_t queue = 0;
  UmemGeometry frames;
  bool need_wakeup = true;
  BindMode bind_mode = BindMode::kAuto;
  BusyPoll busy_poll;
};

// What reading a frame needs to know besides the frame.
struct XdpReader {
  std::array<uint8_t, ETH_ALEN> address{};  // of the interface
  uint32_t interface_index = 0;
  uint32_t link_type = 0;  // ARPHRD_*
  uint32_t queue = 0;
  // Set while the ring may hold frames that an earlier filter has let in.
  std::span<const sock_filter> refilter;
};

// A part of a UMEM.
struct Span {
  uint64_t begin = 0;
  uint64_t size = 0;
};

struct XdpCount {
  uint32_t packets = 0;
  uint32_t refiltered = 0;
  uint64_t bytes = 0;
};

class XdpQueue {
 public:
  // With `primary`, an open socket on the same queue, the new one shares its UMEM, and with it fill and completion
  // ring.
  static Result<std::unique_ptr<XdpQueue>> open(const XdpQueueConfig& config, const XdpQueue* primary);
  XdpQueue(const XdpQueue&) = delete;
  XdpQueue& operator=(const XdpQueue&) = delete;
  ~XdpQueue();

  int fd() const { return socket_.get(); }
  uint32_t id() const { return id_; }
  const std::shared_ptr<Umem>& umem() const { return umem_; }
  bool zero_copy() const { return zero_copy_; }
  // Adds this socket's counters.
  void add_statistics(xdp_statistics* sum) const;

  // Frames that wait to be read, at most `most`.
  uint32_t received(uint32_t most);
  // Sum of the lengths of the first `count` of them.
  uint64_t received_bytes(uint32_t count) const;
  // Where the first `count` of them lie. Shortens the count where the part would become too large.
  Span span(uint32_t* count) const;
  // Describes the first `count` frames in place: offsets count from `begin`. They stay until `release`.
  XdpCount index(uint32_t count, uint64_t begin, const XdpReader& reader, BatchHeader* header, PacketRecord* records);
  // The same with the frames copied to `bytes`, one after the other, and given back at once.
  XdpCount copy(uint32_t count, const XdpReader& reader, BatchHeader* header, PacketRecord* records, uint8_t* bytes,
                uint32_t capacity);
  // Gives the first `count` received frames back to be filled again.
  void release(uint32_t count);
  // Has the driver go on with receiving, where it waits to be told.
  void wake_receiver();

  // The frame that the next `commit` sends, as its number among all frames, or -1 when none is free. Does not advance.
  int64_t allocate();
  void commit(uint32_t length);
  uint32_t free_frames();
  // The same with the frame that was handed out and not sent.
  uint32_t free_slots() { return free_frames() + (slot_ < 0 ? 0 : 1); }
  // Hands what is in the TX ring to the device. Returns the errno for which frames are left in it; 0 when none is, or
  // the driver takes them by itself.
  int kick();
  SendResult flush();
  // Sends frames `first` up to `end` without blocking, after what the TX ring still holds. A frame that is in the ring
  // counts as sent; the kernel may need another `kick` to take it.
  SendResult send(const FrameSource& frames, uint32_t first, uint32_t end, const FrameLimit& limit);

  uint64_t sent() const { return sent_; }
  uint64_t sent_bytes() const { return sent_bytes_; }
  // Of those, the ones that the kernel has not taken out of the TX ring yet, as far as it tells.
  uint32_t unsent() { return tx_.size() == 0 ? 0 : tx_.waiting(); }
  // Frames that the kernel took and did not send.
  uint64_t send_errors() const { return send_errors_; }

 private:
  XdpQueue(UniqueFd socket, uint32_t id) : socket_(std::move(socket)), id_(id) {}
  Status set_up(const XdpQueueConfig& config, const XdpQueue* primary);
  Status set_busy_poll(const BusyPoll& busy_poll) const;
  Status bind(const XdpQueueConfig& config, const XdpQueue* primary) const;
  template <typename Place>
  XdpCount read(uint32_t count, const XdpReader& reader, BatchHeader* header, PacketRecord* records, Place place);
  uint32_t put(const FrameSource& frames, uint32_t first, uint32_t end, const FrameLimit& limit, SendResult* result);

  // Destroyed in reverse order: the rings' mappings, which keep the queue bound, before the socket.
  UniqueFd socket_;
  uint32_t id_;
  std::shared_ptr<Umem> umem_;
  Mapping rx_memory_;
  Mapping tx_memory_;
  ConsumerRing<xdp_desc> rx_;
  ProducerRing<xdp_desc> tx_;
  bool need_wakeup_ = true;
  bool busy_polls_ = false;
  bool zero_copy_ = false;

  int64_t slot_ = -1;  // the frame that was handed out
  // Frames committed since the last flush, or left over by it.
  uint32_t unreported_ = 0;
  uint64_t unreported_bytes_ = 0;
  uint64_t sent_ = 0;
  uint64_t sent_bytes_ = 0;
  uint64_t send_errors_ = 0;
};

}  // namespace netring

#endif  // NETRING_CORE_XDP_QUEUE_H_
