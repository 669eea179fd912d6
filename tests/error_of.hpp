// The message of the error that a call throws.
//   EXPECT_EQ(error_of<rheo::ValueError>([&] { lif->forward(x); }), "[Leaky] x must be ...");
#pragma once

#include <exception>
#include <string>

namespace rheo::test {

/// What the error of type E says; else that there was another one, or none.
template <class E, class F>
std::string error_of(F&& call) {
  try {
    call();
  } catch (const E& error) {
    return error.what();
  } catch (const std::exception& error) {
    return std::string("of another type: ") + error.what();
  }
  return "no error";
}

}  // namespace rheo::test
