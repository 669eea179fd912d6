// Losses of a classifier over time, with snnTorch's names and values. rec [T, B, C], targets [B] int64 in [0, C).
//   auto rec = net->record_last(x);
//   auto loss = rheo::functional::ce_membrane_loss(rec.last().mem, targets);   // tutorial 5's
// Cross-entropy is one kernel forward and one backward, whatever T. p = softmax over the C classes; NLL = -log p[target].
// float32 and float64 on the CPU; rec of another kind is a TypeError. Keeps rec and B (T B over steps) numbers.
// Population codes: N = K num_classes outputs, K neighbours for each class, whose spikes are added up.
// A weight [C] is a factor of each sample, by its target. Reduced losses have shape [].
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "rheo/core/export.hpp"

namespace rheo::functional {

enum class Reduction { mean, sum, none };

struct CrossEntropyOptions {
  at::Tensor weight{};                    // [C]: factor of a sample by its class; ones if not given
  Reduction reduction = Reduction::mean;  // over the batch: the plain mean, also with weights
  bool population_code = false;           // ce_rate_loss and ce_count_loss
  std::int64_t num_classes = 0;           // with population_code
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

struct MseCountOptions {
  double correct_rate = 1;  // spikes per step wanted of the target; T times it is cut to a whole number
  double incorrect_rate = 0;
  bool population_code = false;
  std::int64_t num_classes = 0;
  at::Tensor weight{};  // [C]
  Reduction reduction = Reduction::mean;
};
/// (n - wanted)^2 / T of the spike counts n [B, C].
RHEO_API at::Tensor mse_count_loss(const at::Tensor& spk, const at::Tensor& targets,
                                   const MseCountOptions& options = {});

struct MseMembraneOptions {
  bool time_var_targets = false;  // targets are [T, B] classes or [T, B, C] membranes; no weight then
  double on_target = 1;           // membrane wanted of the target's neuron
  double off_target = 0;
  at::Tensor weight{};  // [C]
  Reduction reduction = Reduction::mean;
};
/// Mean over time of (U[t] - wanted)^2, [B, C].
RHEO_API at::Tensor mse_membrane_loss(const at::Tensor& mem, const at::Tensor& targets,
                                      const MseMembraneOptions& options = {});

struct MseTemporalOptions {
  bool target_is_time = false;  // targets are times, [B, C], or [F, B, C] with multi_spike; no weight then
  // Step at which the target's neuron is to fire, and the others; with multi_spike their first F spikes. Below zero: from
  // the end, -1 is the last step.
  std::vector<double> on_target{0};
  std::vector<double> off_target{-1};
  double tolerance = 0;  // a time nearer to its target than this has no loss
  bool multi_spike = false;
  at::Tensor weight{};  // [C]
  Reduction reduction = Reduction::mean;
};
/// ((t - wanted) / T)^2 of the first spikes' times t, [B, C] or [F, B, C]; see spike_time.hpp.
RHEO_API at::Tensor mse_temporal_loss(const at::Tensor& spk, const at::Tensor& targets,
                                      const MseTemporalOptions& options = {});

enum class Inverse { negate, reciprocal };
struct CeTemporalOptions {
  Inverse inverse = Inverse::negate;
  at::Tensor weight{};  // [C]
  Reduction reduction =
      Reduction::mean;  // with weights that normalised by their sum, as torch.nn.CrossEntropyLoss has it
};
/// Cross-entropy of -t, or of 1 / (t + 1), of the first spikes' times: the target is to fire first.
RHEO_API at::Tensor ce_temporal_loss(const at::Tensor& spk, const at::Tensor& targets,
                                     const CeTemporalOptions& options = {});

}  // namespace rheo::functional
