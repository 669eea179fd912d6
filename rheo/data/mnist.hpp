// MNIST: 28 x 28 grey images of handwritten digits (Y. LeCun, C. Cortes, C. Burges), from its IDX files.
//   auto mnist = std::make_shared<rheo::data::Mnist>(rheo::data::find_mnist());
//   rheo::data::Loader train(mnist, mnist->split().train);                      // batch.x [B, 1, 28, 28] in [0, 1]
//   rheo::data::Split split = rheo::data::hold_out(mnist->split(), 1000);       // with a validation part
#pragma once

#include "rheo/core/export.hpp"
#include "rheo/data/dataset.hpp"
#include "rheo/data/split.hpp"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace rheo::data {

/// The folder of the IDX files. Looks in `data` where given, else in $RHEOBASE_DATA/mnist, then in data/mnist; in each
/// for the files themselves, then in its folders mnist, MNIST/raw (torchvision's) and raw.
/// Errors: RuntimeError naming the folders it looked in.
[[nodiscard]] RHEO_API std::filesystem::path find_mnist(const std::filesystem::path& data = {});

/// The split used where there are only the t10k files: 9 parts for training, 1 for the test, by
/// permutation(size, 10000). That of 10,000 images lies in the source tree and in the installed package as
/// mnist_t10k_split.json, {"train": [9000 indices], "test": [1000 indices]}, so that other libraries train on the same.
[[nodiscard]] RHEO_API Split mnist_t10k_split(std::int64_t size = 10000);

/// Files: {train,t10k}-images-idx3-ubyte and -labels-idx1-ubyte, or .idx3-ubyte and .idx1-ubyte, each also with .gz.
/// With all four, samples 0 .. 59,999 are the training files' and 60,000 .. 69,999 the t10k files'. 8 bits a pixel are kept.
class RHEO_API Mnist : public Dataset {
 public:
  /// Errors: RuntimeError naming the file or folder: absent, damaged (see read_idx), images other than 28 x 28,
  /// labels and images of different counts, a label above 9.
  explicit Mnist(const std::filesystem::path& folder);

  [[nodiscard]] std::int64_t size() const override;
  [[nodiscard]] std::int64_t classes() const override { return 10; }
  [[nodiscard]] std::vector<std::int64_t> sample_shape() const override { return {1, 28, 28}; }
  [[nodiscard]] bool is_sequence() const override { return false; }
  /// x: [B, 1, 28, 28], pixel / 255.
  [[nodiscard]] Batch batch(std::span<const std::int64_t> indices) const override;

  /// Training and test as the files have it, or mnist_t10k_split.
  [[nodiscard]] const Split& split() const { return split_; }
  /// A sentence for the user where something is not as usual (only the t10k files there), else empty.
  [[nodiscard]] const std::string& note() const { return note_; }

 private:
  at::Tensor images_;  // uint8 [size, 28, 28]
  at::Tensor labels_;  // uint8 [size]
  Split split_;
  std::string note_;
};

}  // namespace rheo::data
