// How the core reports failure: an errno and the step at which it happened. The core is built without exceptions.
#ifndef NETRING_CORE_RESULT_H_
#define NETRING_CORE_RESULT_H_

#include <cerrno>
#include <optional>
#include <utility>

namespace netring {

// `step` is a system call or the name of a socket option, always a string literal. errno 0 is success.
struct [[nodiscard]] Status {
  int error = 0;
  const char* step = "";

  static Status failed(const char* step) { return {errno, step}; }
  bool ok() const { return error == 0; }
};

// A value or the failure that kept it from being made.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}  // NOLINT(google-explicit-constructor)
  Result(Status status) : status_(status) {}     // NOLINT(google-explicit-constructor)

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  T& operator*() { return *value_; }
  T* operator->() { return &*value_; }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace netring

#endif  // NETRING_CORE_RESULT_H_
