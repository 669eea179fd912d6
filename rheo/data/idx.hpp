// IDX, the file format of MNIST (Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits").
// Two zero bytes, element type, number of dimensions, the sizes as big-endian 32-bit numbers, then the elements.
//   at::Tensor images = rheo::data::read_idx("t10k-images-idx3-ubyte.gz");   // uint8 [10000, 28, 28]
#pragma once

#include "rheo/core/export.hpp"

#include <ATen/core/Tensor.h>

#include <filesystem>

namespace rheo::data {

/// The bytes of an IDX file, plain or compressed by gzip (told apart by content, not by name): uint8, 1 to 8 dimensions.
/// Errors: RuntimeError naming the file, and the byte where it is known, for a file that is absent, foreign, cut,
/// damaged or too long, promises more elements than it holds, or has elements other than unsigned bytes.
[[nodiscard]] RHEO_API at::Tensor read_idx(const std::filesystem::path& file);

}  // namespace rheo::data
