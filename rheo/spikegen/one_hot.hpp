// Classes as one-hot rows, and back.
//   auto y = rheo::spikegen::to_one_hot(labels, 10);   // [B] int64 -> [B, 10] float32
#pragma once

#include <ATen/core/Tensor.h>

#include "rheo/core/export.hpp"

namespace rheo::spikegen {

/// targets [B] int64 in [0, num_classes) -> [B, num_classes] float32. ValueError names the target that is not.
RHEO_API at::Tensor to_one_hot(const at::Tensor& targets, std::int64_t num_classes);
/// 1 where x is 0, else 0; in x's type.
RHEO_API at::Tensor to_one_hot_inverse(const at::Tensor& x);
/// The class of every row of x [B, C], [B] int64: where its 1 is. Of a vector, the positions of its ones. A row with no 1 or
/// with several is a ValueError.
RHEO_API at::Tensor from_one_hot(const at::Tensor& x);

}  // namespace rheo::spikegen
