// A ring of slots made by hand, as the kernel would have filled them, and long frames in a queue beside it.
#include "../core/slot_ring.h"

#include <sys/mman.h>
#include <sys/socket.h>

#include <cstring>
#include <random>
#include <vector>

#include "check.h"
#include "fake_block.h"

namespace netring::test {
namespace {

constexpr uint32_t kSlot = 576;
constexpr uint32_t kPerBlock = 7;  // what is left of a block after its last slot is unused
constexpr uint32_t kBlockBytes = 4096;
constexpr uint32_t kBlocks = 4;
constexpr uint32_t kSlots = kPerBlock * kBlocks;
constexpr uint16_t kSlotMac = 70;
constexpr uint32_t kAddress = 32;

Mapping map(size_t size) {
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return {static_cast<uint8_t*>(memory), size};
}

tpacket_req3 request() {
  tpacket_req3 request{};
  request.tp_block_size = kBlockBytes;
  request.tp_block_nr = kBlocks;
  request.tp_frame_size = kSlot;
  request.tp_frame_nr = kSlots;
  return request;
}

class Ring {
 public:
  explicit Ring(std::vector<sock_filter> filter = {}) {
    ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, sockets_);
    const int room = 4 << 20;
    EXPECT_EQ(::setsockopt(sockets_[1], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room), 0);
    Mapping memory = map(size_t{kBlockBytes} * kBlocks);
    memory_ = memory.data();
    ring_ = std::make_unique<SlotRing>(sockets_[0], request(), std::move(memory), map(1 << 21), filter);
  }
  ~Ring() {
    for (const int fd : sockets_) ::close(fd);
  }

  tpacket2_hdr* slot(uint32_t index) {
    return reinterpret_cast<tpacket2_hdr*>(memory_ + size_t{index / kPerBlock} * kBlockBytes +
                                           size_t{index % kPerBlock} * kSlot);
  }

  // As the kernel does: what does not fit the slot goes to the queue.
  void fill(const Frame& frame, bool room_in_queue = true) {
    tpacket2_hdr* header = slot(next_);
    auto* bytes = reinterpret_cast<uint8_t*>(header);
    const auto length = static_cast<uint32_t>(frame.bytes.size());
    header->tp_len = frame.original_length == 0 ? length : frame.original_length;
    header->tp_snaplen = std::min(length, kSlot - kSlotMac);
    header->tp_mac = kSlotMac;
    header->tp_net = kSlotMac + ETH_HLEN;
    header->tp_sec = 100 + next_;
    header->tp_nsec = 7;
    header->tp_vlan_tci = frame.tci;
    header->tp_vlan_tpid = frame.tpid;
    auto* address = reinterpret_cast<sockaddr_ll*>(bytes + kAddress);
    address->sll_protocol = htons(ETH_P_IP);
    address->sll_pkttype = 4;
    address->sll_halen = 6;
    std::memcpy(bytes + kSlotMac, frame.bytes.data(), header->tp_snaplen);
    uint32_t status = frame.status;
    if (header->tp_snaplen < length && room_in_queue) {
      EXPECT_EQ(::send(sockets_[1], frame.bytes.data(), length, 0), static_cast<ssize_t>(length));
      status |= TP_STATUS_COPY;
    }
    header->tp_status = status;
    next_ = (next_ + 1) % kSlots;
  }

  struct Read {
    BatchHeader header{};
    std::vector<PacketRecord> records;
    std::vector<uint8_t> bytes;
    BatchCount count;
    std::vector<uint8_t> frame(size_t i) const {
      return {bytes.begin() + records[i].offset, bytes.begin() + records[i].offset + records[i].length};
    }
  };

  // Memory of exactly the size that `waiting` asks for, so that the address sanitizer sees every step outside.
  Read read(const RingReader& reader = {}) {
    Read read;
    const WaitingBatch waiting = ring_->waiting();
    read.records.resize(waiting.packets);
    read.bytes.resize(waiting.slab_bytes - sizeof(BatchHeader) - waiting.packets * sizeof(PacketRecord));
    read.count = ring_->copy(reader, waiting, &read.header, read.records.data(), read.bytes.data(),
                             static_cast<uint32_t>(read.bytes.size()));
    read.records.resize(read.count.packets);
    return read;
  }

