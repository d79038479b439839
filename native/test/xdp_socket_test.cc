// AF_XDP on the loopback interface of the test's network namespace, in the kernel's generic mode: what is sent comes
// back. With checked owners, so that a frame in two places ends the test.
#include "../core/xdp/xdp_socket.h"

#include <net/if.h>
#include <poll.h>

#include <cstring>
#include <vector>

#include "check.h"

namespace netring::test {
namespace {

constexpr uint32_t kLength = 64;

XdpConfig config(uint32_t frames = 64) {
  XdpConfig config;
  config.interface = "lo";
  config.frame_size = 2048;
  config.frame_count = frames;
  config.rx_frames = frames / 2;
  config.attach = XdpProgram::Attach::kSkb;
  return config;
}

// Frames of a local experiment (IEEE 802 EtherType 88B5), numbered behind the header.
class Numbered : public FrameSource {
 public:
  explicit Numbered(uint32_t count) : bytes_(count * kLength) {
    for (uint32_t i = 0; i < count; ++i) {
      bytes_[i * kLength + 12] = 0x88;
      bytes_[i * kLength + 13] = 0xb5;
      std::memcpy(&bytes_[i * kLength + 14], &i, sizeof i);
    }
  }
  Frame at(uint32_t place) const override { return {bytes_.data() + place * kLength, kLength, false}; }

