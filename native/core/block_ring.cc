#include "block_ring.h"

#include <algorithm>

#include "atomics.h"
#include "block.h"
#include "packet_socket.h"

namespace netring {

Result<std::unique_ptr<ReceiveRing>> BlockRing::open(int fd, const BlockRingConfig& config,
                                                     std::vector<std::string>* warnings) {
  if (const Status s = set_option(fd, SOL_PACKET, PACKET_VERSION, TPACKET_V3, "PACKET_VERSION"); !s.ok()) return s;
  std::unique_ptr<BlockRing> ring(new BlockRing);
  ring->request_.tp_block_size = config.block_size;
  ring->request_.tp_block_nr = config.block_count;
  ring->request_.tp_frame_size = config.frame_size;
  ring->request_.tp_retire_blk_tov = config.block_timeout_ms;
  ring->request_.tp_feature_req_word = config.fill_rxhash ? TP_FT_REQ_FILL_RXHASH : 0;
  Result<Mapping> memory = map_receive_ring(fd, &ring->request_, sizeof ring->request_, warnings);
  if (!memory.ok()) return memory.status();
  ring->memory_ = std::make_shared<Mapping>(std::move(*memory));
  return std::unique_ptr<ReceiveRing>(std::move(ring));
}

uint32_t BlockRing::most_packets() const { return request_.tp_block_size / kLeastPacketFootprint; }

tpacket_block_desc* BlockRing::block_at(uint32_t index) const {
  return reinterpret_cast<tpacket_block_desc*>(memory_->data() + size_t{index} * request_.tp_block_size);
}

bool BlockRing::retired(uint32_t index) const {
  return (load_acquire(&block_at(index)->hdr.bh1.block_status) & TP_STATUS_USER) != 0;
}

WaitingBatch BlockRing::waiting() {
  // Bounded: a kernel that retires empty blocks (before 3.19) could otherwise lead us round the ring for ever.
  for (uint32_t i = 0; i < request_.tp_block_nr; ++i) {
    if (!retired(current_)) return {};
    const tpacket_block_desc* block = block_at(current_);
    // The block's own length is a bound for header, records and frames together, because what the kernel puts before
    // each frame is longer than a record and the re-inserted tag.
    if (block->hdr.bh1.num_pkts != 0)
      return {packets_in_block(block, request_.tp_block_size),
              std::min(block->hdr.bh1.blk_len, request_.tp_block_size)};
    release();
  }
  return {};
}

BatchCount BlockRing::copy(RingReader reader, const WaitingBatch& /*waiting*/, BatchHeader* header,
                           PacketRecord* records, uint8_t* bytes, uint32_t capacity) {
  if (refilter_blocks_ != 0) reader.refilter = refilter_;
  const BatchCount count = copy_block(current(), request_.tp_block_size, reader, header, records, bytes, capacity);
  release();
  return count;
}

BatchCount BlockRing::lend(RingReader reader, const WaitingBatch& /*waiting*/, BatchHeader* header,
                           PacketRecord* records, LentBatch* out) {
  if (refilter_blocks_ != 0) reader.refilter = refilter_;
  const BatchCount count = index_block(current(), request_.tp_block_size, reader, header, records);
  if (count.packets == 0) {
    release();
  } else {
    *out = {memory_, size_t{current_} * request_.tp_block_size, request_.tp_block_size};
  }
  return count;
}

void BlockRing::release() {
  store_release(&block_at(current_)->hdr.bh1.block_status, TP_STATUS_KERNEL);
  current_ = current_ + 1 == request_.tp_block_nr ? 0 : current_ + 1;
  if (refilter_blocks_ != 0) --refilter_blocks_;
}

void BlockRing::refilter(std::vector<sock_filter> program) {
  // Blocks that are retired now, the one being filled, and one more for a frame that another CPU was just putting into
  // the ring when the filter was swapped: any of them may hold what the old filter let in. Judging a frame twice by the
  // new one changes nothing.
  refilter_ = std::move(program);
  refilter_blocks_ = std::min(retired_blocks() + 2, std::max(request_.tp_block_nr, 2U));
}

void BlockRing::forget_filter() { refilter_blocks_ = std::min(refilter_blocks_, retired_blocks()); }

uint32_t BlockRing::retired_blocks() const {
  uint32_t blocks = 0;
  while (blocks < request_.tp_block_nr && retired((current_ + blocks) % request_.tp_block_nr)) ++blocks;
  return blocks;
}

}  // namespace netring
