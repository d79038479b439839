// A TPACKET_V3 ring: the kernel packs packets of any length into blocks and hands a block over when it is full or its
// time is up.
#ifndef NETRING_CORE_BLOCK_RING_H_
#define NETRING_CORE_BLOCK_RING_H_

#include "receive_ring.h"

namespace netring {

struct BlockRingConfig {
  uint32_t block_size = 0;
  uint32_t block_count = 0;
  uint32_t frame_size = 0;
  uint32_t block_timeout_ms = 0;
  bool fill_rxhash = false;
};

class BlockRing final : public ReceiveRing {
 public:
  static Result<std::unique_ptr<ReceiveRing>> open(int fd, const BlockRingConfig& config,
                                                   std::vector<std::string>* warnings);

  uint32_t timeout_ms() const override { return request_.tp_retire_blk_tov; }
  uint32_t most_packets() const override;
  WaitingBatch waiting() override;
  BatchCount copy(RingReader reader, const WaitingBatch& waiting, BatchHeader* header, PacketRecord* records,
                  uint8_t* bytes, uint32_t capacity) override;
  // In place.
  BatchCount lend(RingReader reader, const WaitingBatch& waiting, BatchHeader* header, PacketRecord* records,
                  LentBatch* out) override;
  void release() override;
  void refilter(std::vector<sock_filter> program) override;
  void forget_filter() override;
  bool outlives_socket() const override { return memory_.use_count() > 1; }

 private:
  BlockRing() = default;
  uint8_t* current() const { return memory_->data() + size_t{current_} * request_.tp_block_size; }
  tpacket_block_desc* block_at(uint32_t index) const;
  bool retired(uint32_t index) const;
  // From the current one on.
  uint32_t retired_blocks() const;

  std::shared_ptr<Mapping> memory_;
  uint32_t current_ = 0;
  std::vector<sock_filter> refilter_;
  uint32_t refilter_blocks_ = 0;
};

}  // namespace netring

#endif  // NETRING_CORE_BLOCK_RING_H_
