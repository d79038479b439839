// The transmit ring over ordinary memory; the test plays the kernel, which takes slots strictly in order.
#include "../core/tx_ring.h"

#include <cstring>

#include "check.h"

namespace netring::test {

namespace {

constexpr uint32_t kPage = 4096;
constexpr FrameLimit kEthernet = {1500};

struct Lab {
  explicit Lab(uint32_t frame_size = 2048, uint32_t frame_count = 4)
      : geometry(tx_geometry(frame_size, frame_count, kPage)), ring(make(geometry), geometry) {}

  static std::shared_ptr<Mapping> make(const tpacket_req& geometry) {
    const size_t size = static_cast<size_t>(geometry.tp_block_size) * geometry.tp_block_nr;
    void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return std::make_shared<Mapping>(static_cast<uint8_t*>(memory), size);
  }

  tpacket2_hdr* header(uint32_t slot) const {
    return reinterpret_cast<tpacket2_hdr*>(ring.data(slot) - TxRing::kDataOffset);
  }
  // What the kernel does with the slot it waits at. False when that one is not ready.
  bool kernel_takes(uint32_t status) {
    if (header(kernel)->tp_status != TP_STATUS_SEND_REQUEST) return false;
    header(kernel)->tp_status = status;
    kernel = (kernel + 1) % ring.frame_count();
    return true;
  }
  void fill(uint32_t length = 64) {
    const int64_t slot = ring.allocate();
    EXPECT(slot >= 0);
    std::memset(ring.data(static_cast<uint32_t>(slot)), 0, length);
    ring.commit(length);
  }

