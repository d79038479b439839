#include "receiver.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "../atomics.h"
#include "../packet_socket.h"
#include "vnet_header.h"

namespace netring {

namespace {

constexpr int kVlanRoom = 4;

// Room for super-frames of 64 KiB, which no slot holds. Without CAP_NET_ADMIN the kernel caps it at rmem_max.
constexpr int kQueueBytes = 16 << 20;

// Slots are 2 KiB and more apart, which no prefetcher of the hardware follows.
constexpr uint32_t kCacheLine = 64;
constexpr uint32_t kPrefetchAhead = 6;
constexpr uint32_t kPrefetchLines = 3;
constexpr uint32_t kAddressOffset = TPACKET_ALIGN(sizeof(tpacket2_hdr));
constexpr uint32_t kLeastHeaderOffset = kAddressOffset + sizeof(sockaddr_ll);

// Slots copied to the backlog at a time: more than come while a batch is sent.
constexpr uint32_t kMostStowed = 256;
// The backlog may be as large as this part of the ring.
constexpr uint32_t kBacklogPart = 2;

}  // namespace

uint8_t* ReceivedFrame::frame() const { return header + kVnetHeaderLength; }

// As in Capture: no protocol until all is set, so that no foreign frame gets in.
Result<Receiver> Receiver::open(int ifindex, const ReceiverConfig& config, std::vector<std::string>* warnings) {
  Result<UniqueFd> socket = open_packet_socket();
  if (!socket.ok()) return socket.status();
  Receiver receiver(std::move(*socket));
  const int fd = receiver.fd();
  struct Option {
    int option;
    int value;
    const char* name;
  };
  // What this host itself sends on the port is not for the wire, and what the bridge sends would come back for ever.
  constexpr Option kOptions[] = {{PACKET_VERSION, TPACKET_V2, "PACKET_VERSION"},
                                 {PACKET_RESERVE, kVlanRoom, "PACKET_RESERVE"},
                                 {PACKET_VNET_HDR, 1, "PACKET_VNET_HDR"},
                                 {PACKET_COPY_THRESH, 1, "PACKET_COPY_THRESH"},
                                 {PACKET_IGNORE_OUTGOING, 1, "PACKET_IGNORE_OUTGOING"}};
  for (const Option& each : kOptions) {
    if (const Status s = set_option(fd, SOL_PACKET, each.option, each.value, each.name); !s.ok()) return s;
  }
  if (!set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, kQueueBytes, "SO_RCVBUFFORCE").ok()) {
    if (const Status s = set_option(fd, SOL_SOCKET, SO_RCVBUF, kQueueBytes, "SO_RCVBUF"); !s.ok()) return s;
  }
  if (const Status s = receiver.set_up_ring(config, warnings); !s.ok()) return s;
  if (const Status s = bind_packet_socket(fd, ifindex, ETH_P_ALL); !s.ok()) return s;
  // Binding to an interface that is down works and leaves ENETDOWN behind.
  take_socket_error(fd);
  if (config.promiscuous) {
    if (const Status s = set_promiscuous(fd, ifindex, true); !s.ok()) return s;
  }
  return receiver;
}

Status Receiver::set_up_ring(const ReceiverConfig& config, std::vector<std::string>* warnings) {
  per_block_ = config.block_size / config.frame_size;
  request_.tp_block_size = config.block_size;
  request_.tp_frame_size = config.frame_size;
  const uint32_t least = std::max(config.block_count / 4, 1U);
  for (uint32_t count = config.block_count;; count = std::max(count * 3 / 4, least)) {
    request_.tp_block_nr = count;
    request_.tp_frame_nr = per_block_ * count;
    if (::setsockopt(fd(), SOL_PACKET, PACKET_RX_RING, &request_, sizeof request_) == 0) break;
    if (errno != ENOMEM || count == least) return Status::failed("PACKET_RX_RING");
  }
  if (request_.tp_block_nr != config.block_count)
    warnings->push_back("ring of " + std::to_string(request_.tp_block_nr) + " instead of " +
                        std::to_string(config.block_count) + " blocks: not enough memory");
  const size_t size = static_cast<size_t>(request_.tp_block_size) * request_.tp_block_nr;
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd(), 0);
  if (memory == MAP_FAILED) return Status::failed("mmap");
  ring_ = Mapping(static_cast<uint8_t*>(memory), size);
  backlog_ = Backlog(size / kBacklogPart);
  return {};
}

tpacket2_hdr* Receiver::slot(uint32_t ahead) const {
  const uint32_t index = (cursor_ + ahead) % request_.tp_frame_nr;
  return reinterpret_cast<tpacket2_hdr*>(ring_.data() + size_t{index / per_block_} * request_.tp_block_size +
                                         size_t{index % per_block_} * request_.tp_frame_size);
}

