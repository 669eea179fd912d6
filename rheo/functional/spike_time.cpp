#include "rheo/functional/spike_time.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <tuple>

#include "rheo/functional/detail/checks.hpp"
#include "rheo/kernels/first_spike.hpp"
#include "rheo/ops/by_type.hpp"
#include "rheo/ops/define.hpp"
#include "rheo/ops/pool.hpp"
#include "rheo/ops/refuse.hpp"

namespace rheo::functional {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t grain_elements = 65536;

template <class F>
void over_columns(std::int64_t steps, std::int64_t columns, F part) {
  // Whole cache lines to each thread.
  constexpr std::int64_t unit = 64;
  const auto grain = std::max<std::int64_t>(1, grain_elements / (steps * unit));
  at::parallel_for(0, (columns + unit - 1) / unit, grain, [&](std::int64_t begin, std::int64_t end) {
    part(begin * unit, std::min(columns, end * unit));
  });
}

template <class T>
kernels::FirstSpikeCall<T> call_of(std::int64_t steps, std::int64_t columns, std::int64_t count,
                                   const at::Tensor& step) {
  kernels::FirstSpikeCall<T> call;
  call.steps = steps;
  call.columns = columns;
  call.count = count;
  call.step = step.mutable_data_ptr<std::int32_t>();
  return call;
}

void check(const at::Tensor& spk, std::int64_t count) {
  detail::check_recording("spike_time", "spk", spk);
  if (count < 1) ops::refuse("spike_time", "count must be at least 1, got ", count);
}

// ---- the operator: times and their steps, [count, B, N] each -----------------------------------------------------

using Times = std::tuple<at::Tensor, at::Tensor>;
using TimeSignature = Times(const at::Tensor&, std::int64_t);
using BackwardSignature = at::Tensor(const at::Tensor&, const at::Tensor&, c10::SymInt);

Times time_cpu(const at::Tensor& given, std::int64_t count) {
  check(given, count);
  const auto spk = given.contiguous();
  std::vector<std::int64_t> sizes{count};
  sizes.insert(sizes.end(), spk.sizes().begin() + 1, spk.sizes().end());
  Times out{at::empty(sizes, spk.options()), at::empty(sizes, spk.options().dtype(at::kInt))};
  const auto columns = c10::multiply_integers(spk.sizes().slice(1));
  ops::by_type(spk, [&]<class T>(T) {
    auto call = call_of<T>(spk.size(0), columns, count, std::get<1>(out));
    call.spk = spk.const_data_ptr<T>();
    call.time = std::get<0>(out).mutable_data_ptr<T>();
    over_columns(spk.size(0), columns,
                 [&](auto begin, auto end) { kernels::first_spike_forward(call, begin, end); });
  });
  return out;
}

at::Tensor backward_cpu(const at::Tensor& given, const at::Tensor& given_step, std::int64_t steps) {
  constexpr auto name = "spike_time_backward";
  detail::check_recording(name, "grad_time", given);
  if (given_step.scalar_type() != at::kInt || given_step.sizes() != given.sizes()) {
    ops::refuse(name, "step must be int32 of shape ", given.sizes(), ", got ", given_step.scalar_type(), " ",
                given_step.sizes());
  }
  const auto step = given_step.contiguous();
  const auto* s = step.const_data_ptr<std::int32_t>();
  const auto* beyond = std::find_if(s, s + step.numel(), [=](auto t) { return t < 0 || t >= steps; });
  if (beyond != s + step.numel()) ops::refuse(name, "step must be below steps, ", steps, ", got ", *beyond);
  const auto grad_time = given.contiguous();
  std::vector<std::int64_t> sizes = step.sizes().vec();
  sizes[0] = steps;
  const auto grad = ops::recycled_empty(sizes, grad_time.scalar_type());
  const auto columns = c10::multiply_integers(step.sizes().slice(1));
  ops::by_type(grad, [&]<class T>(T) {
    auto call = call_of<T>(steps, columns, step.size(0), step);
    call.grad_time = grad_time.const_data_ptr<T>();
    call.grad = grad.mutable_data_ptr<T>();
    over_columns(steps, columns,
                 [&](auto begin, auto end) { kernels::first_spike_backward(call, begin, end); });
  });
  return grad;
}

Times time_meta(const at::Tensor& spk, std::int64_t count) {
  auto sizes = spk.sym_sizes().vec();
  sizes[0] = count;
  return {at::empty_symint(sizes, spk.options()), at::empty_symint(sizes, spk.options().dtype(at::kInt))};
}

at::Tensor backward_meta(const at::Tensor& grad_time, const at::Tensor&, c10::SymInt steps) {
  auto sizes = grad_time.sym_sizes().vec();
  sizes[0] = std::move(steps);
  return at::empty_symint(sizes, grad_time.options());
}

Times time_op(const at::Tensor& spk, std::int64_t count) {
  static const auto op = ops::find_op<TimeSignature>("rheobase::spike_time");
  return op.call(spk, count);
}

at::Tensor backward_op(const at::Tensor& grad_time, const at::Tensor& step, c10::SymInt steps) {
  static const auto op = ops::find_op<BackwardSignature>("rheobase::spike_time_backward");
  return op.call(grad_time, step, std::move(steps));
}

struct SpikeTimeFunction : torch::autograd::Function<SpikeTimeFunction> {
  static variable_list forward(AutogradContext* ctx, const at::Tensor& spk, std::int64_t count) {
    const at::AutoDispatchBelowADInplaceOrView below;
    auto [time, step] = time_op(spk, count);
    ctx->mark_non_differentiable({step});
    ctx->save_for_backward({step});
    ctx->set_materialize_grads(false);
    ctx->saved_data["steps"] = spk.sym_size(0);
    return {time, step};
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    if (!grads[0].defined()) return {{}, {}};
    return {backward_op(grads[0], ctx->get_saved_variables()[0], ctx->saved_data["steps"].toSymInt()), {}};
  }
};

Times time_autograd(const at::Tensor& spk, std::int64_t count) {
  if (at::GradMode::is_enabled() && spk.requires_grad()) {
    auto out = SpikeTimeFunction::apply(spk, count);
    return {std::move(out[0]), std::move(out[1])};
  }
  const at::AutoDispatchBelowADInplaceOrView below;
  return time_op(spk, count);
}

at::Tensor backward_autograd(const at::Tensor& grad_time, const at::Tensor& step, c10::SymInt steps) {
  ops::refuse_second_derivative("spike_time", grad_time);
  const at::AutoDispatchBelowADInplaceOrView below;
  return backward_op(grad_time, step, std::move(steps));
}

}  // namespace

at::Tensor spike_time(const at::Tensor& spk, std::int64_t count) {
  check(spk, count);
  const auto time = std::get<0>(time_op(spk, count));
  return count == 1 ? time.squeeze(0) : time;
}

TORCH_LIBRARY_FRAGMENT(rheobase, m) {
  ops::define<time_cpu, time_meta, time_autograd>(
      m, "spike_time(Tensor spk, int count=1) -> (Tensor time, Tensor step)");
  ops::define<backward_cpu, backward_meta, backward_autograd>(
      m, "spike_time_backward(Tensor grad_time, Tensor step, SymInt steps) -> Tensor");
}

}  // namespace rheo::functional
