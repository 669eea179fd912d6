// The number type of a tensor as a type.
//   return by_type(x, [&]<class T>(T) { return run(x.const_data_ptr<T>()); });   // x float32 or float64
#pragma once

#include <ATen/core/Tensor.h>

namespace rheo::ops {

/// f(float{}) or f(double{}), as x is. x must be one of the two.
template <class F>
auto by_type(const at::Tensor& x, F f) {
  return x.scalar_type() == at::kDouble ? f(double{}) : f(float{});
}

}  // namespace rheo::ops
