// The engine on its thread, while another one counts, changes filters and stops it. Under ThreadSanitizer.
#include <linux/if_ether.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>

#include <atomic>
#include <cstdlib>
#include <string>
#include <vector>

#include "../core/bridge/bridge.h"
#include "../core/packet_socket.h"
#include "check.h"

namespace netring::test {

namespace {

void shell(const std::string& command) {
  if (std::system(command.c_str()) != 0) expect_equal(false, true, command.c_str(), __LINE__);
}

void sleep_ms(long ms) {
  const timespec time = {0, ms * 1'000'000};
  ::nanosleep(&time, nullptr);
}

// Two cables, va - vb and wa - wb; the bridge joins vb and wa.
struct Cables {
  Cables() {
    for (const char* pair : {"v", "w"}) {
      const std::string name = pair;
      shell("ip link add " + name + "a type veth peer name " + name + "b");
      for (const char* end : {"a", "b"}) shell("ip link set " + name + end + " up addrgenmode none");
    }
  }
  ~Cables() { shell("ip link del va; ip link del wa"); }
};

BridgeConfig config() {
  BridgeConfig config;
  config.ports = {PortConfig{"vb", {65536, 8, 2048, true}}, PortConfig{"wa", {65536, 8, 2048, true}}};
  return config;
}

struct Engine {
  explicit Engine(Bridge* of) : bridge(of) {
    bridge->prepare_run();
    ::pthread_create(&thread, nullptr, &Engine::body, this);
  }
  ~Engine() { end(); }
  void end() {
    if (ended) return;
    bridge->stop();
    ::pthread_join(thread, nullptr);
    ended = true;
  }
  static void* body(void* self) {
    auto* engine = static_cast<Engine*>(self);
    const Status status =
        engine->bridge->run([](void* seen) { ++*static_cast<std::atomic<int>*>(seen); }, &engine->changes);
    engine->error = status.error;
    return nullptr;
  }
  Bridge* bridge;
  pthread_t thread{};
  std::atomic<int> changes{0};
  int error = 0;
  bool ended = false;
};

UniqueFd sender(const char* name) {
  Result<UniqueFd> socket = open_packet_socket();
  Result<LinkInfo> link = find_link(name);
  if (!EXPECT(socket.ok() && link.ok())) return {};
  EXPECT(bind_packet_socket(socket->get(), link->index, 0).ok());
  return std::move(*socket);
}

uint64_t settled(const DirectionCounters& counters) {
  return counters.forwarded.get() + counters.filtered.get() + counters.too_large.get() + counters.ring_full.get() +
         counters.errors.get() + counters.kernel_drops.get();
}

void forwards_while_it_is_watched() {
  const Cables cables;
  uint32_t port = 0;
  Result<std::unique_ptr<Bridge>> bridge = Bridge::open(config(), &port);
  if (!EXPECT(bridge.ok())) return;
  Engine engine(bridge->get());
  const UniqueFd out = sender("va");
  uint8_t frame[64] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x88, 0xb5};
  const DirectionCounters& counters = (*bridge)->direction(0).counters();
  constexpr uint64_t kFrames = 20'000;
  for (uint64_t i = 0; i < kFrames; ++i) {
    if (::send(out.get(), frame, sizeof frame, 0) != sizeof frame) EXPECT(false);
    if (i % 1000 != 0) continue;
    auto filter = std::make_unique<BridgeFilter>();
    if (i % 2000 == 0) filter->program = {{BPF_RET | BPF_K, 0, 0, 0}};
    (*bridge)->set_filter(0, std::move(filter));
    (void)settled(counters);
    (void)(*bridge)->port_state(0);
  }
  for (int i = 0; i < 100 && settled(counters) < kFrames; ++i) sleep_ms(20);
  engine.end();
  EXPECT_EQ(engine.error, 0);
  EXPECT_EQ(counters.received.get(), kFrames);
  EXPECT_EQ(settled(counters), kFrames);
  EXPECT(counters.forwarded.get() > 0);
}

void stops_at_once_and_starts_again() {
  const Cables cables;
  uint32_t port = 0;
  Result<std::unique_ptr<Bridge>> bridge = Bridge::open(config(), &port);
  if (!EXPECT(bridge.ok())) return;
  for (int i = 0; i < 50; ++i) {
    Engine engine(bridge->get());
    engine.end();
    EXPECT_EQ(engine.error, 0);
  }
}

void tells_of_a_link_that_goes() {
  const Cables cables;
  uint32_t port = 0;
  Result<std::unique_ptr<Bridge>> bridge = Bridge::open(config(), &port);
  if (!EXPECT(bridge.ok())) return;
  Engine engine(bridge->get());
  shell("ip link set wb down");
  for (int i = 0; i < 200 && (*bridge)->port_state(1) != LinkState::kDown; ++i) sleep_ms(20);
  EXPECT((*bridge)->port_state(1) == LinkState::kDown);
  EXPECT((*bridge)->port_state(0) == LinkState::kUp);
  for (int i = 0; i < 50 && engine.changes.load() == 0; ++i) sleep_ms(20);
  EXPECT(engine.changes.load() > 0);
}

void says_which_port_cannot_be_opened() {
  const Cables cables;
  uint32_t port = 0;
  BridgeConfig wrong = config();
  wrong.ports[1].interface = "none0";
  const Result<std::unique_ptr<Bridge>> bridge = Bridge::open(wrong, &port);
  EXPECT_EQ(bridge.status().error, ENODEV);
  EXPECT_EQ(port, 1U);
}

// Floods the bridge while another thread takes batches and, inline, answers some of them, some too late.
void batches_cross_threads(bool is_inline) {
  const Cables cables;
  uint32_t port = 0;
  Result<std::unique_ptr<Bridge>> opened = Bridge::open(config(), &port);
  if (!EXPECT(opened.ok())) return;
  Bridge& bridge = **opened;
  Audience audience;
  audience.tap_every = is_inline ? 0 : 2;
  audience.is_inline = is_inline;
  audience.timeout_ns = 2'000'000;
  bridge.set_audience(audience);
  Engine engine(&bridge);
  struct Flood {
    UniqueFd out;
    pthread_t thread{};
  } flood;
  flood.out = sender("va");
  constexpr uint64_t kFrames = 20'000;
  ::pthread_create(
      &flood.thread, nullptr,
      [](void* argument) -> void* {
        uint8_t frame[64] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x88, 0xb5};
        for (uint64_t i = 0; i < kFrames; ++i)
          (void)::send(static_cast<Flood*>(argument)->out.get(), frame, sizeof frame, 0);
        return nullptr;
      },
      &flood);
  const DirectionCounters& counters = bridge.direction(0).counters();
  BatchQueue& queue = bridge.direction(0).batches();
  std::vector<uint8_t> slab(FrameBatch::kMostPacked);
  uint64_t seen = 0;
  for (int idle = 0; idle < 100 && settled(counters) < kFrames;) {
    BatchQueue::Batch* batch = queue.take();
    if (batch == nullptr) {
      sleep_ms(1);
      ++idle;
      continue;
    }
    idle = 0;
    batch->frames.pack(slab.data(), batch->sequence);
    seen += batch->frames.count();
    const uint64_t sequence = batch->sequence;
    queue.taken(batch);
    if (!is_inline) continue;
    if (sequence % 8 == 0) sleep_ms(3);
    BatchQueue::Batch* held = queue.hold(sequence);
    if (held == nullptr) continue;
    auto answer = std::make_unique<Answer>();
    answer->forwards.assign(held->frames.count(), sequence % 2);
    if (queue.answer(held, std::move(answer))) bridge.wake();
  }
  ::pthread_join(flood.thread, nullptr);
  for (int i = 0; i < 100 && settled(counters) < kFrames; ++i) sleep_ms(20);
  engine.end();
  EXPECT_EQ(engine.error, 0);
  EXPECT_EQ(counters.received.get(), kFrames);
  EXPECT_EQ(settled(counters), kFrames);
  EXPECT(seen > 0);
  if (is_inline) EXPECT(counters.filtered.get() > 0 && counters.forwarded.get() > 0);
}

void the_tap_takes_what_it_can() { batches_cross_threads(false); }
void inline_batches_are_answered_or_late() { batches_cross_threads(true); }

constexpr Test kTests[] = {
    {"the_tap_takes_what_it_can", the_tap_takes_what_it_can},
    {"inline_batches_are_answered_or_late", inline_batches_are_answered_or_late},
    {"forwards_while_it_is_watched", forwards_while_it_is_watched},
    {"stops_at_once_and_starts_again", stops_at_once_and_starts_again},
    {"tells_of_a_link_that_goes", tells_of_a_link_that_goes},
    {"says_which_port_cannot_be_opened", says_which_port_cannot_be_opened},
};

}  // namespace

}  // namespace netring::test

int main() { return netring::test::run_all(netring::test::kTests); }
