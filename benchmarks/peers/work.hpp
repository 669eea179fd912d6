// A work that run.py times, and the raw files that all programs share.
#pragma once

#include <ATen/ops/empty.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <istream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace peers {

using Numbers = std::vector<std::pair<std::string, double>>;

inline at::Tensor read(const std::filesystem::path& file, at::IntArrayRef sizes,
                       at::ScalarType dtype = at::kFloat) {
  auto out = at::empty(sizes, dtype);
  std::ifstream in(file, std::ios::binary);
  in.read(static_cast<char*>(out.mutable_data_ptr()), static_cast<std::streamsize>(out.nbytes()));
  if (!in) throw std::runtime_error("cannot read " + file.string());
  return out;
}

inline void write(const std::filesystem::path& file, const at::Tensor& tensor) {
  const auto whole = tensor.detach().contiguous();
  std::ofstream out(file, std::ios::binary);
  out.write(static_cast<const char*>(whole.const_data_ptr()), static_cast<std::streamsize>(whole.nbytes()));
  if (!out.flush()) throw std::runtime_error("cannot write " + file.string());
}

/// A work: `once` does it, results freed; `check` does it once, writes or returns what other programs must agree with.
struct Work {
  std::function<void()> once;
  std::function<Numbers()> check;
};

/// A plain function by the name it has in peers.py.
Work call(const std::filesystem::path& folder, std::istream& words);

}  // namespace peers
