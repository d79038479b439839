#include "tx_ring.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <bit>

#include "atomics.h"
#include "packet_socket.h"

namespace netring {

tpacket_req tx_geometry(uint32_t frame_size, uint32_t frame_count, uint32_t page_size) {
  tpacket_req geometry{};
  geometry.tp_frame_size = frame_size;
  // The kernel keeps the block size in an int.
  if (frame_size > 1U << 30) return geometry;
  geometry.tp_block_size = std::bit_ceil(std::max(frame_size, page_size));
  const uint32_t per_block = geometry.tp_block_size / frame_size;
  const uint64_t blocks = (uint64_t{frame_count} + per_block - 1) / per_block;
  if (blocks * geometry.tp_block_size > UINT32_MAX) return geometry;
  geometry.tp_block_nr = static_cast<uint32_t>(blocks);
  geometry.tp_frame_nr = geometry.tp_block_nr * per_block;
  return geometry;
}

Result<TxRing> TxRing::set_up(int fd, uint32_t frame_size, uint32_t frame_count, std::vector<std::string>* warnings) {
  if (const Status s = set_option(fd, SOL_PACKET, PACKET_VERSION, TPACKET_V2, "PACKET_VERSION"); !s.ok()) return s;
  // A frame that the kernel refuses would otherwise stop the ring for good: its slot has to be filled anew, and setting
  // it free is not enough.
  if (const Status s = set_option(fd, SOL_PACKET, PACKET_LOSS, 1, "PACKET_LOSS"); !s.ok()) return s;
  tpacket_req geometry = tx_geometry(frame_size, frame_count, static_cast<uint32_t>(::sysconf(_SC_PAGESIZE)));
  if (geometry.tp_block_nr == 0) return Status{EINVAL, "PACKET_TX_RING"};
  const uint32_t wanted = geometry.tp_block_nr;
  const uint32_t per_block = geometry.tp_frame_nr / wanted;
  const uint32_t least = std::max(wanted / 4, 1U);
  while (::setsockopt(fd, SOL_PACKET, PACKET_TX_RING, &geometry, sizeof geometry) != 0) {
    if (errno != ENOMEM || geometry.tp_block_nr == least) return Status::failed("PACKET_TX_RING");
    geometry.tp_block_nr = std::max(geometry.tp_block_nr * 3 / 4, least);
    geometry.tp_frame_nr = geometry.tp_block_nr * per_block;
  }
  if (geometry.tp_block_nr != wanted)
    warnings->push_back("transmit ring of " + std::to_string(geometry.tp_frame_nr) + " instead of " +
                        std::to_string(wanted * per_block) + " frames: not enough memory");
  const size_t size = static_cast<size_t>(geometry.tp_block_size) * geometry.tp_block_nr;
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return Status::failed("mmap");
  return TxRing(std::make_shared<Mapping>(static_cast<uint8_t*>(memory), size), geometry);
}

TxRing::TxRing(std::shared_ptr<Mapping> memory, const tpacket_req& geometry)
    : memory_(std::move(memory)),
      geometry_(geometry),
      frames_per_block_(geometry.tp_block_size / geometry.tp_frame_size) {}

// Not slot * frame_size: what a block has left after its last whole slot is unused.
size_t TxRing::slot_offset(uint32_t slot) const {
  return static_cast<size_t>(slot / frames_per_block_) * geometry_.tp_block_size +
         static_cast<size_t>(slot % frames_per_block_) * geometry_.tp_frame_size;
}

tpacket2_hdr* TxRing::header(uint32_t slot) const {
  return reinterpret_cast<tpacket2_hdr*>(memory_->data() + slot_offset(slot));
}

int64_t TxRing::allocate() const {
  const bool available = load_acquire(&header(next_)->tp_status) == TP_STATUS_AVAILABLE && unsent_ < frame_count();
  return available ? int64_t{next_} : -1;
}

void TxRing::commit(uint32_t length) {
  tpacket2_hdr* slot = header(next_);
  slot->tp_len = length;
  slot->tp_snaplen = length;
  store_release(&slot->tp_status, TP_STATUS_SEND_REQUEST);
  next_ = after(next_);
  ++unsent_;
}

TxRing::Taken TxRing::reap(const FrameLimit& limit) {
  Taken taken;
  for (; unsent_ > 0; --unsent_, oldest_ = after(oldest_)) {
    const tpacket2_hdr* slot = header(oldest_);
    if (load_acquire(&slot->tp_status) == TP_STATUS_SEND_REQUEST) break;
    if (limit.takes(data(oldest_), slot->tp_len)) {
      ++taken.sent;
      taken.bytes += slot->tp_len;
    } else {
      ++taken.refused;
    }
  }
  return taken;
}

uint32_t TxRing::count_pending() const {
  uint32_t pending = 0;
  for (uint32_t slot = 0; slot < frame_count(); ++slot)
    pending += (load_acquire(&header(slot)->tp_status) & (TP_STATUS_SEND_REQUEST | TP_STATUS_SENDING)) != 0 ? 1 : 0;
  return pending;
}

uint32_t TxRing::count_available() const {
  uint32_t available = 0;
  for (uint32_t slot = 0; slot < frame_count(); ++slot)
    available += load_acquire(&header(slot)->tp_status) == TP_STATUS_AVAILABLE ? 1 : 0;
  return available;
}

}  // namespace netring
