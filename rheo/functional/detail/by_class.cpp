#include "rheo/functional/detail/by_class.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>

#include "rheo/functional/detail/checks.hpp"
#include "rheo/ops/define.hpp"

namespace rheo::functional::detail {

at::Tensor by_class(const char* name, const at::Tensor& targets, std::int64_t batch, std::int64_t classes,
                    double on, double off, at::ScalarType type) {
  check_labels(name, targets, batch, classes);
  auto out = at::full({batch, classes}, off, at::TensorOptions().dtype(type));
  return out.scatter_(1, targets.unsqueeze(1), on);
}

namespace {

at::Tensor by_class_cpu(const at::Tensor& targets, std::string_view name, std::int64_t batch,
                        std::int64_t classes, double on, double off, at::ScalarType type) {
  return by_class(std::string(name).c_str(), targets, batch, classes, on, off, type);
}

at::Tensor by_class_meta(const at::Tensor& targets, std::string_view, c10::SymInt batch, c10::SymInt classes,
                         double, double, at::ScalarType type) {
  return at::empty_symint({std::move(batch), std::move(classes)}, targets.options().dtype(type));
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(rheobase, m) {
  ops::define_plain<by_class_cpu, by_class_meta>(m,
                                                 "by_class(Tensor targets, str name, SymInt batch, SymInt "
                                                 "classes, float on, float off, ScalarType type) -> Tensor");
}

}  // namespace rheo::functional::detail
