// Grey values of an image in a file, and of one of MNIST's.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace rheo::app {

struct Image {
  std::size_t height = 0, width = 0;
  std::vector<float> values{};  // [height, width], 0 black to 1 white
};

/// Whether the file begins as a PNG does, whatever its name; a pipe does not. Failure if it cannot be read.
[[nodiscard]] bool is_png(const std::string& path);

/// Colours become their luminance; what is transparent lies on black. UsageError if the file is damaged or too large.
[[nodiscard]] Image read_png(const std::string& path);

/// UsageError if there is no such image, Failure without MNIST's files (`folder`: as data::find_mnist takes it).
[[nodiscard]] Image mnist_image(const std::string& index, const std::optional<std::string>& folder);

}  // namespace rheo::app
