#include "rheo/functional/detail/checks.hpp"

#include "rheo/ops/refuse.hpp"

namespace rheo::functional::detail {

void check_recording(const char* name, const char* argument, const at::Tensor& rec) {
  if (!rec.defined() || rec.dim() != 3 || rec.size(2) < 1) {
    ops::refuse(name, argument, " must be [T, B, C] with C > 0, got ",
                rec.defined() ? rec.sizes() : at::IntArrayRef());
  }
  if (rec.size(0) < 1) ops::refuse(name, argument, " must have a time step, got T = 0");
  if (rec.scalar_type() != at::kFloat && rec.scalar_type() != at::kDouble) {
    ops::refuse<TypeError>(name, argument, " must be float32 or float64, got ", rec.scalar_type());
  }
  if (!rec.is_cpu()) ops::refuse(name, argument, " must be on the CPU, got ", rec.device());
}

void check_labels(const char* name, const at::Tensor& targets, std::int64_t batch, std::int64_t classes) {
  if (!targets.defined() || targets.dim() != 1 || targets.size(0) != batch) {
    ops::refuse(name, "targets must be [B] = [", batch, "], got ",
                targets.defined() ? targets.sizes() : at::IntArrayRef());
  }
  if (targets.scalar_type() != at::kLong || !targets.is_cpu()) {
    ops::refuse<TypeError>(name, "targets must be int64 on the CPU, got ", targets.scalar_type(), " on ",
                           targets.device());
  }
  const auto c = targets.contiguous();
  const auto* y = c.const_data_ptr<std::int64_t>();
  for (std::int64_t b = 0; b < c.numel(); ++b) {
    if (y[b] < 0 || y[b] >= classes) {
      ops::refuse(name, "targets must be below the number of classes, ", classes, ", got ", y[b], " at ", b);
    }
  }
}

void check_weight(const char* name, const at::Tensor& weight, std::int64_t classes) {
  if (weight.defined() && (weight.dim() != 1 || weight.size(0) != classes)) {
    ops::refuse(name, "weight must have one element per class, ", classes, ", got ", weight.sizes());
  }
}

void check_population(const char* name, bool population_code, std::int64_t num_classes,
                      std::int64_t outputs) {
  if (!population_code) {
    if (num_classes != 0) {
      ops::refuse(name, "num_classes must not be given without population_code, got ", num_classes);
    }
    return;
  }
  if (num_classes <= 0) {
    ops::refuse(name, "num_classes must be given with population_code, and above 0, got ", num_classes);
  }
  if (outputs % num_classes != 0) {
    ops::refuse(name, "num_classes must divide the ", outputs, " outputs, got ", num_classes);
  }
}

at::Tensor pooled(const at::Tensor& rec, std::int64_t num_classes) {
  auto sizes = rec.sizes().vec();
  const auto outputs = sizes.back();
  sizes.back() = num_classes;
  sizes.push_back(outputs / num_classes);
  return rec.reshape(sizes).sum(-1);
}

}  // namespace rheo::functional::detail
