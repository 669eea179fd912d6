// Small files in MNIST's format: each class is a bar at its own place, so that a network can tell them apart.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

namespace rheo::test {

inline std::string big_endian(std::uint32_t number) {
  return {static_cast<char>(number >> 24), static_cast<char>(number >> 16), static_cast<char>(number >> 8),
          static_cast<char>(number)};
}

inline std::string idx_images(std::uint32_t count) {
  std::string bytes = big_endian(0x803) + big_endian(count) + big_endian(28) + big_endian(28);
  for (std::uint32_t i = 0; i < count; ++i) {
    std::string image(28 * 28, '\0');
    const std::uint32_t column = i % 10 * 2 + 4;
    for (std::uint32_t row = 4; row < 24; ++row) {
      image[row * 28 + column] = '\xFF';
      image[row * 28 + column + 1] = static_cast<char>(100 + i % 50);
    }
    bytes += image;
  }
  return bytes;
}

inline std::string idx_labels(std::uint32_t count) {
  std::string bytes = big_endian(0x801) + big_endian(count);
  for (std::uint32_t i = 0; i < count; ++i) bytes += static_cast<char>(i % 10);
  return bytes;
}

inline void write_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

/// A folder with the two t10k files.
inline void write_idx_folder(const std::filesystem::path& folder, std::uint32_t count) {
  write_bytes(folder / "t10k-images-idx3-ubyte", idx_images(count));
  write_bytes(folder / "t10k-labels-idx1-ubyte", idx_labels(count));
}

}  // namespace rheo::test
