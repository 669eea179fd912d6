#include "rheo/functional/spike_time.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/custom_function.h>

#include "rheo/functional/detail/checks.hpp"
#include "rheo/kernels/first_spike.hpp"
#include "rheo/ops/by_type.hpp"
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

struct SpikeTimeFunction : torch::autograd::Function<SpikeTimeFunction> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& spk, std::int64_t count) {
    const at::AutoDispatchBelowADInplaceOrView below;
    const auto steps = spk.size(0);
    std::vector<std::int64_t> sizes{count};
    sizes.insert(sizes.end(), spk.sizes().begin() + 1, spk.sizes().end());
    const auto time = at::empty(sizes, spk.options().requires_grad(false));
    const auto step = at::empty(sizes, time.options().dtype(at::kInt));
    const auto columns = c10::multiply_integers(spk.sizes().slice(1));
    const auto run = [&]<class T>(T) {
      auto call = call_of<T>(steps, columns, count, step);
      call.spk = spk.const_data_ptr<T>();
      call.time = time.mutable_data_ptr<T>();
      over_columns(steps, columns,
                   [&](auto begin, auto end) { kernels::first_spike_forward(call, begin, end); });
    };
    ops::by_type(spk, run);
    ctx->save_for_backward({step});
    ctx->saved_data["sizes"] = spk.sizes().vec();
    return time;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    if (!grads[0].defined()) return {{}, {}};
    if (at::GradMode::is_enabled() && grads[0].requires_grad()) {
      throw RuntimeError("[spike_time] the backward has no derivative of its own");
    }
    const at::AutoDispatchBelowADInplaceOrView below;
    const auto step = ctx->get_saved_variables()[0];
    const auto sizes = ctx->saved_data["sizes"].toIntVector();
    const auto grad_time = grads[0].contiguous();
    const auto grad = ops::recycled_empty(sizes, grad_time.scalar_type());
    const auto columns = c10::multiply_integers(at::IntArrayRef(sizes).slice(1));
    const auto run = [&]<class T>(T) {
      auto call = call_of<T>(sizes[0], columns, step.size(0), step);
      call.grad_time = grad_time.const_data_ptr<T>();
      call.grad = grad.mutable_data_ptr<T>();
      over_columns(sizes[0], columns,
                   [&](auto begin, auto end) { kernels::first_spike_backward(call, begin, end); });
    };
    ops::by_type(grad, run);
    return {grad, {}};
  }
};

}  // namespace

at::Tensor spike_time(const at::Tensor& spk, std::int64_t count) {
  detail::check_recording("spike_time", "spk", spk);
  if (count < 1) ops::refuse("spike_time", "count must be at least 1, got ", count);
  const auto time = SpikeTimeFunction::apply(spk.contiguous(), count);
  return count == 1 ? time.squeeze(0) : time;
}

}  // namespace rheo::functional
