// The pool under owned batches: reuse, accounting, and its ends.
#include "../core/slab_pool.h"

#include <vector>

#include "check.h"

namespace netring::test {
namespace {

void slabs_go_round() {
  SlabPool pool;
  const SlabPool::Slab first = pool.take(100'000);
  EXPECT_EQ(first.size, size_t{131072});
  EXPECT_EQ(pool.live_bytes(), size_t{131072});
  pool.give_back(first);
  EXPECT_EQ(pool.live_bytes(), size_t{0});
  const SlabPool::Slab second = pool.take(131072);
  EXPECT(second.data == first.data);
  pool.give_back(second);
}

void small_batches_take_small_slabs() {
  SlabPool pool;
  const SlabPool::Slab small = pool.take(1);
  const SlabPool::Slab large = pool.take(4097);
  EXPECT_EQ(small.size, size_t{4096});
  EXPECT_EQ(large.size, size_t{8192});
  EXPECT_EQ(pool.live_bytes(), size_t{12288});
  pool.give_back(small);
  pool.give_back(large);
}

// More slabs than are kept come back: the rest is freed, which the leak checker would notice if it were not.
void a_burst_is_not_kept() {
  SlabPool pool;
  std::vector<SlabPool::Slab> slabs;
  for (size_t i = 0; i < 3 * SlabPool::kMostFree / (4 << 20); ++i) slabs.push_back(pool.take(4 << 20));
  for (const SlabPool::Slab& slab : slabs) pool.give_back(slab);
  EXPECT_EQ(pool.live_bytes(), size_t{0});
}

void slabs_outlive_close() {
  SlabPool pool;
  const SlabPool::Slab live = pool.take(1000);
  pool.give_back(pool.take(5000));
  pool.close();
  live.data[999] = 1;
  pool.give_back(live);
  EXPECT_EQ(pool.live_bytes(), size_t{0});
}

}  // namespace
}  // namespace netring::test

int main() {
  using namespace netring::test;
  return run_all({
      {"slabs_go_round", slabs_go_round},
      {"small_batches_take_small_slabs", small_batches_take_small_slabs},
      {"a_burst_is_not_kept", a_burst_is_not_kept},
      {"slabs_outlive_close", slabs_outlive_close},
  });
}