bool Receiver::filled(uint32_t ahead) const { return (load_acquire(&slot(ahead)->tp_status) & TP_STATUS_USER) != 0; }

// The sender's CPU has just written the next slots: fetching them ahead hides most of the misses.
void Receiver::prefetch(uint32_t ahead) const {
  const auto* later = reinterpret_cast<const uint8_t*>(slot(ahead + kPrefetchAhead));
  for (uint32_t line = 0; line < kPrefetchLines; ++line) __builtin_prefetch(later + line * kCacheLine);
}

bool Receiver::peek(uint32_t ahead, ReceivedFrame* out) const {
  if (!backlog_.empty()) {
    uint8_t* stowed = backlog_.at(ahead);
    if (stowed == nullptr) return false;
    read(reinterpret_cast<tpacket2_hdr*>(stowed), out);
    return true;
  }
  if (ahead >= request_.tp_frame_nr || !filled(ahead)) return false;
  prefetch(ahead);
  read(slot(ahead), out);
  return true;
}

void Receiver::read(tpacket2_hdr* header, ReceivedFrame* out) const {
  auto* bytes = reinterpret_cast<uint8_t*>(header);
  *out = {};
  out->slot = header;
  out->address = reinterpret_cast<const sockaddr_ll*>(bytes + kAddressOffset);
  // Everything the ring says is checked before it is used.
  if (header->tp_mac < kLeastHeaderOffset + kVnetHeaderLength || header->tp_mac > request_.tp_frame_size ||
      header->tp_snaplen > request_.tp_frame_size - header->tp_mac)
    return;
  const uint32_t status = header->tp_status;
  out->header = bytes + header->tp_mac - kVnetHeaderLength;
  out->length = header->tp_snaplen;
  out->original_length = header->tp_len;
  out->queued = (status & TP_STATUS_COPY) != 0;
  out->truncated = !out->queued && header->tp_snaplen < header->tp_len;
  out->tagged = (status & TP_STATUS_VLAN_VALID) != 0;
  out->tci = header->tp_vlan_tci;
  out->tpid = (status & TP_STATUS_VLAN_TPID_VALID) != 0 ? header->tp_vlan_tpid : ETH_P_8021Q;
  out->protocol = ntohs(out->address->sll_protocol);
  out->packet_type = out->address->sll_pkttype;
  out->network_offset = header->tp_net > header->tp_mac ? static_cast<uint32_t>(header->tp_net - header->tp_mac) : 0;
}

void Receiver::relieve() {
  if (backlog_.empty() && !filled(request_.tp_frame_nr / 2)) return;
  uint32_t count = 0;
  // Not past the last slot of a full ring that is smaller than that: the next one is the first again, not yet released.
  const uint32_t most = std::min(kMostStowed, request_.tp_frame_nr);
  for (; count < most && filled(count); ++count) {
    prefetch(count);
    if (!stow(slot(count))) break;
  }
  release_ring(count);
}

// Copies a slot as far as it is used. Of a frame that waits in the socket's queue no more than the header is.
bool Receiver::stow(tpacket2_hdr* slot) {
  ReceivedFrame frame;
  read(slot, &frame);
  const uint32_t length = frame.queued ? 0 : frame.length;
  const uint32_t before = frame.header == nullptr ? kLeastHeaderOffset : slot->tp_mac;
  uint8_t* place = backlog_.reserve(before + length);
  if (place == nullptr) return false;
  std::memcpy(place, slot, before + length);
  auto* stowed = reinterpret_cast<tpacket2_hdr*>(place);
  stowed->tp_snaplen = length;
  if (frame.header == nullptr) stowed->tp_mac = 0;
  backlog_.push(before + length);
  return true;
}

void Receiver::release(uint32_t count) {
  if (backlog_.empty()) return release_ring(count);
  backlog_.pop(count);
}

void Receiver::release_ring(uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) store_release(&slot(i)->tp_status, TP_STATUS_KERNEL);
  cursor_ = (cursor_ + count) % request_.tp_frame_nr;
}

uint32_t Receiver::take_queued(uint8_t* buffer, uint32_t capacity) {
  for (;;) {
    const ssize_t taken = ::recv(fd(), buffer, capacity, MSG_DONTWAIT | MSG_TRUNC);
    if (taken >= 0) return static_cast<size_t>(taken) <= capacity ? static_cast<uint32_t>(taken) : 0;
    // ENETDOWN is told, once, before anything is taken: giving up would leave the frame to the next slot.
    if (errno != EINTR && errno != ENETDOWN) return 0;
  }
}

uint32_t Receiver::discard() {
  uint32_t count = 0;
  ReceivedFrame frame;
  const uint32_t most = request_.tp_frame_nr + backlog_.count();
  while (count < most && peek(0, &frame)) {
    if (frame.queued) take_queued(nullptr, 0);
    release(1);
    ++count;
  }
  return count;
}

}  // namespace netring
