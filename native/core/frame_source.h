// What senders are given, and what they answer.
#ifndef NETRING_CORE_FRAME_SOURCE_H_
#define NETRING_CORE_FRAME_SOURCE_H_

#include <cstdint>

namespace netring {

// One frame to send. `complete` asks for its checksum, in a copy.
struct Frame {
  const uint8_t* data = nullptr;
  uint32_t length = 0;
  bool complete = false;
};

// Frames by their place; the caller keeps their memory alive during the call.
class FrameSource {
 public:
  virtual ~FrameSource() = default;
  virtual Frame at(uint32_t place) const = 0;
};

// Mirrors SendResult in src/native/.
struct SendResult {
  uint32_t sent = 0;
  uint32_t rejected = 0;
  uint32_t consumed = 0;
  int error = 0;
  int64_t first_rejected = -1;
  int64_t first_rejected_length = -1;
  uint64_t bytes = 0;
};

}  // namespace netring

#endif  // NETRING_CORE_FRAME_SOURCE_H_
