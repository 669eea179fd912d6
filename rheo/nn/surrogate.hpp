// Surrogate gradients by name, with snnTorch's names and defaults; the formulas are in rheo/core/surrogates.hpp.
//   rheo::nn::Leaky lif({.beta = 0.9, .spike_grad = rheo::surrogate::fast_sigmoid(10)});
//   auto mine = rheo::surrogate::custom([](auto u, auto grad, auto spk) { return grad / (1 + u.abs()); });
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rheo/core/export.hpp"
#include "rheo/core/surrogates.hpp"
#include "rheo/ops/neuron_entry.hpp"

namespace rheo {

/// The call of a stochastic surrogate that has no seed yet, with one from libtorch's generator (zero where no gradients are
/// recorded: nothing is drawn for nothing); any other call as it is.
RHEO_API SurrogateCall with_seed(SurrogateCall call);

/// A spike function: H(u) forward, its own gradient backward. The default is atan(2).
class RHEO_API Surrogate {
 public:
  Surrogate() = default;
  explicit Surrogate(SurrogateCall call) : call_(call) {}
  /// gradient(u, incoming gradient, spike) -> gradient of u. Runs on the reference path.
  explicit Surrogate(ops::SpikeGradient gradient) : gradient_(std::move(gradient)) {}

  /// By name, arguments by name: by_name("fast_sigmoid", {{"slope", 10}}). Throws ValueError for unknown names.
  static Surrogate by_name(std::string_view name,
                           const std::vector<std::pair<std::string, double>>& args = {});
  static std::vector<std::string> names();

  /// The names of those whose slope can be learned.
  static std::vector<std::string> names_with_slope();

  const SurrogateCall& call() const { return call_; }
  /// The value of the argument that can be learned (options.learn_slope), if there is one.
  std::optional<double> slope() const;
  const ops::SpikeGradient& gradient() const { return gradient_; }
  bool is_custom() const { return static_cast<bool>(gradient_); }
  /// "atan(alpha=2)", "custom"
  std::string to_string() const;

  /// Applies it: spikes of u [...], with this surrogate's gradient.
  at::Tensor operator()(const at::Tensor& u) const { return ops::spike(u, with_seed(call_), gradient_); }

 private:
  SurrogateCall call_;
  ops::SpikeGradient gradient_;
};

namespace surrogate {

inline Surrogate make(SurrogateKind kind, double a = 0, double b = 0, double c = 0) {
  return Surrogate(SurrogateCall{kind, {a, b, c}});
}
inline Surrogate atan(double alpha = 2) { return make(SurrogateKind::atan, alpha); }
inline Surrogate straight_through_estimator() { return make(SurrogateKind::straight_through_estimator); }
inline Surrogate triangular(double threshold = 1) { return make(SurrogateKind::triangular, threshold); }
inline Surrogate fast_sigmoid(double slope = 25) { return make(SurrogateKind::fast_sigmoid, slope); }
inline Surrogate heaviside() { return make(SurrogateKind::heaviside); }
inline Surrogate sigmoid(double slope = 25) { return make(SurrogateKind::sigmoid, slope); }
inline Surrogate spike_rate_escape(double beta = 1, double slope = 25) {
  return make(SurrogateKind::spike_rate_escape, beta, slope);
}
inline Surrogate SFS(double slope = 25, double B = 1) { return make(SurrogateKind::SFS, slope, B); }
inline Surrogate LSO(double slope = 0.1) { return make(SurrogateKind::LSO, slope); }
/// Noise from [-1/2, 1/2) + mean, times variance, where no spike is. Without a seed it is other noise at every call.
inline Surrogate SSO(double mean = 0, double variance = 0.2, std::optional<std::uint32_t> seed = {}) {
  return make(SurrogateKind::SSO, mean, variance, seed ? static_cast<double>(*seed) : -1);
}
inline Surrogate super_spike(double alpha = 100) { return make(SurrogateKind::super_spike, alpha); }
inline Surrogate gaussian(double sigma = 0.5) { return make(SurrogateKind::gaussian, sigma); }
inline Surrogate multi_gaussian(double sigma = 0.5, double s = 6, double h = 0.15) {
  return make(SurrogateKind::multi_gaussian, sigma, s, h);
}
inline Surrogate piecewise_linear(double gamma = 0.3, double width = 1) {
  return make(SurrogateKind::piecewise_linear, gamma, width);
}
inline Surrogate log_tailed_relu(double alpha = 0) { return make(SurrogateKind::log_tailed_relu, alpha); }
inline Surrogate custom(ops::SpikeGradient gradient) { return Surrogate(std::move(gradient)); }

}  // namespace surrogate
}  // namespace rheo