  bool queue_is_empty() {
    uint8_t byte = 0;
    return ::recv(sockets_[0], &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0;
  }
  SlotRing& ring() { return *ring_; }

 private:
  int sockets_[2] = {-1, -1};
  uint8_t* memory_ = nullptr;
  uint32_t next_ = 0;
  std::unique_ptr<SlotRing> ring_;
};

void reads_what_has_come() {
  Ring ring;
  EXPECT_EQ(ring.ring().waiting().packets, 0U);
  ring.fill({bytes(60, 1), 1000});
  ring.fill({bytes(61, 2)});
  const Ring::Read read = ring.read();
  if (!EXPECT_EQ(read.count.packets, 2U)) return;
  EXPECT(read.frame(0) == bytes(60, 1));
  EXPECT(read.frame(1) == bytes(61, 2));
  EXPECT_EQ(read.records[0].original_length, 1000U);
  EXPECT_EQ(read.records[0].seconds, 100U);
  EXPECT_EQ(read.records[0].meta, ETH_P_IP | 4U << 16 | 6U << 24);
  EXPECT_EQ(read.header.count, 2U);
  EXPECT_EQ(read.header.byte_length, 121U);
  EXPECT_EQ(read.header.original_low, 1061U);
  EXPECT_EQ(read.header.sequence_low, 1U);
  EXPECT_EQ(read.header.first_seconds, 100U);
  EXPECT_EQ(read.header.last_seconds, 101U);
  EXPECT_EQ(read.header.flags, BatchHeader::kTimedOut);
  EXPECT_EQ(ring.slot(0)->tp_status, static_cast<uint32_t>(TP_STATUS_KERNEL));
  EXPECT_EQ(ring.ring().waiting().packets, 0U);
}

void goes_round() {
  Ring ring;
  uint8_t number = 0;
  uint8_t expected = 0;
  for (uint32_t round = 0; round < 20; ++round) {
    for (uint32_t i = 0; i < 19; ++i) ring.fill({bytes(60, number++)});
    const Ring::Read read = ring.read();
    EXPECT_EQ(read.count.packets, 19U);
    for (uint32_t i = 0; i < read.count.packets; ++i) EXPECT(read.frame(i) == bytes(60, expected++));
    EXPECT_EQ(read.header.sequence_low, round + 1);
  }
}

void a_full_ring_is_read_whole() {
  Ring ring;
  for (uint32_t i = 0; i < kSlots; ++i) ring.fill({bytes(60, static_cast<uint8_t>(i))});
  EXPECT_EQ(ring.read().count.packets, kSlots);
  EXPECT_EQ(ring.ring().waiting().packets, 0U);
}

void puts_a_tag_back() {
  Ring ring;
  const uint32_t status = TP_STATUS_USER | TP_STATUS_VLAN_VALID | TP_STATUS_VLAN_TPID_VALID;
  for (const uint32_t length : {60U, 2000U}) {
    const std::vector<uint8_t> inner = bytes(length, 1);
    ring.fill({inner, 0, status, 0x2064, ETH_P_8021AD});
    const Ring::Read read = ring.read();
    if (!EXPECT_EQ(read.count.packets, 1U)) return;
    std::vector<uint8_t> wanted(inner.begin(), inner.begin() + 12);
    for (const uint8_t byte : {0x88, 0xa8, 0x20, 0x64}) wanted.push_back(byte);
    wanted.insert(wanted.end(), inner.begin() + 12, inner.end());
    EXPECT(read.frame(0) == wanted);
    EXPECT_EQ(read.records[0].original_length, length + 4);
  }
}

void long_frames_come_through_the_queue_in_order() {
  Ring ring;
  const uint32_t lengths[] = {60, 1500, 9000, 64, 65000};
  for (const uint32_t length : lengths) ring.fill({bytes(length, static_cast<uint8_t>(length))});
  const Ring::Read read = ring.read();
  if (!EXPECT_EQ(read.count.packets, 5U)) return;
  for (size_t i = 0; i < 5; ++i) {
    EXPECT(read.frame(i) == bytes(lengths[i], static_cast<uint8_t>(lengths[i])));
    EXPECT_EQ(read.records[i].status & TP_STATUS_COPY, 0U);
  }
  EXPECT(ring.queue_is_empty());
}

void what_the_queue_has_no_room_for_is_dropped() {
  Ring ring;
  ring.fill({bytes(1500, 1)}, false);
  ring.fill({bytes(1500, 2)});
  const Ring::Read read = ring.read();
  EXPECT_EQ(read.count.dropped, 1U);
  if (!EXPECT_EQ(read.count.packets, 1U)) return;
  EXPECT(read.frame(0) == bytes(1500, 2));
}

void what_the_filter_wants_of_a_frame_may_be_as_long_as_a_slot() {
  Ring ring({{BPF_RET | BPF_K, 0, 0, kSlot - kSlotMac}});
  ring.fill({bytes(1500, 1)}, false);
  const Ring::Read read = ring.read();
  EXPECT_EQ(read.count.dropped, 0U);
  if (!EXPECT_EQ(read.count.packets, 1U)) return;
  EXPECT(read.frame(0) == bytes(kSlot - kSlotMac, 1));
}

void snap_len_cuts_long_frames_too() {
  Ring ring;
  RingReader reader;
  reader.snap_len = 20;
  for (const uint32_t length : {60U, 1500U}) ring.fill({bytes(length, 3)});
  const Ring::Read read = ring.read(reader);
  if (!EXPECT_EQ(read.count.packets, 2U)) return;
  for (size_t i = 0; i < 2; ++i) EXPECT(read.frame(i) == bytes(20, 3));
  EXPECT(ring.queue_is_empty());
}

// Accepts so much of frames whose first byte is this.
std::vector<sock_filter> first_byte_is(uint32_t byte, uint32_t accept) {
  return {{BPF_LD | BPF_B | BPF_ABS, 0, 0, 0},
          {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, byte},
          {BPF_RET | BPF_K, 0, 0, accept},
          {BPF_RET | BPF_K, 0, 0, 0}};
}

void a_new_filter_judges_what_the_ring_holds() {
  Ring ring;
  for (const uint8_t first : {1, 2, 1, 2}) ring.fill({bytes(first == 1 ? 60 : 1500, first)});
  ring.ring().refilter(first_byte_is(1, 0xffff));
  const Ring::Read read = ring.read();
  EXPECT_EQ(read.count.packets, 2U);
  EXPECT_EQ(read.count.refiltered, 2U);
  EXPECT(ring.queue_is_empty());
  // Whatever was let in by the old one has left the ring by then.
  for (uint32_t i = 0; i < kSlots; ++i) {
    ring.fill({bytes(60, 2)});
    (void)ring.read();
  }
  ring.fill({bytes(60, 2)});
  EXPECT_EQ(ring.read().count.packets, 1U);
}

void a_batch_of_which_nothing_is_left_has_no_number() {
  Ring ring;
  ring.fill({bytes(60, 2)});
  ring.ring().refilter(first_byte_is(1, 0xffff));
  EXPECT_EQ(ring.read().count.packets, 0U);
  ring.fill({bytes(60, 1)});
  EXPECT_EQ(ring.read().header.sequence_low, 1U);
}

void the_filter_says_how_much_of_a_long_frame_it_lets_in() {
  Ring ring(first_byte_is(1, 1000));
  ring.fill({bytes(1500, 1)});
  const Ring::Read read = ring.read();
  if (!EXPECT_EQ(read.count.packets, 1U)) return;
  EXPECT(read.frame(0) == bytes(1000, 1));
}

void a_batch_is_bounded() {
  Ring ring;
  for (uint32_t i = 0; i < 6; ++i) ring.fill({bytes(60000, static_cast<uint8_t>(i))});
  EXPECT_EQ(ring.ring().waiting().packets, SlotRing::kMostBytes / 60004);
  const Ring::Read read = ring.read();
  EXPECT_EQ(read.count.packets, 4U);
  EXPECT_EQ(read.header.flags, 0U);
  EXPECT_EQ(ring.read().count.packets, 2U);
}

void wrong_offsets_never_lead_outside() {
  std::mt19937 random(1);
  for (uint32_t round = 0; round < 2000; ++round) {
    Ring ring;
    for (uint32_t i = 0; i < 8; ++i) {
      ring.fill({bytes(60, static_cast<uint8_t>(i))});
      auto* words = reinterpret_cast<uint16_t*>(ring.slot(i));
      // Anything but the status.
      for (uint32_t k = 0; k < 3; ++k) words[2 + random() % 14] = static_cast<uint16_t>(random());
    }
    (void)ring.read();
    EXPECT_EQ(ring.ring().waiting().packets, 0U);
  }
}

void lends_a_copy() {
  Ring ring;
  ring.fill({bytes(60, 1)});
  BatchHeader header;
  std::vector<PacketRecord> records(SlotRing::kMostPackets);
  LentBatch lent;
  EXPECT_EQ(ring.ring().lend({}, ring.ring().waiting(), &header, records.data(), &lent).packets, 1U);
  EXPECT_EQ(lent.length, size_t{60});
  EXPECT(std::memcmp(lent.memory->data() + lent.offset + records[0].offset, bytes(60, 1).data(), 60) == 0);
  EXPECT_EQ(ring.slot(0)->tp_status, static_cast<uint32_t>(TP_STATUS_KERNEL));
}

constexpr Test kTests[] = {
    {"reads_what_has_come", reads_what_has_come},
    {"goes_round", goes_round},
    {"a_full_ring_is_read_whole", a_full_ring_is_read_whole},
    {"puts_a_tag_back", puts_a_tag_back},
    {"long_frames_come_through_the_queue_in_order", long_frames_come_through_the_queue_in_order},
    {"what_the_queue_has_no_room_for_is_dropped", what_the_queue_has_no_room_for_is_dropped},
    {"what_the_filter_wants_of_a_frame_may_be_as_long_as_a_slot",
     what_the_filter_wants_of_a_frame_may_be_as_long_as_a_slot},
    {"snap_len_cuts_long_frames_too", snap_len_cuts_long_frames_too},
    {"a_new_filter_judges_what_the_ring_holds", a_new_filter_judges_what_the_ring_holds},
    {"a_batch_of_which_nothing_is_left_has_no_number", a_batch_of_which_nothing_is_left_has_no_number},
    {"the_filter_says_how_much_of_a_long_frame_it_lets_in", the_filter_says_how_much_of_a_long_frame_it_lets_in},
    {"a_batch_is_bounded", a_batch_is_bounded},
    {"wrong_offsets_never_lead_outside", wrong_offsets_never_lead_outside},
    {"lends_a_copy", lends_a_copy},
};

}  // namespace
}  // namespace netring::test

int main() { return netring::test::run_all(netring::test::kTests); }