 private:
  std::vector<uint8_t> bytes_;
};

// Reads everything there is and checks that numbers go on from `next`.
uint32_t read_numbers(XdpSocket* socket, uint32_t next) {
  BatchHeader header;
  std::vector<PacketRecord> records(XdpSocket::kMostFrames);
  std::vector<uint8_t> copied(XdpSocket::kMostFrames * kLength);
  for (bool owned = false; socket->find_batch() != 0; owned = !owned) {
    const uint8_t* bytes = socket->batch_umem().memory()->data();
    uint32_t count = 0;
    if (owned) {
      bytes = copied.data();
      count = socket->copy_batch(&header, records.data(), copied.data(), static_cast<uint32_t>(copied.size()));
    } else {
      Span span;
      count = socket->index_batch(&header, records.data(), &span);
      bytes += span.begin;
      for (uint32_t i = 0; i < count; ++i) EXPECT(records[i].offset + records[i].length <= span.size);
    }
    EXPECT_EQ(header.count, count);
    for (uint32_t i = 0; i < count; ++i) {
      uint32_t number = 0;
      std::memcpy(&number, bytes + records[i].offset + 14, sizeof number);
      EXPECT_EQ(number, next++);
      EXPECT_EQ(records[i].length, kLength);
      EXPECT_EQ(records[i].meta & 0xffff, 0x88b5U);
    }
    if (!owned) socket->release_batch();
  }
  return next;
}

void XS_frames_go_round_and_keep_their_order() {
  SharedPrograms programs;
  std::string detail;
  Result<std::unique_ptr<XdpSocket>> socket = XdpSocket::open(config(), &programs, nullptr, &detail);
  EXPECT(socket.ok());
  if (!socket.ok()) return;
  EXPECT((*socket)->attach_mode() == XdpProgram::Attach::kSkb);
  constexpr uint32_t kCount = 5000;
  const Numbered frames(kCount);
  uint32_t sent = 0;
  uint32_t received = 0;
  for (uint32_t tries = 0; tries < 10 * kCount && received < kCount; ++tries) {
    if (sent < kCount) sent += (*socket)->send(frames, sent, std::min(sent + 13, kCount)).consumed;
    (void)(*socket)->wait(1);
    received = read_numbers(socket->get(), received);
  }
  EXPECT_EQ(sent, kCount);
  EXPECT_EQ(received, kCount);
  EXPECT_EQ((*socket)->totals().kernel.rx_dropped, 0U);
  for (int i = 0; i < 100 && (*socket)->sender().umem()->in_flight() != 0; ++i) {
    ::poll(nullptr, 0, 1);
    (*socket)->sender().umem()->reap();
  }
  EXPECT_EQ((*socket)->sender().free_frames(), 32U);
}

void a_slot_is_sent_by_flush_and_given_back_unsent() {
  SharedPrograms programs;
  std::string detail;
  Result<std::unique_ptr<XdpSocket>> socket = XdpSocket::open(config(), &programs, nullptr, &detail);
  EXPECT(socket.ok());
  if (!socket.ok()) return;
  XdpQueue& sender = (*socket)->sender();
  const int64_t slot = sender.allocate();
  EXPECT(slot >= 32);
  EXPECT_EQ(sender.allocate(), slot);
  EXPECT_EQ(sender.free_slots(), 32U);
  const Numbered frames(1);
  const Frame frame = frames.at(0);
  std::memcpy(sender.umem()->frame(static_cast<uint32_t>(slot)), frame.data, frame.length);
  sender.commit(kLength);
  EXPECT_EQ((*socket)->find_batch(), 0U);
  const SendResult flushed = (*socket)->flush();
  EXPECT_EQ(flushed.sent, 1U);
  EXPECT_EQ(flushed.bytes, kLength);
  EXPECT_EQ((*socket)->flush().sent, 0U);
  EXPECT(*(*socket)->wait(1000));
  EXPECT_EQ(read_numbers(socket->get(), 0), 1U);
  // Left unsent: the destructor gives it back.
  EXPECT(sender.allocate() >= 0);
}

// XS-10: frames that find no frame to be received into.
void XS_10_an_empty_fill_ring_is_counted() {
  SharedPrograms programs;
  std::string detail;
  Result<std::unique_ptr<XdpSocket>> socket = XdpSocket::open(config(16), &programs, nullptr, &detail);
  EXPECT(socket.ok());
  if (!socket.ok()) return;
  const Numbered frames(100);
  uint32_t sent = 0;
  for (int tries = 0; tries < 1000 && sent < 100; ++tries) sent += (*socket)->send(frames, sent, 100).consumed;
  EXPECT_EQ(sent, 100U);
  ::poll(nullptr, 0, 50);
  const xdp_statistics kernel = (*socket)->totals().kernel;
  EXPECT_EQ(kernel.rx_dropped, 92U);
  EXPECT_EQ(kernel.rx_fill_ring_empty_descs, 92U);
  EXPECT_EQ(read_numbers(socket->get(), 0), 8U);
}

// XS-11: a frame longer than what a chunk holds behind its headroom. There is room in the fill ring.
void XS_11_a_frame_too_long_for_its_chunk_is_counted() {
  SharedPrograms programs;
  std::string detail;
  Result<std::unique_ptr<XdpSocket>> socket = XdpSocket::open(config(), &programs, nullptr, &detail);
  EXPECT(socket.ok());
  if (!socket.ok()) return;
  XdpQueue& sender = (*socket)->sender();
  const auto slot = static_cast<uint32_t>(sender.allocate());
  std::memset(sender.umem()->frame(slot), 0, 2048);
  sender.commit(2048 - 256 + 1);
  EXPECT_EQ((*socket)->flush().sent, 1U);
  ::poll(nullptr, 0, 20);
  const xdp_statistics kernel = (*socket)->totals().kernel;
  EXPECT_EQ(kernel.rx_dropped, 1U);
  EXPECT_EQ(kernel.rx_fill_ring_empty_descs, 0U);
  EXPECT_EQ((*socket)->find_batch(), 0U);
}

// XS-12: an RX ring that is full while the fill ring is not, which the queue itself never lets happen: here chunks go
// back to be filled although what they held still stands in the RX ring.
void XS_12_a_full_rx_ring_is_counted() {
  SharedPrograms programs;
  std::string detail;
  Result<std::unique_ptr<XdpSocket>> socket = XdpSocket::open(config(16), &programs, nullptr, &detail);
  EXPECT(socket.ok());
  if (!socket.ok()) return;
  const Numbered frames(8);
  EXPECT_EQ((*socket)->send(frames, 0, 8).sent, 8U);
  ::poll(nullptr, 0, 20);
  EXPECT_EQ((*socket)->sender().received(UINT32_MAX), 8U);
  Umem& umem = *(*socket)->sender().umem();
  for (uint32_t frame = 0; frame < 8; ++frame) {
    umem.mark_received(frame);
    umem.refill(frame);
  }
  umem.submit_fill();
  EXPECT_EQ((*socket)->send(frames, 0, 5).sent, 5U);
  ::poll(nullptr, 0, 20);
  const xdp_statistics kernel = (*socket)->totals().kernel;
  EXPECT_EQ(kernel.rx_ring_full, 5U);
  EXPECT_EQ(kernel.rx_fill_ring_empty_descs, 0U);
  EXPECT_EQ(kernel.rx_dropped, 0U);
}

// XS-13: a descriptor that leads out of its chunk, which `fits` keeps from being made.
void XS_13_an_invalid_tx_descriptor_is_counted() {
  SharedPrograms programs;
  std::string detail;
  Result<std::unique_ptr<XdpSocket>> socket = XdpSocket::open(config(), &programs, nullptr, &detail);
  EXPECT(socket.ok());
  if (!socket.ok()) return;
  XdpQueue& sender = (*socket)->sender();
  EXPECT(!(*socket)->fits(2049, sender.umem()->frame(static_cast<uint32_t>(sender.allocate()))));
  sender.commit(2049);
  (void)(*socket)->flush();
  ::poll(nullptr, 0, 20);
  const xdp_statistics kernel = (*socket)->totals().kernel;
  EXPECT_EQ(kernel.tx_invalid_descs, 1U);
  EXPECT_EQ((*socket)->find_batch(), 0U);
}

void a_second_socket_shares_the_program_and_the_first_may_go() {
  SharedPrograms programs;
  std::string detail;
  XdpConfig narrow = config();
  Result<std::unique_ptr<XdpSocket>> first = XdpSocket::open(narrow, &programs, nullptr, &detail);
  EXPECT(first.ok());
  // The same queue is taken: the bind waits for its clean-up and gives up.
  EXPECT_EQ(XdpSocket::open(narrow, &programs, nullptr, &detail).status().error, EBUSY);
  const std::shared_ptr<SharedProgram> program = programs.find(static_cast<int>(if_nametoindex("lo")));
  EXPECT(program != nullptr);
  if (program == nullptr) return;
  EXPECT_EQ(program.use_count(), 2);
  (*first).reset();
  EXPECT(program->program.attached());
  EXPECT_EQ(program.use_count(), 1);
}

void a_shared_umem_sends_from_both_sockets() {
  SharedPrograms programs;
  std::string detail;
  Result<std::unique_ptr<XdpSocket>> first = XdpSocket::open(config(), &programs, nullptr, &detail);
  EXPECT(first.ok());
  if (!first.ok()) return;
  Result<std::unique_ptr<XdpSocket>> second = XdpSocket::open(config(), &programs, first->get(), &detail);
  EXPECT(second.ok());
  if (!second.ok()) return;
  EXPECT((*second)->sender().umem() == (*first)->sender().umem());
  const Numbered frames(40);
  EXPECT_EQ((*first)->send(frames, 0, 10).sent, 10U);
  EXPECT_EQ((*second)->send(frames, 10, 20).sent, 10U);
  EXPECT_EQ((*first)->send(frames, 20, 30).sent, 10U);
  EXPECT(*(*first)->wait(1000));
  EXPECT_EQ(read_numbers(first->get(), 0), 30U);
  (*first).reset();
  EXPECT_EQ((*second)->send(frames, 30, 40).sent, 10U);
}

void a_new_filter_judges_what_waits_in_the_ring() {
  SharedPrograms programs;
  std::string detail;
  Result<std::unique_ptr<XdpSocket>> socket = XdpSocket::open(config(), &programs, nullptr, &detail);
  EXPECT(socket.ok());
  if (!socket.ok()) return;
  const Numbered frames(10);
  EXPECT_EQ((*socket)->send(frames, 0, 10).sent, 10U);
  EXPECT(*(*socket)->wait(1000));
  const std::vector<sock_filter> refuse_all = {{BPF_RET | BPF_K, 0, 0, 0}};
  EXPECT((*socket)->set_filter(refuse_all, &detail).ok());
  EXPECT_EQ(read_numbers(socket->get(), 0), 0U);
  EXPECT_EQ((*socket)->totals().refiltered, 10U);
}

}  // namespace
}  // namespace netring::test

