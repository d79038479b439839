// What a kernel short of memory answers, which a healthy one cannot be made to: setsockopt() of this program refuses
// rings above a size.
#include <linux/if_packet.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "../core/capture.h"
#include "../core/injector.h"
#include "check.h"

namespace {

// Bytes of ring that "fit into memory".
uint64_t room = UINT64_MAX;
int refusals = 0;

}  // namespace

extern "C" int setsockopt(int fd, int level, int option, const void* value, socklen_t size) noexcept {
  if (level == SOL_PACKET && (option == PACKET_RX_RING || option == PACKET_TX_RING)) {
    const auto* request = static_cast<const tpacket_req*>(value);
    if (uint64_t{request->tp_block_size} * request->tp_block_nr > room) {
      ++refusals;
      errno = ENOMEM;
      return -1;
    }
  }
  return static_cast<int>(::syscall(SYS_setsockopt, fd, level, option, value, size));
}

namespace netring::test {
namespace {

CaptureConfig capture_config() {
  CaptureConfig config;
  config.interface = "lo";
  config.block_size = 65536;
  config.block_count = 64;
  config.frame_size = 2048;
  config.block_timeout_ms = 10;
  return config;
}

void a_ring_is_made_smaller_for_want_of_memory() {
  room = 20 * 65536;
  refusals = 0;
  Result<std::unique_ptr<Capture>> capture = Capture::open(capture_config());
  if (!EXPECT(capture.ok())) return;
  // 64, 48, 36, 27, 20
  EXPECT_EQ((*capture)->ring().block_count(), 20U);
  EXPECT_EQ(refusals, 4);
  EXPECT_EQ((*capture)->warnings().size(), size_t{1});
}

void below_a_quarter_it_is_an_error() {
  room = 15 * 65536;
  Result<std::unique_ptr<Capture>> capture = Capture::open(capture_config());
  EXPECT(!capture.ok());
  EXPECT_EQ(capture.status().error, ENOMEM);
  EXPECT(std::string_view(capture.status().step) == "PACKET_RX_RING");
}

void a_transmit_ring_is_made_smaller_too() {
  InjectorConfig config;
  config.interface = "lo";
  config.frame_size = 2048;
  config.frame_count = 256;
  room = 256 * 1024;
  Result<std::unique_ptr<Injector>> injector = Injector::open(config);
  if (!EXPECT(injector.ok())) return;
  EXPECT((*injector)->ring().frame_count() < 256U);
  EXPECT((*injector)->ring().frame_count() >= 64U);
  EXPECT_EQ((*injector)->warnings().size(), size_t{1});
}

}  // namespace
}  // namespace netring::test

int main() {
  using namespace netring::test;
  return run_all({
      {"a_ring_is_made_smaller_for_want_of_memory", a_ring_is_made_smaller_for_want_of_memory},
      {"below_a_quarter_it_is_an_error", below_a_quarter_it_is_an_error},
      {"a_transmit_ring_is_made_smaller_too", a_transmit_ring_is_made_smaller_too},
  });
}
