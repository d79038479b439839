#include "slot_ring.h"

#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>

#include "atomics.h"
#include "packet_socket.h"

namespace netring {

namespace {

constexpr uint32_t kAddressOffset = TPACKET_ALIGN(sizeof(tpacket2_hdr));
constexpr uint32_t kLeastFrameOffset = kAddressOffset + sizeof(sockaddr_ll);
// What the kernel puts before a frame at most: header and address, a link-layer header's place, the tag's.
constexpr uint32_t kBeforeFrame = TPACKET_ALIGN(kLeastFrameOffset + 16) + kVlanTagLength;
// Room in the queue for frames that are longer than a slot; the kernel doubles it.
constexpr int kQueueBytes = 16 << 20;
// With that much room: of most control traffic all of a frame, of any other its headers.
constexpr uint32_t kSmallSlot = 256;
constexpr size_t kLentBytes = SlotRing::kMostBytes + SlotRing::kLongestFrame + kVlanTagLength;

// Slots are far apart, which no prefetcher of the hardware follows.
constexpr uint32_t kCacheLine = 64;
constexpr uint32_t kPrefetchAhead = 6;
constexpr uint32_t kPrefetchLines = 3;

struct SlotPacket {
  const tpacket2_hdr* header;
  const sockaddr_ll* address;
  uint8_t* frame;
  uint32_t length;
  uint32_t room;

  uint32_t original_length() const { return header->tp_len; }
  uint32_t network_offset() const {
    return header->tp_net > header->tp_mac ? static_cast<uint32_t>(header->tp_net - header->tp_mac) : 0;
  }
  uint32_t seconds() const { return header->tp_sec; }
  uint32_t nanoseconds() const { return header->tp_nsec; }
  // Whether a copy waited in the queue is between the kernel and us.
  uint32_t status() const { return header->tp_status & ~static_cast<uint32_t>(TP_STATUS_COPY); }
  uint32_t rxhash() const { return 0; }
  bool has_tag() const { return (header->tp_status & TP_STATUS_VLAN_VALID) != 0; }
  uint16_t tci() const { return header->tp_vlan_tci; }
  uint16_t tpid() const {
    return (header->tp_status & TP_STATUS_VLAN_TPID_VALID) != 0 ? header->tp_vlan_tpid : ETH_P_8021Q;
  }
  uint32_t room_before() const { return room; }
};

// What the slot itself holds. Everything the ring says is checked: with offsets that lead outside it is an empty frame.
SlotPacket packet_in(tpacket2_hdr* header, uint32_t slot_size) {
  auto* bytes = reinterpret_cast<uint8_t*>(header);
  const auto* address = reinterpret_cast<const sockaddr_ll*>(bytes + kAddressOffset);
  if (header->tp_mac < kLeastFrameOffset || header->tp_mac > slot_size ||
      header->tp_snaplen > slot_size - header->tp_mac)
    return {header, address, bytes + kLeastFrameOffset, 0, 0};
  return {header, address, bytes + header->tp_mac, header->tp_snaplen, header->tp_mac - kLeastFrameOffset};
}

// Whether the queue has come to be as large as it should.
Result<bool> enlarge_queue(int fd) {
  if (set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, kQueueBytes, "SO_RCVBUFFORCE").ok()) return true;
  // Without CAP_NET_ADMIN it is capped at rmem_max.
  if (const Status s = set_option(fd, SOL_SOCKET, SO_RCVBUF, kQueueBytes, "SO_RCVBUF"); !s.ok()) return s;
  int bytes = 0;
  socklen_t size = sizeof bytes;
  if (::getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, &size) != 0) return Status::failed("SO_RCVBUF");
  return bytes >= 2 * kQueueBytes;
}

bool is_queued(const tpacket2_hdr& header) { return (header.tp_status & TP_STATUS_COPY) != 0; }

}  // namespace

