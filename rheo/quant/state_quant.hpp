// Quantised states: every value becomes the nearest of 2^num_bits levels, the gradient passes as it is.
//   rheo::nn::Leaky lif({.beta = 0.9, .state_quant = {{.num_bits = 4}}});
//   auto q = rheo::quant::StateQuant({.num_bits = 2, .uniform = false})(x);   // x [...] -> [...]
// Levels lie between -threshold (1 + lower_limit) and threshold (1 + upper_limit): evenly, or denser towards the threshold.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <optional>
#include <string>
#include <tuple>

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
  /// The nearest level of each value, the lower of two as near. NaN stays NaN. float32 and float64 on the CPU take one
  /// kernel, whose work for a value is constant where levels are uniform, else num_bits comparisons.
  at::Tensor operator()(const at::Tensor& x) const;
  /// Rising, [2^num_bits], float64. Undefined for a function of the user's.
  const at::Tensor& levels() const { return levels_; }
  /// What the kernel reads: levels; their borders, [2^num_bits + 1], NaN at both ends; and of levels evenly apart the
  /// lowest and how many there are in 1, else 0.
  std::tuple<at::Tensor, at::Tensor, double, double> tables() const {
    return {levels_, edges_, low_, per_step_};
  }

 private:
  at::Tensor nearest(const at::Tensor& x) const;

  at::Tensor levels_;
  at::Tensor
      edges_;  // level k is that of values in (edges[k], edges[k+1]]; NaN at both ends. [2^num_bits + 1], float64
  at::Tensor levels_float_, edges_float_;
  double low_ = 0, per_step_ = 0;  // per_step > 0: levels[k] is low + k / per_step
  Function function_;
};

}  // namespace rheo::quant
