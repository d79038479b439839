// The receiving half of a queue.
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <cstring>

#include "../bpf.h"
#include "queue.h"

namespace netring {

namespace {

// Frames lie 2 KiB and more apart, which no prefetcher of the hardware follows.
constexpr uint32_t kPrefetchAhead = 4;

// Frames copied before they are given back: the kernel must not run out of them while a long batch is read.
constexpr uint32_t kRefillChunk = 64;

// Frames that a borrowed batch may lie among. An ArrayBuffer over all of a UMEM of 64 MiB for each batch made V8
// collect all the time: 980 ns a packet.
constexpr uint64_t kMostSpan = 2048;

constexpr uint32_t kTypeOffset = 2 * ETH_ALEN;

struct ReceivedFrame {
  const uint8_t* data = nullptr;
  uint32_t length = 0;
};

uint32_t packet_type(const uint8_t* frame, const std::array<uint8_t, ETH_ALEN>& own) {
  if (std::memcmp(frame, own.data(), ETH_ALEN) == 0) return PACKET_HOST;
  if ((frame[0] & 1) == 0) return PACKET_OTHERHOST;
  constexpr uint8_t kBroadcast[ETH_ALEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  return std::memcmp(frame, kBroadcast, ETH_ALEN) == 0 ? PACKET_BROADCAST : PACKET_MULTICAST;
}

uint32_t ether_type(const ReceivedFrame& frame) {
  return frame.length < ETH_HLEN ? 0U
                                 : static_cast<uint32_t>(frame.data[kTypeOffset]) << 8 | frame.data[kTypeOffset + 1];
}

bool accepted(const ReceivedFrame& frame, const XdpReader& reader) {
  if (reader.refilter.empty()) return true;
  FilterContext context;
  context.frame = {frame.data, frame.length};
  context.original_length = frame.length;
  context.network_offset = ETH_HLEN;
  context.interface_index = reader.interface_index;
  context.link_type = reader.link_type;
  context.protocol = ether_type(frame);
  context.queue = reader.queue;
  return run_filter(reader.refilter, context) != 0;
}

void describe(const ReceivedFrame& frame, const XdpReader& reader, const timespec& now, PacketRecord* record) {
  record->length = frame.length;
  record->original_length = frame.length;
  record->seconds = static_cast<uint32_t>(now.tv_sec);
  record->nanoseconds = static_cast<uint32_t>(now.tv_nsec);
  record->status = 0;
  record->rxhash = 0;
  record->vlan = 0;
  record->address_low = 0;
  record->address_high = 0;
  if (frame.length < ETH_HLEN) {
    record->meta = 0;
    return;
  }
  record->meta = ether_type(frame) | packet_type(frame.data, reader.address) << 16 | uint32_t{ETH_ALEN} << 24;
  std::memcpy(&record->address_low, frame.data + ETH_ALEN, sizeof record->address_low);
  std::memcpy(&record->address_high, frame.data + ETH_ALEN + sizeof record->address_low,
              ETH_ALEN - sizeof record->address_low);
}

void describe_batch(const XdpCount& count, const timespec& now, BatchHeader* header) {
  *header = {};
  header->count = count.packets;
  header->byte_length = static_cast<uint32_t>(count.bytes);
  header->first_seconds = static_cast<uint32_t>(now.tv_sec);
  header->first_nanoseconds = static_cast<uint32_t>(now.tv_nsec);
  header->last_seconds = header->first_seconds;
  header->last_nanoseconds = header->first_nanoseconds;
  header->original_low = header->byte_length;
}

}  // namespace

uint32_t XdpQueue::received(uint32_t most) {
  if (rx_.size() == 0) return 0;
  return std::min(rx_.available(most), most);
}

uint64_t XdpQueue::received_bytes(uint32_t count) const {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < count; ++i) sum += rx_.at(i).len;
  return sum;
}

// `place(data, length)` says at which offset of the batch's bytes a frame lies, or ~0u when there is no room for it.
template <typename Place>
XdpCount XdpQueue::read(uint32_t count, const XdpReader& reader, BatchHeader* header, PacketRecord* records,
                        Place place) {
  timespec now{};
  // XDP hands no timestamps over: the time of reading it is.
  ::clock_gettime(CLOCK_REALTIME, &now);
  const uint32_t frame_size = umem_->geometry().frame_size;
  XdpCount read;
  for (uint32_t i = 0; i < count; ++i) {
    if (i + kPrefetchAhead < count) __builtin_prefetch(umem_->memory()->data() + rx_.at(i + kPrefetchAhead).addr);
    const xdp_desc& descriptor = rx_.at(i);
    const uint64_t number = umem_->frame_of(descriptor.addr);
    if (number >= umem_->geometry().receiving) continue;
    umem_->mark_received(static_cast<uint32_t>(number));
    if (descriptor.len > frame_size - descriptor.addr % frame_size) continue;
    const ReceivedFrame frame = {umem_->memory()->data() + descriptor.addr, descriptor.len};
    if (!accepted(frame, reader)) {
      ++read.refiltered;
      continue;
    }
    PacketRecord* record = &records[read.packets];
    record->offset = place(frame);
    if (record->offset == ~0U) continue;
    describe(frame, reader, now, record);
    ++read.packets;
    read.bytes += frame.length;
  }
  describe_batch(read, now, header);
  return read;
}

// Frames go round in the order of their addresses, so that a batch lies together but at the end of the memory.
Span XdpQueue::span(uint32_t* count) const {
  const UmemGeometry& frames = umem_->geometry();
  uint64_t first = UINT64_MAX;
  uint64_t last = 0;
  for (uint32_t i = 0; i < *count; ++i) {
    const uint64_t number = umem_->frame_of(rx_.at(i).addr);
    if (number >= frames.receiving) continue;
    const uint64_t lowest = std::min(first, number);
    const uint64_t highest = std::max(last, number);
    if (highest - lowest >= kMostSpan && first != UINT64_MAX) {
      *count = i;
      break;
    }
    first = lowest;
    last = highest;
  }
  if (first == UINT64_MAX) return {};
  return {first * frames.frame_size, (last - first + 1) * frames.frame_size};
}

XdpCount XdpQueue::index(uint32_t count, uint64_t begin, const XdpReader& reader, BatchHeader* header,
                         PacketRecord* records) {
  const uint8_t* origin = umem_->memory()->data() + begin;
  return read(count, reader, header, records,
              [origin](const ReceivedFrame& frame) { return static_cast<uint32_t>(frame.data - origin); });
}

XdpCount XdpQueue::copy(uint32_t count, const XdpReader& reader, BatchHeader* header, PacketRecord* records,
                        uint8_t* bytes, uint32_t capacity) {
  XdpCount sum;
  uint32_t used = 0;
  BatchHeader part{};
  BatchHeader first{};
  for (uint32_t done = 0; done < count;) {
    const uint32_t chunk = std::min(count - done, kRefillChunk);
    const XdpCount some = read(chunk, reader, &part, records + sum.packets, [&](const ReceivedFrame& frame) {
      if (frame.length > capacity - used) return ~0U;
      std::memcpy(bytes + used, frame.data, frame.length);
      const uint32_t offset = used;
      used += frame.length;
      return offset;
    });
    release(chunk);
    if (done == 0) first = part;
    done += chunk;
    sum.packets += some.packets;
    sum.refiltered += some.refiltered;
    sum.bytes += some.bytes;
  }
  *header = first;
  header->last_seconds = part.last_seconds;
  header->last_nanoseconds = part.last_nanoseconds;
  header->count = sum.packets;
  header->byte_length = used;
  header->original_low = used;
  return sum;
}

void XdpQueue::release(uint32_t count) {
  const uint32_t receiving = umem_->geometry().receiving;
  for (uint32_t i = 0; i < count; ++i) {
    const uint64_t number = umem_->frame_of(rx_.at(i).addr);
    if (number < receiving) umem_->refill(static_cast<uint32_t>(number));
  }
  // Frames to receive into first: the place in the RX ring is of no use without one.
  umem_->submit_fill();
  rx_.release(count);
  wake_receiver();
}

void XdpQueue::wake_receiver() {
  if (busy_polls_ || (need_wakeup_ && umem_->fill_needs_wakeup()))
    (void)::recvfrom(socket_.get(), nullptr, 0, MSG_DONTWAIT, nullptr, nullptr);
}

}  // namespace netring
