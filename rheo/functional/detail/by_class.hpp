// What a loss wants of each output, from the classes of the samples.
#pragma once

#include <ATen/core/Tensor.h>

namespace rheo::functional::detail {

/// [B, C]: `on` at the target's class, `off` elsewhere. targets [B] int64 within [0, classes); others are an error of `name`.
at::Tensor by_class(const char* name, const at::Tensor& targets, std::int64_t batch, std::int64_t classes,
                    double on, double off, at::ScalarType type);

}  // namespace rheo::functional::detail
