// T1: the status word alone passes a block between kernel and reader. A second thread plays the kernel; the thread
// sanitizer judges.
#include <thread>

#include "../core/atomics.h"
#include "check.h"
#include "fake_block.h"

namespace netring::test {
namespace {

constexpr uint32_t kBlocks = 4;
constexpr uint32_t kRounds = 20'000;

void blocks_pass_between_kernel_and_reader() {
  std::vector<std::unique_ptr<Block>> ring;
  for (uint32_t i = 0; i < kBlocks; ++i) {
    ring.push_back(std::make_unique<Block>(std::vector<Frame>{{bytes(60, 0)}, {bytes(64, 0)}}));
    ring.back()->descriptor()->hdr.bh1.block_status = TP_STATUS_KERNEL;
  }
  std::thread kernel([&ring] {
    for (uint32_t round = 0; round < kRounds; ++round) {
      Block& block = *ring[round % kBlocks];
      uint32_t* status = &block.descriptor()->hdr.bh1.block_status;
      while (load_acquire(status) != TP_STATUS_KERNEL) std::this_thread::yield();
      block.descriptor()->hdr.bh1.seq_num = round;
      std::memset(block.data() + 48 + kMac, static_cast<int>(round & 0xff), 60);
      store_release(status, TP_STATUS_USER);
    }
  });
  for (uint32_t round = 0; round < kRounds; ++round) {
    Block& block = *ring[round % kBlocks];
    uint32_t* status = &block.descriptor()->hdr.bh1.block_status;
    while ((load_acquire(status) & TP_STATUS_USER) == 0) std::this_thread::yield();
    BatchHeader header;
    PacketRecord records[kBlockSize / kLeastPacketFootprint];
    uint8_t copied[256];
    const BatchCount count = copy_block(block.data(), block.size(), {}, &header, records, copied, sizeof copied);
    EXPECT_EQ(count.packets, 2U);
    EXPECT_EQ(header.sequence_low, round);
    EXPECT_EQ(copied[0], round & 0xff);
    EXPECT_EQ(copied[59], round & 0xff);
    store_release(status, TP_STATUS_KERNEL);
  }
  kernel.join();
}

}  // namespace
}  // namespace netring::test

int main() {
  using namespace netring::test;
  return run_all({{"T1_blocks_pass_between_kernel_and_reader", blocks_pass_between_kernel_and_reader}});
}
