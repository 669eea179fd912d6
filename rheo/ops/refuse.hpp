// Throws an error of ours, text `[op] argument rule, got value`.
//   if (tau <= 0) refuse("latency", "tau must be above 0, got ", tau);   // a ValueError; refuse<TypeError>(...) another
#pragma once

#include <c10/util/StringUtil.h>

#include "rheo/ops/error.hpp"

namespace rheo::ops {

template <class E = ValueError, class... Args>
[[noreturn]] void refuse(const char* op, const Args&... args) {
  throw E(c10::str('[', op, "] ", args...));
}

}  // namespace rheo::ops
