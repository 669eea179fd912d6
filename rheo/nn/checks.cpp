#include "rheo/nn/detail/checks.hpp"

#include <cmath>

#include "rheo/ops/error.hpp"

namespace rheo::nn::detail {

void check_domain(const std::string& kind, std::string_view name, Domain domain, double v) {
  const auto refuse = [&](const char* rule) {
    throw ValueError(c10::str("[", kind, "] ", name, " must be ", rule, ", got ", v));
  };
  if (domain == Domain::positive) {
    if (!(v > 0) || std::isinf(v)) refuse("positive and finite");
  } else if (domain == Domain::decay) {
    if (!(v > 0 && v <= 1)) refuse("in (0, 1]");
  } else if (!std::isfinite(v)) {
    refuse("finite");
  }
}

void check_positive(std::string_view kind, std::string_view name, std::int64_t value) {
  if (value < 1) throw ValueError(c10::str("[", kind, "] ", name, " must be positive, got ", value));
}

std::vector<double> numbers(const at::Tensor& t) {
  const auto flat = t.detach().to(at::kCPU, at::kDouble).reshape({-1}).contiguous();
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

bool broadcasts(at::IntArrayRef sizes, at::IntArrayRef row) {
  if (sizes.size() > row.size()) return false;
  for (std::size_t d = 1; d <= sizes.size(); ++d) {
    const auto have = sizes[sizes.size() - d];
    if (have != 1 && have != row[row.size() - d]) return false;
  }
  return true;
}

void refuse_shape(const std::string& kind, std::string_view name, at::IntArrayRef sizes,
                  at::IntArrayRef row) {
  if (sizes.size() == 1 && !row.empty()) {
    throw ValueError(
        c10::str("[", kind, "] ", name, " must have 1 or ", row.back(), " elements, got ", sizes[0]));
  }
  throw ValueError(
      c10::str("[", kind, "] ", name, " must broadcast with one step of x, ", row, ", got ", sizes));
}

Stamp stamp_of(at::ArrayRef<at::Tensor> tensors) {
  Stamp stamp;
  for (const auto& t : tensors) {
    stamp.emplace_back(t.unsafeGetTensorImpl(),
                       t.is_inference() ? 0 : static_cast<std::uint64_t>(t._version()));
    stamp.emplace_back(t.const_data_ptr(), 0);
  }
  return stamp;
}

}  // namespace rheo::nn::detail
