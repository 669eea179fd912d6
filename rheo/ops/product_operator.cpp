// The product as an operator, for Python: `rheobase::linear`.
#include <torch/library.h>

#include "rheo/ops/for_python.hpp"
#include "rheo/ops/product.hpp"

namespace rheo::ops {
namespace {

at::Tensor linear_op(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                     bool spikes) {
  return linear(x, weight, bias.value_or(at::Tensor()), spikes ? Operand::spikes : Operand::dense);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(rheobase, m) {
  m.def("linear(Tensor x, Tensor weight, Tensor? bias, bool spikes=False) -> Tensor");
}
TORCH_LIBRARY_IMPL(rheobase, CompositeImplicitAutograd, m) {
  m.impl("linear", TORCH_FN(for_python<linear_op>));
}

}  // namespace rheo::ops
