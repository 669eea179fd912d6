// Quantised states: every value becomes the nearest of 2^num_bits levels, the gradient passes as it is.
//   rheo::nn::Leaky lif({.beta = 0.9, .state_quant = {{.num_bits = 4}}});
//   auto q = rheo::quant::StateQuant({.num_bits = 2, .uniform = false})(x);   // x [...] -> [...]
// Levels lie between -threshold (1 + lower_limit) and threshold (1 + upper_limit): evenly, or denser towards the threshold.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <optional>
#include <string>

#include "rheo/core/export.hpp"

namespace rheo::quant {

/// num_bits      1 to 16
/// uniform       levels evenly spaced
/// thr_centered  not uniform: densest around the threshold, else around 0
/// threshold     positive
/// lower_limit   share of the threshold by which the range goes below -threshold
/// upper_limit   and above threshold
/// multiplier    not uniform: ratio of neighbouring gaps; by default it follows from num_bits
struct StateQuantOptions {
  int num_bits = 8;
  bool uniform = true;
  bool thr_centered = true;
  double threshold = 1;
  double lower_limit = 0;
  double upper_limit = 0.2;
  std::optional<double> multiplier{};
};

/// snnTorch's state_quant, as a value. Not given, it does nothing. Safe to share between threads.
class RHEO_API StateQuant {
 public:
  using Function = std::function<at::Tensor(const at::Tensor&)>;

  StateQuant() = default;
  /// Throws ValueError for options out of range, or that leave no two levels apart.
  StateQuant(const StateQuantOptions& options);
  /// A function of the user's, [...] -> [...], with whatever gradient it has.
  explicit StateQuant(Function function) : function_(std::move(function)) {}

  bool given() const { return levels_.defined() || function_; }
  /// The nearest level of each value, the lower of two as near. NaN stays NaN.
  at::Tensor operator()(const at::Tensor& x) const;
  /// Rising, [2^num_bits], float64. Undefined for a function of the user's.
  const at::Tensor& levels() const { return levels_; }

 private:
  at::Tensor levels_;
  at::Tensor borders_;  // between one level and the next, [2^num_bits - 1], float64
  Function function_;
};

}  // namespace rheo::quant
