// A test program is a list of named functions; each prints `ok NAME`, `not ok NAME REASON` or `skip NAME REASON`.
#ifndef NETRING_TEST_CHECK_H_
#define NETRING_TEST_CHECK_H_

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace netring::test {

inline std::string& failure() {
  static std::string text;
  return text;
}

// Why the test cannot run here; set by the test, which then returns.
inline std::string& obstacle() {
  static std::string text;
  return text;
}

template <typename A, typename B>
bool expect_equal(const A& actual, const B& expected, const char* expression, int line) {
  if (actual == expected) return true;
  if (!failure().empty()) return false;
  failure() = std::string(expression) + " at line " + std::to_string(line);
  if constexpr (requires { std::to_string(actual); })
    failure() += ": is " + std::to_string(actual) + ", should be " + std::to_string(expected);
  return false;
}

#define EXPECT_EQ(actual, expected) ::netring::test::expect_equal((actual), (expected), #actual, __LINE__)
#define EXPECT(condition) ::netring::test::expect_equal(static_cast<bool>(condition), true, #condition, __LINE__)

struct Test {
  const char* name;
  void (*run)();
};

template <size_t N>
int run_all(const Test (&tests)[N]) {
  int failed = 0;
  for (const Test& test : tests) {
    failure().clear();
    obstacle().clear();
    test.run();
    if (failure().empty() && !obstacle().empty()) {
      std::printf("skip %s %s\n", test.name, obstacle().c_str());
    } else if (failure().empty()) {
      std::printf("ok %s\n", test.name);
    } else {
      std::printf("not ok %s %s\n", test.name, failure().c_str());
      ++failed;
    }
  }
  return failed == 0 ? 0 : 1;
}

}  // namespace netring::test

#endif  // NETRING_TEST_CHECK_H_