  tpacket_req geometry;
  TxRing ring;
  uint32_t kernel = 0;
};

void geometry_rounds_up_to_whole_blocks() {
  const tpacket_req usual = tx_geometry(2048, 256, kPage);
  EXPECT_EQ(usual.tp_block_size, 4096U);
  EXPECT_EQ(usual.tp_block_nr, 128U);
  EXPECT_EQ(usual.tp_frame_nr, 256U);
  const tpacket_req odd = tx_geometry(1536, 3, kPage);
  EXPECT_EQ(odd.tp_block_size, 4096U);
  EXPECT_EQ(odd.tp_block_nr, 2U);
  EXPECT_EQ(odd.tp_frame_nr, 4U);
  EXPECT_EQ(tx_geometry(9216, 5, kPage).tp_block_size, 16384U);
  EXPECT_EQ(tx_geometry(9216, 5, kPage).tp_frame_nr, 5U);
  EXPECT_EQ(tx_geometry(2048, 1, 65536).tp_frame_nr, 32U);
}

void geometry_refuses_what_overflows() {
  EXPECT_EQ(tx_geometry(2048, UINT32_MAX, kPage).tp_block_nr, 0U);
  EXPECT_EQ(tx_geometry((1U << 30) + 16, 1, kPage).tp_block_nr, 0U);
  EXPECT_EQ(tx_geometry(UINT32_MAX - 15, 1, kPage).tp_block_nr, 0U);
}

void slots_do_not_cross_blocks() {
  for (const uint32_t frame_size : {1536U, 3008U, 2048U, 9216U, 80U}) {
    const Lab lab(frame_size, 64);
    for (uint32_t slot = 0; slot < lab.ring.frame_count(); ++slot) {
      const size_t begin = lab.ring.data_offset(slot) - TxRing::kDataOffset;
      const size_t end = begin + frame_size;
      EXPECT_EQ(begin / lab.geometry.tp_block_size, (end - 1) / lab.geometry.tp_block_size);
      EXPECT(end <= lab.ring.memory()->size());
      EXPECT(slot == 0 || begin >= lab.ring.data_offset(slot - 1) - TxRing::kDataOffset + frame_size);
    }
  }
}

void capacity_is_what_the_layout_leaves() {
  EXPECT_EQ(TxRing::kDataOffset, uint32_t{TPACKET2_HDRLEN - sizeof(sockaddr_ll)});
  EXPECT_EQ(Lab(2048).ring.frame_capacity(), 2016U);
}

void an_unsent_slot_comes_again() {
  Lab lab;
  EXPECT_EQ(lab.ring.allocate(), 0);
  EXPECT_EQ(lab.ring.allocate(), 0);
  lab.fill();
  EXPECT_EQ(lab.ring.allocate(), 1);
  EXPECT(lab.kernel_takes(TP_STATUS_AVAILABLE));
  lab.fill();
  EXPECT(lab.kernel_takes(TP_STATUS_AVAILABLE));
}

void a_full_ring_has_no_slot() {
  Lab lab;
  for (int i = 0; i < 4; ++i) lab.fill();
  EXPECT_EQ(lab.ring.allocate(), -1);
  EXPECT_EQ(lab.ring.count_pending(), 4U);
  EXPECT_EQ(lab.ring.count_available(), 0U);
  EXPECT(lab.kernel_takes(TP_STATUS_AVAILABLE));
  // Free, but not yet accounted for.
  EXPECT_EQ(lab.ring.allocate(), -1);
  EXPECT_EQ(lab.ring.reap(kEthernet).sent, 1U);
  EXPECT_EQ(lab.ring.allocate(), 0);
}

void what_is_being_sent_is_taken_but_not_free() {
  Lab lab;
  for (int i = 0; i < 4; ++i) lab.fill();
  for (int i = 0; i < 4; ++i) EXPECT(lab.kernel_takes(TP_STATUS_SENDING));
  const TxRing::Taken taken = lab.ring.reap(kEthernet);
  EXPECT_EQ(taken.sent, 4U);
  EXPECT_EQ(taken.bytes, 256U);
  EXPECT_EQ(lab.ring.unsent(), 0U);
  EXPECT_EQ(lab.ring.allocate(), -1);
  EXPECT_EQ(lab.ring.count_pending(), 4U);
  lab.header(0)->tp_status = TP_STATUS_AVAILABLE;
  EXPECT_EQ(lab.ring.allocate(), 0);
}

void reap_stops_at_the_first_slot_that_waits() {
  Lab lab;
  for (int i = 0; i < 3; ++i) lab.fill();
  EXPECT(lab.kernel_takes(TP_STATUS_SENDING));
  EXPECT_EQ(lab.ring.reap(kEthernet).sent, 1U);
  EXPECT_EQ(lab.ring.unsent(), 2U);
  EXPECT_EQ(lab.ring.reap(kEthernet).sent, 0U);
}

void a_frame_the_link_no_longer_takes_is_refused() {
  Lab lab;
  lab.fill(1514);
  lab.fill(64);
  for (int i = 0; i < 2; ++i) EXPECT(lab.kernel_takes(TP_STATUS_AVAILABLE));
  const TxRing::Taken taken = lab.ring.reap({1000});
  EXPECT_EQ(taken.sent, 1U);
  EXPECT_EQ(taken.refused, 1U);
  EXPECT_EQ(taken.bytes, 64U);
}

void goes_round_many_times() {
  Lab lab(1536, 8);
  uint32_t sent = 0;
  for (uint32_t round = 0; round < 1000; ++round) {
    const uint32_t batch = 1 + round % lab.ring.frame_count();
    for (uint32_t i = 0; i < batch; ++i) lab.fill(60 + i);
    while (lab.kernel_takes(TP_STATUS_AVAILABLE)) ++sent;
    EXPECT_EQ(lab.ring.reap(kEthernet).sent, batch);
  }
  EXPECT_EQ(sent, 4500U);
}

// TX-05: the kernel's own rule.
void limit_is_the_kernels() {
  uint8_t plain[1600] = {};
  uint8_t tagged[1600] = {};
  tagged[12] = 0x81;
  uint8_t service_tagged[1600] = {};
  service_tagged[12] = 0x88;
  service_tagged[13] = 0xa8;
  EXPECT(!kEthernet.takes(plain, 0));
  EXPECT(!kEthernet.takes(plain, 13));
  EXPECT(kEthernet.takes(plain, 14));
  EXPECT(kEthernet.takes(plain, 1514));
  EXPECT(!kEthernet.takes(plain, 1515));
  EXPECT(kEthernet.takes(tagged, 1518));
  EXPECT(!kEthernet.takes(tagged, 1519));
  EXPECT(!kEthernet.takes(service_tagged, 1518));
}

}  // namespace

}  // namespace netring::test

int main() {
  using namespace netring::test;
  return run_all({
      {"geometry_rounds_up_to_whole_blocks", geometry_rounds_up_to_whole_blocks},
      {"geometry_refuses_what_overflows", geometry_refuses_what_overflows},
      {"slots_do_not_cross_blocks", slots_do_not_cross_blocks},
      {"capacity_is_what_the_layout_leaves", capacity_is_what_the_layout_leaves},
      {"an_unsent_slot_comes_again", an_unsent_slot_comes_again},
      {"a_full_ring_has_no_slot", a_full_ring_has_no_slot},
      {"what_is_being_sent_is_taken_but_not_free", what_is_being_sent_is_taken_but_not_free},
      {"reap_stops_at_the_first_slot_that_waits", reap_stops_at_the_first_slot_that_waits},
      {"a_frame_the_link_no_longer_takes_is_refused", a_frame_the_link_no_longer_takes_is_refused},
      {"goes_round_many_times", goes_round_many_times},
      {"limit_is_the_kernels", limit_is_the_kernels},
  });
}
