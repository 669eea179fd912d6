#include <ATen/TensorOperators.h>
#include <ATen/ops/gt.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/zeros.h>

#include "rheo/ops/detail/lstm_feedback.hpp"
#include "rheo/ops/lstm.hpp"
#include "rheo/ops/product.hpp"

namespace rheo::ops {

NeuronResult lstm_reference(const LstmCall& call,
                            const std::function<at::Tensor(const at::Tensor&)>& quantise) {
  const auto share = detail::input_share(call.x, call.weight_ih, call.bias);
  const auto shape = detail::trace_shape(share, call.steps);
  const auto options = share.options().requires_grad(false);
  const auto or_zero = [&](const at::Tensor& t) {
    return t.defined() ? t : at::zeros(at::IntArrayRef(shape).slice(1), options);
  };
  auto syn = or_zero(call.syn), mem = or_zero(call.mem);
  std::vector<at::Tensor> syns, mems;
  for (std::int64_t t = 0; t < call.steps; ++t) {
    const auto flag = at::gt(mem.detach(), call.threshold.detach()).to(mem.scalar_type());
    const auto feedback = detail::is_convolution(call.weight_hh) ? detail::convolve(mem, call.weight_hh)
                                                                 : linear(mem, call.weight_hh);
    const auto gates = (share[share.size(0) == 1 ? 0 : t] + feedback).chunk(4, 1);
    const auto gate = [&](int at) { return gates[static_cast<std::size_t>(at)]; };
    syn = at::sigmoid(gate(call.order.f)) * syn +
          at::sigmoid(gate(call.order.i)) * at::tanh(gate(call.order.g));
    mem = at::sigmoid(gate(call.order.o)) * at::tanh(syn);
    if (call.reset == Reset::zero) mem = mem * (1 - flag);
    if (call.reset == Reset::subtract) mem = mem - flag * call.threshold;
    if (quantise) {
      syn = quantise(syn);
      mem = quantise(mem);
    }
    syns.push_back(syn);
    mems.push_back(mem);
  }
  const auto stacked = [&](const std::vector<at::Tensor>& list) {
    return list.empty() ? at::zeros(shape, options) : at::stack(list);
  };
  return {{}, {stacked(syns), stacked(mems)}, {syn, mem}};
}

}  // namespace rheo::ops
