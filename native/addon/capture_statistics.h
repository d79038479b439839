// The counters of a capture on their way to JavaScript.
#ifndef NETRING_ADDON_CAPTURE_STATISTICS_H_
#define NETRING_ADDON_CAPTURE_STATISTICS_H_

#include <napi.h>

#include "../core/capture_books.h"
#include "../core/slab_pool.h"
#include "frame_arguments.h"

namespace netring {

// Into the Float64Array that `info` has, whose places mirror CaptureCounter in src/native/.
inline void write_statistics(const Napi::CallbackInfo& info, CaptureBooks& books, const SlabPool& pool) {
  constexpr size_t kCounters = 8;
  if (!info[0].IsTypedArray() || info[0].As<Napi::TypedArray>().TypedArrayType() != napi_float64_array ||
      info[0].As<Napi::TypedArray>().ElementLength() < kCounters)
    return throw_type(info.Env(), "out must be a Float64Array of 8");
  const CaptureTotals totals = books.read();
  double* out = info[0].As<Napi::Float64Array>().Data();
  out[0] = static_cast<double>(totals.received);
  out[1] = static_cast<double>(totals.drops);
  out[2] = static_cast<double>(totals.freezes);
  out[3] = static_cast<double>(totals.packets);
  out[4] = static_cast<double>(totals.bytes);
  out[5] = static_cast<double>(pool.live_bytes());
  out[6] = static_cast<double>(pool.stalls.get());
  out[7] = static_cast<double>(totals.refiltered);
}

}  // namespace netring

#endif  // NETRING_ADDON_CAPTURE_STATISTICS_H_