int main() {
  using namespace netring::test;
  netring::SharedPrograms programs;
  std::string detail;
  if (netring::XdpSocket::open(config(), &programs, nullptr, &detail).status().error == EPERM) {
    std::printf("skip all XDP programs want root of the machine, not of a user namespace\n");
    return 0;
  }
  return run_all({{"XS_frames_go_round_and_keep_their_order", XS_frames_go_round_and_keep_their_order},
                  {"a_slot_is_sent_by_flush_and_given_back_unsent", a_slot_is_sent_by_flush_and_given_back_unsent},
                  {"XS_10_an_empty_fill_ring_is_counted", XS_10_an_empty_fill_ring_is_counted},
                  {"XS_11_a_frame_too_long_for_its_chunk_is_counted", XS_11_a_frame_too_long_for_its_chunk_is_counted},
                  {"XS_12_a_full_rx_ring_is_counted", XS_12_a_full_rx_ring_is_counted},
                  {"XS_13_an_invalid_tx_descriptor_is_counted", XS_13_an_invalid_tx_descriptor_is_counted},
                  {"a_second_socket_shares_the_program_and_the_first_may_go",
                   a_second_socket_shares_the_program_and_the_first_may_go},
                  {"a_shared_umem_sends_from_both_sockets", a_shared_umem_sends_from_both_sockets},
                  {"a_new_filter_judges_what_waits_in_the_ring", a_new_filter_judges_what_waits_in_the_ring}});
}