Result<std::unique_ptr<ReceiveRing>> SlotRing::open(int fd, SlotRingConfig config, std::vector<std::string>* warnings) {
  if (const Status s = set_option(fd, SOL_PACKET, PACKET_VERSION, TPACKET_V2, "PACKET_VERSION"); !s.ok()) return s;
  if (const Status s = set_option(fd, SOL_PACKET, PACKET_COPY_THRESH, 1, "PACKET_COPY_THRESH"); !s.ok()) return s;
  if (!config.own_queue) {
    Result<bool> enlarged = enlarge_queue(fd);
    if (!enlarged.ok()) return enlarged.status();
    if (*enlarged) config.frame_size = std::min(config.frame_size, kSmallSlot);
  }
  tpacket_req3 request{};
  request.tp_block_size = config.block_size;
  request.tp_block_nr = config.block_count;
  request.tp_frame_size = config.frame_size;
  if (config.snap_len != 0 && config.snap_len < config.frame_size)
    request.tp_frame_size =
        std::min(config.frame_size, static_cast<uint32_t>(TPACKET_ALIGN(kBeforeFrame + config.snap_len)));
  Result<Mapping> memory = map_receive_ring(fd, &request, sizeof(tpacket_req), warnings);
  if (!memory.ok()) return memory.status();
  // Only what is written to takes memory.
  void* lent = ::mmap(nullptr, kLentBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (lent == MAP_FAILED) return Status::failed("mmap");
  return std::unique_ptr<ReceiveRing>(
      new SlotRing(fd, request, std::move(*memory), Mapping(static_cast<uint8_t*>(lent), kLentBytes), config.filter));
}

SlotRing::SlotRing(int fd, const tpacket_req3& request, Mapping memory, Mapping lent,
                   std::span<const sock_filter> filter)
    : fd_(fd),
      memory_(std::move(memory)),
      slots_(request.tp_frame_nr),
      per_block_(request.tp_block_size / request.tp_frame_size),
      lent_(std::make_shared<Mapping>(std::move(lent))) {
  request_ = request;
  // Not by the copy constructor: that wants a newer libstdc++ than the prebuilt addon may.
  filter_.resize(filter.size());
  std::copy(filter.begin(), filter.end(), filter_.begin());
}

tpacket2_hdr* SlotRing::slot(uint32_t ahead) const {
  const uint32_t index = (cursor_ + ahead) % slots_;
  return reinterpret_cast<tpacket2_hdr*>(memory_.data() + size_t{index / per_block_} * request_.tp_block_size +
                                         size_t{index % per_block_} * request_.tp_frame_size);
}

bool SlotRing::filled(uint32_t ahead) const {
  return ahead < slots_ && (load_acquire(&slot(ahead)->tp_status) & TP_STATUS_USER) != 0;
}

void SlotRing::prefetch(uint32_t ahead) const {
  const auto* later = reinterpret_cast<const uint8_t*>(slot(ahead + kPrefetchAhead));
  for (uint32_t line = 0; line < kPrefetchLines; ++line) __builtin_prefetch(later + line * kCacheLine);
}

// Bytes that the frame takes of a batch at most.
uint32_t SlotRing::longest(const tpacket2_hdr& header) const {
  const uint32_t length = is_queued(header) ? header.tp_len : std::min(header.tp_snaplen, request_.tp_frame_size);
  return std::min(length, kLongestFrame) + kVlanTagLength;
}

WaitingBatch SlotRing::waiting() {
  WaitingBatch batch;
  size_t bytes = 0;
  while (batch.packets < kMostPackets && filled(batch.packets)) {
    prefetch(batch.packets);
    const size_t with_next = bytes + longest(*slot(batch.packets));
    if (batch.packets != 0 && with_next > kMostBytes) break;
    bytes = with_next;
    ++batch.packets;
  }
  batch.slab_bytes = sizeof(BatchHeader) + batch.packets * sizeof(PacketRecord) + bytes;
  return batch;
}

BatchCount SlotRing::copy(RingReader reader, const WaitingBatch& waiting, BatchHeader* header, PacketRecord* records,
                          uint8_t* bytes, uint32_t capacity) {
  BatchCount count;
  uint32_t used = 0;
  for (uint32_t i = 0; i < waiting.packets; ++i) {
    tpacket2_hdr* place = slot(0);
    SlotPacket packet = packet_in(place, request_.tp_frame_size);
    bool in_place = false;
    bool whole = true;
    if (is_queued(*place)) {
      // Past the tag's place, into which the addresses are moved when there is one.
      const uint32_t room = packet.has_tag() ? kVlanTagLength : 0;
      uint8_t* frame = bytes + used + room;
      const uint32_t taken =
          capacity - used > room ? take_queued(frame, capacity - used - room) : take_queued(frame, 0);
      in_place = taken > packet.length;
      if (in_place) packet = {place, packet.address, frame, taken, room};
    } else if (filter_known_ && packet.length < place->tp_len &&
               packet.length + place->tp_mac >= request_.tp_frame_size) {
      // Cut by the end of the slot, unless the filter wants no more of it.
      uint32_t wanted = UINT32_MAX;
      whole = accepted(packet, reader, filter_, &wanted) && wanted <= packet.length;
    }
    // How much of a queued frame the filter lets in is not known from the slot, which is shorter.
    const bool judge = refilter_slots_ != 0 || (in_place && filter_known_);
    const bool entered =
        !whole ||
        enter_packet(packet, reader, judge ? std::span<const sock_filter>(filter_) : std::span<const sock_filter>(),
                     records, &count, [&](const uint8_t* frame, uint32_t length) {
                       if (length > capacity - used) return ~0U;
                       const uint32_t offset = used;
                       if (frame != bytes + used) std::memmove(bytes + used, frame, length);
                       used += length;
                       return offset;
                     });
    if (!entered) break;
    if (!whole) ++count.dropped;
    if (refilter_slots_ != 0) --refilter_slots_;
    store_release(&place->tp_status, TP_STATUS_KERNEL);
    cursor_ = (cursor_ + 1) % slots_;
  }
  *header = {};
  describe_count(count, count.packets == 0 ? sequence_ : ++sequence_, header);
  if (count.packets == 0) return count;
  const PacketRecord& last = records[count.packets - 1];
  header->first_seconds = records[0].seconds;
  header->first_nanoseconds = records[0].nanoseconds;
  header->last_seconds = last.seconds;
  header->last_nanoseconds = last.nanoseconds;
  // Ended by what had come so far, not by its size.
  header->flags = filled(0) ? 0 : BatchHeader::kTimedOut;
  return count;
}

BatchCount SlotRing::lend(RingReader reader, const WaitingBatch& waiting, BatchHeader* header, PacketRecord* records,
                          LentBatch* out) {
  const BatchCount count = copy(reader, waiting, header, records, lent_->data(), static_cast<uint32_t>(lent_->size()));
  if (count.packets != 0) *out = {lent_, 0, static_cast<size_t>(count.bytes)};
  return count;
}

void SlotRing::refilter(std::vector<sock_filter> program) {
  filter_ = std::move(program);
  // Slots may be filled out of order and after the swap, by CPUs that were just at it; once round the ring is all of
  // them. Judging a frame twice changes nothing.
  refilter_slots_ = slots_;
  filter_known_ = true;
}

void SlotRing::forget_filter() {
  uint32_t waiting = 0;
  while (waiting < refilter_slots_ && filled(waiting)) ++waiting;
  refilter_slots_ = waiting;
  filter_known_ = false;
}

// The bytes of the oldest frame in the queue, at most `capacity`; 0 when there is none.
uint32_t SlotRing::take_queued(uint8_t* buffer, uint32_t capacity) const {
  for (;;) {
    const ssize_t taken = ::recv(fd_, buffer, capacity, MSG_DONTWAIT);
    if (taken >= 0) return static_cast<uint32_t>(taken);
    // ENETDOWN is told, once, before anything is taken: giving up would leave the frame to the next slot.
    if (errno != EINTR && errno != ENETDOWN) return 0;
  }
}

}  // namespace netring
