// What a probe has recorded. Hooks on tensors refer to it weakly: they may outlive the probe.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "rheo/nn/probe.hpp"

namespace rheo::nn::detail {

/// Which of a call's rows, steps, are recorded: first, first + every, ...
struct ProbedRows {
  std::int64_t first = 0, count = 0;
};

class ProbeStore {
 public:
  ProbeStore(const char* op, ProbeOptions options);

  void add_layer(std::string name);
  /// Counts the steps of a call.
  ProbedRows next_rows(std::size_t layer, std::int64_t steps);
  /// A value of one call; with `sequence` it has a row for each of the call's steps.
  void add(std::size_t layer, at::Tensor value, const ProbedRows& rows, bool sequence);
  void clear();

  bool listens() const { return enabled && attached; }
  /// Throws ValueError for a layer that is not monitored.
  std::size_t index_of(std::string_view layer) const;

  struct Layer {
    std::vector<std::size_t> places;  // among the records
    std::int64_t steps = 0;           // seen
    at::Tensor sum;                   // of what is kept, times its rows
    std::int64_t rows = 0;
  };

  const char* op;
  ProbeOptions options;
  std::vector<std::string> names;
  std::vector<Layer> layers;
  std::vector<ProbeRecord> records;
  bool enabled = true, attached = true;

 private:
  void add_to_mean(Layer& layer, const at::Tensor& value, bool sequence);
};

}  // namespace rheo::nn::detail
