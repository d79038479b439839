// The borrowed batch of a receiver: memory it shares with the kernel, lent out as an ArrayBuffer, and the columns over
// it. One at a time.
#ifndef NETRING_ADDON_LEASE_H_
#define NETRING_ADDON_LEASE_H_

#include <napi.h>

#include <memory>

#include "../core/packet_index.h"
#include "../core/resources.h"

namespace netring {

class Lease {
 public:
  // Makes header and index on first use, with room for `most` records. False with an exception pending.
  bool make_index(Napi::Env env, size_t most);
  Napi::Value header() const { return header_.Value(); }
  Napi::Value index() const { return index_.Value(); }
  BatchHeader* header_words() const { return header_words_; }
  PacketRecord* records() const { return records_; }

  bool is_out() const { return !buffer_.IsEmpty(); }
  // False with a TypeError pending while a batch is out.
  bool assert_none(Napi::Env env) const;
  // Undefined with an exception pending when the engine does not allow external buffers.
  Napi::Value lend(Napi::Env env, const std::shared_ptr<Mapping>& memory, size_t offset, size_t length);
  // Every view reads length 0 from here on; the finalizer lets go of the mapping on the next turn of the loop. False
  // when none was out.
  bool end(Napi::Env env);

 private:
  Napi::Reference<Napi::ArrayBuffer> buffer_;
  Napi::Reference<Napi::Uint32Array> header_;
  Napi::Reference<Napi::Uint32Array> index_;
  BatchHeader* header_words_ = nullptr;
  PacketRecord* records_ = nullptr;
};

}  // namespace netring

#endif  // NETRING_ADDON_LEASE_H_
