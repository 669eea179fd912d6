// Random changes of images for training, drawn for each (seed, epoch, sample): the same for any number of workers.
//   rheo::data::LoaderOptions options{.transform = rheo::data::random_affine({.degrees = 10, .shift = 2})};
//   options.transform = rheo::data::chain({rheo::data::random_shift(2), mine});
// They take batches of images, float32 [B, C, H, W]; all channels of an image move alike, 0 fills what comes in.
#pragma once

#include "rheo/core/export.hpp"
#include "rheo/data/loader.hpp"

#include <cstdint>
#include <vector>

namespace rheo::data {

/// Moves each image by whole pixels, along each axis one of -pixels .. pixels.
/// Errors: ValueError for pixels < 0; from the transform, ValueError for x that is no batch of images.
[[nodiscard]] RHEO_API Transform random_shift(std::int64_t pixels);

struct AffineOptions {
  double degrees = 0;    ///< rotation about the centre, from -degrees to degrees
  double scale_min = 1;  ///< size of the picture, from scale_min to scale_max; 1 keeps it
  double scale_max = 1;
  double shift = 0;  ///< pixels, along each axis from -shift to shift
};

/// Rotates, scales and moves each image, all three drawn evenly; reads between pixels by bilinear interpolation.
/// Errors: as random_shift, for values that are negative, not finite or, the scales, 0 or in the wrong order.
[[nodiscard]] RHEO_API Transform random_affine(const AffineOptions& options);

/// One after the other.
[[nodiscard]] RHEO_API Transform chain(std::vector<Transform> transforms);

}  // namespace rheo::data
