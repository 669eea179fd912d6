// Errors of ours on their way to Python: torch knows the exceptions of c10 only, and turns all others into RuntimeError.
//   m.impl("window", TORCH_FN(for_python<window_op>));      // ValueError stays ValueError, TypeError TypeError
#pragma once

#include <c10/util/Exception.h>

#include <utility>

#include "rheo/ops/error.hpp"

namespace rheo::ops {
namespace detail {

template <auto function, class R, class... A>
struct ForPython {
  static R call(A... a) {
    try {
      return function(std::forward<A>(a)...);
    } catch (const ValueError& e) {
      C10_THROW_ERROR(ValueError, e.what());
    } catch (const TypeError& e) {
      C10_THROW_ERROR(TypeError, e.what());
    }
  }
};
template <auto function, class R, class... A>
constexpr auto for_python_of(R (*)(A...)) {
  return &ForPython<function, R, A...>::call;
}

}  // namespace detail

/// The function with its errors translated, as a function pointer of the same type.
template <auto function>
inline constexpr auto for_python = detail::for_python_of<function>(function);

}  // namespace rheo::ops
