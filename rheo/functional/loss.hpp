// Losses of a classifier over time, with snnTorch's names and values. rec [T, B, C], targets [B] int64 in [0, C).
//   auto rec = net->record_last(x);
//   auto loss = rheo::functional::ce_membrane_loss(rec.last().mem, targets);   // tutorial 5's
// One kernel forward and one backward, whatever T. p = softmax over the C classes; NLL = -log p[target].
// float32 and float64 on the CPU; rec of another kind is a TypeError. Keeps rec and B (T B over steps) numbers.
#pragma once

#include <ATen/core/Tensor.h>

#include "rheo/core/export.hpp"

namespace rheo::functional {

enum class Reduction { mean, sum, none };

struct CrossEntropyOptions {
  at::Tensor weight{};                    // [C]: factor of a sample by its class; ones if not given
  Reduction reduction = Reduction::mean;  // over the batch: the plain mean, also with weights
};

/// Mean over time of NLL(rec[t]): of spikes (snnTorch's ce_rate_loss) or membranes.
RHEO_API at::Tensor ce_rate_loss(const at::Tensor& rec, const at::Tensor& targets,
                                 const CrossEntropyOptions& options = {});
/// Sum over time of NLL(rec[t]): on membranes, the loss of snnTorch's tutorials 5 to 7.
RHEO_API at::Tensor ce_membrane_loss(const at::Tensor& rec, const at::Tensor& targets,
                                     const CrossEntropyOptions& options = {});
/// NLL of the spike counts, the sum over time.
RHEO_API at::Tensor ce_count_loss(const at::Tensor& rec, const at::Tensor& targets,
                                  const CrossEntropyOptions& options = {});
/// NLL of the highest membrane over time. The gradient goes to the first step that reaches it.
RHEO_API at::Tensor ce_max_membrane_loss(const at::Tensor& rec, const at::Tensor& targets,
                                         const CrossEntropyOptions& options = {});

}  // namespace rheo::functional
