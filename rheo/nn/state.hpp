// A neuron's state, as a value: named tensors. It can be passed, returned, detached, saved and streamed on from.
//   auto out = lif->forward(x);  auto more = lif->forward(x2, out.state);
//   rheo::State start{{"mem", torch::full({1}, 0.5)}};
// Empty means fresh zeros. Copies share the tensors, as tensors do; clone() does not.
#pragma once

#include <ATen/core/Tensor.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rheo/core/export.hpp"

namespace rheo {

class RHEO_API State {
 public:
  using Entry = std::pair<std::string, at::Tensor>;

  State() = default;
  State(std::initializer_list<Entry> entries) : entries_(entries) {}
  explicit State(std::vector<Entry> entries) : entries_(std::move(entries)) {}

  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  bool contains(std::string_view name) const;
  /// Throws ValueError if there is no such state.
  const at::Tensor& operator[](std::string_view name) const;
  const at::Tensor& mem() const { return (*this)["mem"]; }
  std::vector<std::string> names() const;

  /// The same numbers without history.
  State detach() const;
  State clone() const;
  State to(at::Device device) const;
  State to(at::ScalarType dtype) const;

  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }

 private:
  std::vector<Entry> entries_;
};

}  // namespace rheo
