#include "bridge_answer.h"

#include <linux/if_ether.h>

#include <cstring>
#include <string>

#include "../core/bridge/inline_edit.h"

namespace netring {

namespace {

// A super-frame's, with a little to spare for a header that an edit adds.
constexpr uint32_t kLongestFrame = 65536 + 256;
// Of one answer: frames of an answer may share their bytes, so that a small one could grow without end here.
constexpr size_t kMostEdited = size_t{4} << 20;

constexpr size_t kRecordWords = sizeof(PacketRecord) / sizeof(uint32_t);

// The frames of `index` over `bytes` that differ from the batch's own. Lengths are checked; false with an exception
// pending.
bool read_edits(Napi::Env env, const Napi::Uint8Array& bytes, const Napi::Uint32Array& index, const FrameBatch& frames,
                Answer* answer) {
  if (index.ElementLength() != size_t{frames.count()} * kRecordWords) {
    Napi::RangeError::New(env, "the answer has " + std::to_string(index.ElementLength() / kRecordWords) +
                                   " frames, the batch " + std::to_string(frames.count()) +
                                   ": to drop frames answer with verdicts")
        .ThrowAsJavaScriptException();
    return false;
  }
  for (uint32_t i = 0; i < frames.count(); ++i) {
    PacketRecord record{};
    std::memcpy(&record, index.Data() + size_t{i} * kRecordWords, sizeof record);
    if (record.offset > bytes.ByteLength() || record.length > bytes.ByteLength() - record.offset) {
      Napi::RangeError::New(env, "frame " + std::to_string(i) + " lies outside the bytes").ThrowAsJavaScriptException();
      return false;
    }
    const uint8_t* frame = bytes.Data() + record.offset;
    if (answer->forwards[i] == 0 ||
        (record.length == frames.length(i) && std::memcmp(frame, frames.frame(i), record.length) == 0))
      continue;
    if (record.length < ETH_HLEN) {
      Napi::RangeError::New(env, "frame " + std::to_string(i) + " has " + std::to_string(record.length) +
                                     " bytes, fewer than the 14 of an Ethernet header")
          .ThrowAsJavaScriptException();
      return false;
    }
    if (record.length > kLongestFrame || answer->bytes.size() + record.length > kMostEdited) {
      Napi::RangeError::New(env, "frame " + std::to_string(i) + " has " + std::to_string(record.length) +
                                     " bytes: a frame has at most 65792, and the edited ones of an answer 4194304")
          .ThrowAsJavaScriptException();
      return false;
    }
    Answer::Edit edit;
    edit.index = i;
    edit.offset = static_cast<uint32_t>(answer->bytes.size());
    edit.length = record.length;
    std::memcpy(&edit.header, frames.header(i), sizeof edit.header);
    answer->bytes.insert(answer->bytes.end(), frame, frame + record.length);
    if (finish_edit(&edit.header, {answer->bytes.data() + edit.offset, edit.length})) {
      answer->edits.push_back(edit);
      continue;
    }
    Napi::RangeError::New(env,
                          "frame " + std::to_string(i) +
                              " was a super-frame, to be cut into segments, and is no message of that kind any more")
        .ThrowAsJavaScriptException();
    return false;
  }
  return true;
}

}  // namespace

std::unique_ptr<Answer> read_answer(const Napi::CallbackInfo& info, uint32_t at, const FrameBatch& frames) {
  const Napi::Env env = info.Env();
  auto answer = std::make_unique<Answer>();
  if (info[at].IsBoolean()) {
    answer->forwards.assign(frames.count(), info[at].As<Napi::Boolean>().Value() ? 1 : 0);
  } else if (info[at].IsTypedArray() && info[at].As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array) {
    const auto forwards = info[at].As<Napi::Uint8Array>();
    if (forwards.ElementLength() != frames.count()) {
      Napi::RangeError::New(env, "the answer has " + std::to_string(forwards.ElementLength()) +
                                     " verdicts, the batch " + std::to_string(frames.count()) + " frames")
          .ThrowAsJavaScriptException();
      return nullptr;
    }
    answer->forwards.assign(forwards.Data(), forwards.Data() + forwards.ElementLength());
  } else {
    Napi::TypeError::New(env, "forwards must be a boolean or a Uint8Array").ThrowAsJavaScriptException();
    return nullptr;
  }
  if (info[at + 1].IsUndefined()) return answer;
  if (!info[at + 1].IsTypedArray() || info[at + 1].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array ||
      !info[at + 2].IsTypedArray() || info[at + 2].As<Napi::TypedArray>().TypedArrayType() != napi_uint32_array) {
    Napi::TypeError::New(env, "bytes must be a Uint8Array, index a Uint32Array").ThrowAsJavaScriptException();
    return nullptr;
  }
  if (!read_edits(env, info[at + 1].As<Napi::Uint8Array>(), info[at + 2].As<Napi::Uint32Array>(), frames, answer.get()))
    return nullptr;
  return answer;
}

}  // namespace netring
