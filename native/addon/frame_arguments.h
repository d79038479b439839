// The arguments of the sending calls: frames in the columns of a batch, or in an array. After an empty answer an
// exception is pending.
#ifndef NETRING_ADDON_FRAME_ARGUMENTS_H_
#define NETRING_ADDON_FRAME_ARGUMENTS_H_

#include <napi.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "../core/frame_source.h"
#include "../core/packet_index.h"

namespace netring {

void throw_type(Napi::Env env, const std::string& text);

// The caller's Int32Array for a SendResult; null with an exception pending when it is none.
int32_t* result_words(const Napi::Value& value);
void write_result(const SendResult& result, int32_t* words);

// Frames of a packet index.
class IndexedFrames : public FrameSource {
 public:
  IndexedFrames(const uint8_t* bytes, const PacketRecord* records, bool fix_checksums);
  Frame at(uint32_t place) const override;

 private:
  const uint8_t* bytes_;
  const PacketRecord* records_;
  uint32_t unfinished_;
};

struct IndexedCall {
  IndexedFrames frames;
  uint32_t first = 0;
  uint32_t end = 0;
  int32_t* words = nullptr;
};

// (bytes, index, first, end, fixChecksums, result), every record checked against the bytes.
std::optional<IndexedCall> read_indexed_call(const Napi::CallbackInfo& info);

// Frames of an array of byte arrays, from `first` on.
class ListedCall : public FrameSource {
 public:
  Frame at(uint32_t place) const override { return frames[place - first]; }

  std::vector<Frame> frames;
  uint32_t first = 0;
  uint32_t end = 0;
  int32_t* words = nullptr;
};

// (frames, first, end, result). Runs script.
std::optional<ListedCall> read_listed_call(const Napi::CallbackInfo& info);

}  // namespace netring

#endif  // NETRING_ADDON_FRAME_ARGUMENTS_H_
