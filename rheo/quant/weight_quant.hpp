// Quantised weights: integers of 8, 4, 2 bits or signs, times a scale per channel or per tensor. Gradients pass straight
// through, so that a network learns weights that survive it.
//   const rheo::quant::WeightQuant quantise({.num_bits = 4});
//   auto y = rheo::ops::linear(x, quantise(fc->weight), fc->bias);   // or rheo::nn::QuantLinear
//   auto stored = quantise.integers(fc->weight);                     // int8 values, scale, zero_point
//
// out = (q - zero_point) scale with q = clamp(round(w / scale) + zero_point, lowest, highest), after Jacob et al. 2018,
// "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference". The gradient is that of
// out where the rounded weight is within the range, and 0 outside.
// One bit is XNOR-Net's (Rastegari et al. 2016): out = scale sign(w), scale = mean |w|, which is least squares, and the
// gradient is that of out times (1/n + scale [|w| <= 1]) for a scale over n weights; sign(0) = 1.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "rheo/core/export.hpp"

namespace rheo::quant {

/// How far the range of integers reaches.
enum class Calibration {
  min_max,             // to the largest weight: nothing is clipped
  percentile,          // to a percentile of the weights: outliers are clipped
  mean_squared_error,  // the best of 100 ranges, 1 to 100 % of min_max
};

struct WeightQuantOptions {
  int num_bits = 8;         // 1 to 8; 1 is binary
  bool per_channel = true;  // a scale for each index of dimension 0, else one
  bool symmetric =
      true;  // integers from -(2^(num_bits-1) - 1), zero_point 0; else from -2^(num_bits-1), any zero_point
  Calibration calibration = Calibration::min_max;  // unused where binary
  double percentile =
      99.9;  // of |w|, above 50; not symmetric: both ends, 100 - percentile and percentile of w
};

/// Weights as they are stored.
struct QuantisedWeight {
  at::Tensor values;      // int8, the shape of the weight
  at::Tensor scale;       // [channels] or [1], the type of the weight
  at::Tensor zero_point;  // like scale, int32

  /// (values - zero_point) scale, the bits that WeightQuant gives.
  RHEO_API at::Tensor dequantised() const;
};

/// A weight quantiser, as a value. Scales follow the weights from call to call until `calibrate` fixes them. Safe to share
/// between threads, `calibrate` aside.
class RHEO_API WeightQuant {
 public:
  /// Throws ValueError for num_bits and percentile out of range, and for binary weights that are not symmetric.
  explicit WeightQuant(const WeightQuantOptions& options = {});

  /// w [channels, ...], float32 or float64 on the CPU: the same shape and type. Throws ValueError for a weight that is not
  /// finite, without channels, or with others than those calibrated; TypeError for another type.
  at::Tensor operator()(const at::Tensor& w) const;
  QuantisedWeight integers(const at::Tensor& w) const;

  /// From now on scale and zero_point are those of `observed`: the weights of now, or any data with their channels.
  void calibrate(const at::Tensor& observed);
  bool is_calibrated() const { return scale_.defined(); }

  const WeightQuantOptions& options() const { return options_; }

 private:
  struct Grid {
    at::Tensor scale, zero;  // [channels] or [1], the type of the weight
  };
  Grid grid_of(const at::Tensor& w) const;
  Grid checked_grid(const at::Tensor& w) const;
  at::Tensor out_of(const at::Tensor& w, const Grid& grid) const;

  WeightQuantOptions options_;
  at::Tensor scale_, zero_;  // once calibrated, float64

  friend struct WeightQuantFunction;
};

}  // namespace rheo::quant
