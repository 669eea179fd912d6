#include "app/image.hpp"

#include "app/exit_code.hpp"
#include "app/numbers.hpp"
#include "rheo/data/mnist.hpp"

#include <png.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>

namespace rheo::app {
namespace {

constexpr std::size_t most_pixels = std::size_t{1} << 26;

}  // namespace

bool is_png(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored))
    throw UsageError("\"" + path + "\" is a folder; give an image or a CSV file");
  const auto status = std::filesystem::status(path, ignored);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
    return false;  // a pipe is read once
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Failure("cannot read \"" + path + "\": " + std::strerror(errno));
  std::array<char, 8> first{};
  file.read(first.data(), first.size());
  const std::string_view bytes(first.data(), static_cast<std::size_t>(file.gcount()));
  if (bytes == "\x89PNG\r\n\x1A\n") return true;
  if (bytes.find('\0') != std::string_view::npos || bytes.starts_with("\xFF\xD8") ||
      bytes.starts_with("GIF8"))
    throw UsageError("\"" + path + "\" is neither a PNG image nor a CSV file");
  return false;
}

Image read_png(const std::string& path) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  const auto wrong = [&] { return UsageError("\"" + path + "\" is no good PNG image: " + png.message); };
  if (png_image_begin_read_from_file(&png, path.c_str()) == 0) throw wrong();
  const std::size_t pixels = std::size_t{png.width} * png.height;
  if (pixels > most_pixels) {
    png_image_free(&png);
    throw UsageError("\"" + path + "\" must have at most " + std::to_string(most_pixels) + " pixels, got " +
                     std::to_string(pixels));
  }
  png.format = PNG_FORMAT_GRAY;
  std::vector<png_byte> bytes(pixels);
  const png_color black{};
  if (png_image_finish_read(&png, &black, bytes.data(), 0, nullptr) == 0) throw wrong();
  Image image{.height = png.height, .width = png.width};
  for (const png_byte byte : bytes) image.values.push_back(static_cast<float>(byte) / 255);
  return image;
}

Image mnist_image(const std::string& index, const std::optional<std::string>& folder) {
  const data::Mnist mnist(data::find_mnist(folder.value_or("")));
  const auto last = static_cast<std::uint64_t>(mnist.size() - 1);
  const auto n = static_cast<std::int64_t>(whole_number("--mnist", index, last));
  const auto x = mnist.batch(std::span<const std::int64_t>(&n, 1)).x;
  const float* pixel = x.const_data_ptr<float>();
  return {.height = 28, .width = 28, .values = {pixel, pixel + x.numel()}};
}

}  // namespace rheo::app
