// What a data set is: numbered samples that can be asked for in batches.
//   std::shared_ptr<const rheo::data::Dataset> set = std::make_shared<rheo::data::Randman>();
//   const std::vector<std::int64_t> which{0, 7, 42};
//   rheo::data::Batch batch = set->batch(which);   // batch.x [T, 3, U], batch.y [3]
#pragma once

#include "rheo/core/export.hpp"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

namespace rheo::data {

/// Some samples with their labels.
struct Batch {
  at::Tensor x;  ///< float32: spikes [T, B, ...], time first, or images [B, C, H, W] in [0, 1]
  at::Tensor y;  ///< int64 [B]: the class of each sample
  std::vector<std::int64_t> indices;  ///< B numbers: which samples these are
};

/// Samples 0 .. size() - 1 of `classes()` classes. A data set does not change once it is made, and all of its
/// functions may be called from several threads at once.
class RHEO_API Dataset {
 public:
  virtual ~Dataset() = default;
  [[nodiscard]] virtual std::int64_t size() const = 0;
  [[nodiscard]] virtual std::int64_t classes() const = 0;
  /// Shape of one sample: {T, U} for spikes, {C, H, W} for images.
  [[nodiscard]] virtual std::vector<std::int64_t> sample_shape() const = 0;
  /// True where x is a sequence, [T, B, ...].
  [[nodiscard]] virtual bool is_sequence() const = 0;
  /// These samples, in this order; a sample may be named twice. The tensors belong to the caller.
  /// Errors: ValueError for an index outside 0 .. size() - 1.
  [[nodiscard]] virtual Batch batch(std::span<const std::int64_t> indices) const = 0;
};

/// Which samples are for what.
struct Split {
  std::vector<std::int64_t> train, validation, test;
};

}  // namespace rheo::data
