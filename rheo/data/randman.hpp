// Randman: smooth random manifolds as spike times (F. Zenke, T. P. Vogels, "The remarkable robustness of surrogate
// gradient learning ...", Neural Computation 33, 2021). Spike timing alone carries the class. No files.
//   f(x) = sum_{i < F} theta[0][i] s_i sin(2 pi (i x theta[1][i] + theta[2][i])),  s_i = (i + 1)^-alpha
//   auto randman = std::make_shared<rheo::data::Randman>(rheo::data::RandmanOptions{.alpha = 1});
//   rheo::data::Loader train(randman, randman->split().train, {.batch_size = 250});    // batch.x [T, B, U]
#pragma once

#include "rheo/core/export.hpp"
#include "rheo/data/dataset.hpp"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

namespace rheo::data {

/// s_i: numpy (i + 1)^-alpha, torch 1 / ((i + 1)^alpha + 1). The two public generators differ in it.
enum class Spectrum { numpy, torch };

struct RandmanOptions {
  std::int64_t classes = 10;
  std::int64_t units = 20;
  std::int64_t dimensions = 1;  ///< D of the manifold
  double alpha = 2;             ///< smoothness, above 0; 1 is hard. F = min(ceil(0.001^(-1/alpha)), 1000)
  std::int64_t spikes = 1;      ///< of each unit in each sample
  std::int64_t steps = 100;     ///< T
  double step_fraction = 0.5;   ///< spikes fall into steps 0 .. T step_fraction, above 0, at most 1
  std::int64_t samples = 1000;  ///< of each class
  std::uint64_t seed = 0;
  Spectrum spectrum = Spectrum::numpy;
};

/// A random manifold for every (class, spike number): unit u lies at the product over d of f_{u,d}(x_d), with x drawn from
/// [0, 1)^D for each sample. Scaled to [0, 1] over the samples of the class (1e-7 is added to the range), it is the time
/// of the spike: step floor(T step_fraction y).
/// Sample i is number i / classes of class i mod classes.
/// Draws are Philox words over 2^32: of step 5 2^56 word (m 3 + j) F + i for theta[j][i] of the function
/// m = ((class spikes + spike) units + unit) D + d, where theta[0][0] is set to 0; of step 6 2^56 word
/// (class samples + number) D + d for x. The arithmetic is double, and the same for any number of threads.
class RHEO_API Randman : public Dataset {
 public:
  /// Errors: ValueError for options out of range, or a set of more than 2^31 spikes or draws.
  explicit Randman(const RandmanOptions& options = {});

  [[nodiscard]] std::int64_t size() const override { return options_.classes * options_.samples; }
  [[nodiscard]] std::int64_t classes() const override { return options_.classes; }
  [[nodiscard]] std::vector<std::int64_t> sample_shape() const override {
    return {options_.steps, options_.units};
  }
  [[nodiscard]] bool is_sequence() const override { return true; }
  /// x: [T, B, U], 1 where a unit fires. Two spikes of a unit in one step make 2.
  [[nodiscard]] Batch batch(std::span<const std::int64_t> indices) const override;

  [[nodiscard]] const RandmanOptions& options() const { return options_; }
  /// int32 [size, spikes, U]: the steps at which the units fire.
  [[nodiscard]] const at::Tensor& times() const { return times_; }
  /// 0.8 / 0.1 / 0.1, by random_split with the set's seed.
  [[nodiscard]] Split split() const;

 private:
  RandmanOptions options_;
  at::Tensor times_;
};

}  // namespace rheo::data
