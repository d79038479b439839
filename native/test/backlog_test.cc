// Slots of every size through the backlog of a receiver, beside a plain list of what is to come out.
#include "../core/bridge/backlog.h"

#include <cstring>
#include <vector>

#include "check.h"

namespace netring::test {

namespace {

constexpr size_t kCapacity = 64 * 1024;

// A small generator with a fixed seed: a failure can be repeated.
struct Random {
  uint32_t state = 12345;
  uint32_t below(uint32_t limit) {
    state = state * 1664525 + 1013904223;
    return (state >> 8) % limit;
  }
};

bool push(Backlog* backlog, uint32_t size, uint8_t fill) {
  uint8_t* place = backlog->reserve(size);
  if (place == nullptr) return false;
  EXPECT_EQ(reinterpret_cast<uintptr_t>(place) % 16, 0U);
  std::memset(place, fill, size);
  backlog->push(size);
  return true;
}

void gives_back_what_it_got() {
  Backlog backlog(kCapacity);
  Random random;
  struct Expected {
    uint32_t size;
    uint8_t fill;
  };
  std::vector<Expected> expected;
  size_t first = 0;
  uint8_t fill = 0;
  uint32_t refused = 0;
  for (uint32_t round = 0; round < 20'000; ++round) {
    // Phases that fill and phases that empty.
    if (random.below(100) < (round / 500 % 2 == 0 ? 90U : 20U)) {
      const uint32_t size = 1 + random.below(2000);
      if (push(&backlog, size, ++fill)) {
        expected.push_back({size, fill});
      } else {
        ++refused;
      }
      continue;
    }
    const auto count = static_cast<uint32_t>(std::min<size_t>(random.below(8), expected.size() - first));
    for (uint32_t ahead = 0; ahead < count; ++ahead) {
      const auto [size, value] = expected[first + ahead];
      const uint8_t* slot = backlog.at(ahead);
      // The last one again, as whoever breaks off and goes on does.
      EXPECT(slot != nullptr && slot == backlog.at(ahead));
      if (slot == nullptr) return;
      EXPECT(slot[0] == value && slot[size - 1] == value);
    }
    backlog.pop(count);
    first += count;
    EXPECT_EQ(backlog.count(), expected.size() - first);
  }
  EXPECT(refused > 100 && expected.size() > 5000);
}

void refuses_what_does_not_fit() {
  Backlog backlog(kCapacity);
  EXPECT(backlog.reserve(kCapacity) == nullptr);
  EXPECT(push(&backlog, kCapacity - 16, 1));
  EXPECT(backlog.reserve(1) == nullptr);
  EXPECT(backlog.at(0)[kCapacity - 17] == 1);
  EXPECT(backlog.at(1) == nullptr);
  backlog.pop(1);
  EXPECT(backlog.empty());
  EXPECT(push(&backlog, kCapacity - 16, 2));
}

constexpr Test kTests[] = {
    {"gives_back_what_it_got", gives_back_what_it_got},
    {"refuses_what_does_not_fit", refuses_what_does_not_fit},
};

}  // namespace

}  // namespace netring::test

int main() { return netring::test::run_all(netring::test::kTests); }
