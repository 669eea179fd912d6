// Checks of parameter values and shapes.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "rheo/core/info.hpp"

namespace rheo::nn::detail {

/// Throws ValueError for a value outside of its domain.
void check_domain(const std::string& kind, std::string_view name, Domain domain, double v);

/// Throws ValueError for a size below 1.
void check_positive(std::string_view kind, std::string_view name, std::int64_t value);

/// The values of a small tensor, in double.
std::vector<double> numbers(const at::Tensor& t);

/// Whether a parameter of these sizes broadcasts with the trailing dimensions `row` without making it larger.
bool broadcasts(at::IntArrayRef sizes, at::IntArrayRef row);

/// The error for a parameter that does not.
[[noreturn]] void refuse_shape(const std::string& kind, std::string_view name, at::IntArrayRef sizes,
                               at::IntArrayRef row);

/// Which values a check has seen: tensors, versions, memory. Equal stamps: nothing has changed since.
using Stamp = std::vector<std::pair<const void*, std::uint64_t>>;
Stamp stamp_of(at::ArrayRef<at::Tensor> tensors);

}  // namespace rheo::nn::detail
