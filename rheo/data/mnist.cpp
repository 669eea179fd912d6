#include "rheo/data/mnist.hpp"

#include "rheo/data/detail/indices.hpp"
#include "rheo/data/idx.hpp"
#include "rheo/ops/error.hpp"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <numeric>
#include <optional>
#include <system_error>
#include <utility>

namespace rheo::data {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t side = 28;
constexpr std::int64_t pixels = side * side;

[[noreturn]] void fail(const fs::path& what, const std::string& text) {
  throw RuntimeError("[mnist] " + what.string() + ": " + text);
}

/// `name` is "t10k-images", `kind` "idx3-ubyte".
std::optional<fs::path> find_file(const fs::path& folder, const std::string& name, const std::string& kind) {
  for (const char* separator : {"-", "."}) {
    for (const char* ending : {"", ".gz"}) {
      fs::path file = folder / (name + separator + kind + ending);
      std::error_code error;
      if (fs::exists(file, error)) return file;
    }
  }
  return {};
}

/// The files of one part, "train" or "t10k".
struct Part {
  std::optional<fs::path> images, labels;

  Part(const fs::path& folder, const std::string& name)
      : images(find_file(folder, name + "-images", "idx3-ubyte")),
        labels(find_file(folder, name + "-labels", "idx1-ubyte")) {
    if (images && !labels)
      fail(folder, "holds " + name + "'s images but no " + name + "-labels-idx1-ubyte[.gz]");
    if (labels && !images)
      fail(folder, "holds " + name + "'s labels but no " + name + "-images-idx3-ubyte[.gz]");
  }
};

bool holds_mnist(const fs::path& folder) {
  for (const char* part : {"train", "t10k"}) {
    if (find_file(folder, std::string(part) + "-images", "idx3-ubyte")) return true;
    if (find_file(folder, std::string(part) + "-labels", "idx1-ubyte")) return true;
  }
  return false;
}

/// images [N, 28, 28], labels [N]
std::pair<at::Tensor, at::Tensor> read(const Part& part) {
  at::Tensor images = read_idx(*part.images);
  if (images.dim() != 3 || images.size(1) != side || images.size(2) != side || images.size(0) == 0) {
    fail(*part.images, "must hold images, N x 28 x 28, got " + c10::str(images.sizes()));
  }
  at::Tensor labels = read_idx(*part.labels);
  if (labels.dim() != 1)
    fail(*part.labels, "must hold labels, one dimension, got " + c10::str(labels.sizes()));
  if (labels.size(0) != images.size(0)) {
    fail(*part.labels, "must hold a label for each of the " + std::to_string(images.size(0)) + " images in " +
                           part.images->string() + ", got " + std::to_string(labels.size(0)));
  }
  const std::span values(labels.const_data_ptr<std::uint8_t>(), static_cast<std::size_t>(labels.numel()));
  const auto wrong = std::find_if(values.begin(), values.end(), [](std::uint8_t label) { return label > 9; });
  if (wrong != values.end()) {
    fail(*part.labels, "labels must be 0 to 9, got " + std::to_string(*wrong) + " at sample " +
                           std::to_string(wrong - values.begin()));
  }
  return {images, labels};
}

}  // namespace

fs::path find_mnist(const fs::path& data) {
  std::vector<fs::path> places;
  if (!data.empty()) {
    places.push_back(data);
  } else {
    if (const char* root = std::getenv("RHEOBASE_DATA"); root != nullptr && *root != '\0') {
      places.push_back(fs::path(root) / "mnist");
    }
    places.push_back(fs::path("data") / "mnist");
  }
  std::string looked;
  for (const fs::path& place : places) {
    for (const char* inside : {"", "mnist", "MNIST/raw", "raw"}) {
      fs::path folder = *inside == '\0' ? place : place / inside;
      if (holds_mnist(folder)) return folder;
    }
    std::error_code error;
    const char* state = !fs::exists(place, error)         ? " (does not exist)"
                        : !fs::is_directory(place, error) ? " (is no folder)"
                                                          : " (has no such file)";
    looked += (looked.empty() ? "" : ", ") + place.string() + state;
  }
  throw RuntimeError("[mnist] a folder with t10k-images-idx3-ubyte[.gz] and its like is needed, looked in " +
                     looked);
}

Split mnist_t10k_split(std::int64_t size) {
  const std::vector<std::int64_t> order = permutation(size, 10000);
  const auto test = order.end() - size / 10;
  return {{order.begin(), test}, {}, {test, order.end()}};
}

Mnist::Mnist(const fs::path& folder) {
  std::error_code error;
  if (!fs::exists(folder, error)) fail(folder, "does not exist");
  if (!fs::is_directory(folder, error)) fail(folder, "must be a folder");
  const Part train(folder, "train");
  const Part t10k(folder, "t10k");
  if (!t10k.images) fail(folder, "holds no t10k-images-idx3-ubyte[.gz]");

  std::tie(images_, labels_) = read(t10k);
  if (!train.images) {
    split_ = mnist_t10k_split(size());
    note_ = "Only MNIST's t10k files are in " + folder.string() + ": its " + std::to_string(size()) +
            " images are split, " + std::to_string(split_.train.size()) + " to train and " +
            std::to_string(split_.test.size()) + " to test, by a fixed permutation.";
    return;
  }
  const auto [images, labels] = read(train);
  images_ = at::cat({images, images_});
  labels_ = at::cat({labels, labels_});
  split_.train.resize(static_cast<std::size_t>(images.size(0)));
  split_.test.resize(static_cast<std::size_t>(images_.size(0) - images.size(0)));
  std::iota(split_.train.begin(), split_.train.end(), std::int64_t{0});
  std::iota(split_.test.begin(), split_.test.end(), images.size(0));
}

std::int64_t Mnist::size() const { return labels_.size(0); }

Batch Mnist::batch(std::span<const std::int64_t> indices) const {
  static const std::array<float, 256> grey = [] {
    std::array<float, 256> values{};
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) / 255.0F;
    return values;
  }();
  detail::check_indices("mnist", indices, size());
  const auto count = static_cast<std::int64_t>(indices.size());
  Batch out{at::empty({count, 1, side, side}, at::kFloat),
            at::empty({count}, at::kLong),
            {indices.begin(), indices.end()}};
  float* x = out.x.mutable_data_ptr<float>();
  std::int64_t* y = out.y.mutable_data_ptr<std::int64_t>();
  const std::uint8_t* images = images_.const_data_ptr<std::uint8_t>();
  const std::uint8_t* labels = labels_.const_data_ptr<std::uint8_t>();
  for (const std::int64_t index : indices) {
    x = std::transform(images + index * pixels, images + (index + 1) * pixels, x,
                       [](std::uint8_t v) { return grey[v]; });
    *y++ = labels[index];
  }
  return out;
}

}  // namespace rheo::data
