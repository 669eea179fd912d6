#include "rheo/functional/stdp.hpp"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/add.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/pad.h>
#include <ATen/ops/zeros.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

#include "rheo/ops/define.hpp"
#include "rheo/ops/product.hpp"
#include "rheo/ops/refuse.hpp"

namespace rheo::functional {
namespace {

/// What the rules read of a layer. The lists are empty for a Linear.
struct Synapse {
  at::Tensor weight;
  std::vector<std::int64_t> stride{}, dilation{};
  std::vector<std::int64_t> padding{};  // before and after, last dimension first
  const char* padding_mode = "constant";
  std::int64_t groups = 1;
};

Synapse synapse_of(const torch::nn::LinearImpl& fc) { return {.weight = fc.weight.detach()}; }

template <std::size_t D, class Derived>
Synapse synapse_of(const torch::nn::ConvNdImpl<D, Derived>& conv) {
  using namespace torch::enumtype;
  const auto& o = conv.options;
  Synapse s{.weight = conv.weight.detach(),
            .stride = {o.stride()->begin(), o.stride()->end()},
            .dilation = {o.dilation()->begin(), o.dilation()->end()},
            .groups = o.groups()};
  for (auto i = D; i-- > 0;) {
    const auto reach = (*o.dilation())[i] * ((*o.kernel_size())[i] - 1);
    std::int64_t before = 0, after = 0;
    if (const auto* given = std::get_if<torch::ExpandingArray<D>>(&o.padding())) {
      before = after = (**given)[i];
    } else if (std::holds_alternative<kSame>(o.padding())) {
      before = reach / 2;
      after = reach - before;
    }
    s.padding.insert(s.padding.end(), {before, after});
  }
  if (std::holds_alternative<kReflect>(o.padding_mode())) s.padding_mode = "reflect";
  if (std::holds_alternative<kReplicate>(o.padding_mode())) s.padding_mode = "replicate";
  if (std::holds_alternative<kCircular>(o.padding_mode())) s.padding_mode = "circular";
  return s;
}

Synapse synapse_of(const char* name, const torch::nn::Module& module) {
  if (const auto* fc = dynamic_cast<const torch::nn::LinearImpl*>(&module)) return synapse_of(*fc);
  if (const auto* conv = dynamic_cast<const torch::nn::Conv1dImpl*>(&module)) return synapse_of(*conv);
  if (const auto* conv = dynamic_cast<const torch::nn::Conv2dImpl*>(&module)) return synapse_of(*conv);
  ops::refuse<TypeError>(name, "synapse must be a Linear, Conv1d or Conv2d, got ", module.name());
}

void check_tau(const char* name, const char* argument, double tau) {
  if (!(tau > 0)) ops::refuse(name, argument, " must be above 0, got ", tau);
}

void check_type(const char* name, const char* argument, const at::Tensor& x, const at::Tensor& weight) {
  if (!x.defined()) ops::refuse(name, argument, " must be given, got an undefined tensor");
  if (x.scalar_type() != weight.scalar_type()) {
    ops::refuse<TypeError>(name, argument, " must be ", weight.scalar_type(), " as the weight is, got ",
                           x.scalar_type());
  }
}

/// in and out with `leading` dimensions, then channels, then what a convolution runs over.
void check(const char* name, const Synapse& s, const at::Tensor& in, const at::Tensor& out,
           std::int64_t leading, const STDPOptions& options) {
  check_tau(name, "tau_pre", options.tau_pre);
  check_tau(name, "tau_post", options.tau_post);
  if (s.weight.scalar_type() != at::kFloat && s.weight.scalar_type() != at::kDouble) {
    ops::refuse<TypeError>(name, "the weight must be float32 or float64, got ", s.weight.scalar_type());
  }
  check_type(name, "in", in, s.weight);
  check_type(name, "out", out, s.weight);
  const auto dims = leading + s.weight.dim() - 1;
  const auto channels = s.weight.size(1) * s.groups;
  if (in.dim() != dims || in.size(leading) != channels) {
    ops::refuse(name, "in must have ", dims, " dimensions, ", channels, " in dimension ", leading, ", got ",
                in.sizes());
  }
  auto wanted = in.sizes().vec();
  wanted[static_cast<std::size_t>(leading)] = s.weight.size(0);
  const auto spatial = s.stride.size();
  for (std::size_t i = 0; i < spatial; ++i) {
    const auto at = static_cast<std::size_t>(leading) + 1 + i;
    const auto side = 2 * (spatial - 1 - i);
    const auto kernel = s.weight.size(static_cast<std::int64_t>(i) + 2);
    const auto room = wanted[at] + s.padding[side] + s.padding[side + 1] - s.dilation[i] * (kernel - 1) - 1;
    if (room < 0) ops::refuse(name, "in must be at least as large as the kernel, got ", in.sizes());
    wanted[at] = room / s.stride[i] + 1;
  }
  if (out.sizes() != at::IntArrayRef(wanted)) {
    ops::refuse(name, "out must be ", at::IntArrayRef(wanted), " as the layer makes of `in`, got ",
                out.sizes());
  }
}

struct Traces {
  at::Tensor all;   // [T, ...], after each step
  at::Tensor last;  // [...]
};

/// trace[t] = decay trace[t-1] + x[t]
Traces traced(const char* name, const char* argument, const at::Tensor& x, const at::Tensor& first,
              double decay) {
  auto last = first.defined() ? first.detach() : at::zeros(x.sizes().slice(1), x.options());
  if (last.sizes() != x.sizes().slice(1)) {
    ops::refuse(name, argument, " must be ", x.sizes().slice(1), ", got ", last.sizes());
  }
  check_type(name, argument, last, x);
  const auto all = at::empty(x.sizes(), x.options());
  for (std::int64_t t = 0; t < x.size(0); ++t) {
    auto now = all.select(0, t);
    at::add_out(now, x.select(0, t), last, decay);
    last = now;
  }
  return {all, last.clone()};
}

/// [T, B, ...] to [T * B, ...]
at::Tensor rows(const at::Tensor& x) { return x.flatten(0, 1); }

/// Sum over samples and positions of after times before, for every weight: the gradient of the layer's weight where
/// `before` is its input and `after` that of its output.
at::Tensor correlated(const Synapse& s, const at::Tensor& after, const at::Tensor& before) {
  if (after.numel() == 0) return at::zeros(s.weight.sizes(), s.weight.options());
  if (s.stride.empty()) return ops::linear(rows(after).t(), rows(before).t());
  const std::vector<std::int64_t> none(s.stride.size(), 0);
  const std::array<bool, 3> of_weight = {false, true, false};
  return std::get<1>(at::convolution_backward(rows(after), rows(before), s.weight, std::nullopt, s.stride,
                                              none, s.dilation, false, none, s.groups, of_weight));
}

STDPCorrelation correlation(const char* name, const Synapse& s, const at::Tensor& in, const at::Tensor& out,
                            const at::Tensor& trace_pre, const at::Tensor& trace_post,
                            const STDPOptions& options) {
  const at::NoGradGuard no_grad;
  check(name, s, in, out, 2, options);
  auto x = in.detach();
  if (!s.padding.empty() && x.numel() > 0) {
    x = at::pad(rows(x), s.padding, s.padding_mode).unflatten(0, x.sizes().slice(0, 2));
  }
  const auto y = out.detach();
  const auto p = traced(name, "trace_pre", x, trace_pre, 1 - 1 / options.tau_pre);
  const auto q = traced(name, "trace_post", y, trace_post, 1 - 1 / options.tau_post);
  return {p.last, q.last, correlated(s, y, p.all), correlated(s, q.all, x)};
}

at::Tensor of_weight(const STDPOptions::OfWeight& f, const at::Tensor& weight) {
  return f ? f(weight) : weight;
}

STDPOutput sequence(const char* name, const Synapse& s, const at::Tensor& in, const at::Tensor& out,
                    const at::Tensor& trace_pre, const at::Tensor& trace_post, const STDPOptions& options) {
  const at::NoGradGuard no_grad;
  const auto c = correlation(name, s, in, out, trace_pre, trace_post, options);
  return {c.trace_pre, c.trace_post,
          of_weight(options.f_post, s.weight) * c.potentiation -
              of_weight(options.f_pre, s.weight) * c.depression};
}

STDPOutput single(const char* name, const Synapse& s, const at::Tensor& in, const at::Tensor& out,
                  const at::Tensor& trace_pre, const at::Tensor& trace_post, const STDPOptions& options) {
  check(name, s, in, out, 1, options);
  return sequence(name, s, in.unsqueeze(0), out.unsqueeze(0), trace_pre, trace_post, options);
}

STDPOutput modulated(const char* name, const torch::nn::LinearImpl& fc, const at::Tensor& in,
                     const at::Tensor& out, const at::Tensor& trace_pre, const at::Tensor& trace_post,
                     std::int64_t leading, const STDPOptions& options) {
  const at::NoGradGuard no_grad;
  const auto s = synapse_of(fc);
  check(name, s, in, out, leading, options);
  const auto x = in.detach(), y = out.detach();
  const auto p = traced(name, "trace_pre", x.unsqueeze(0), trace_pre, std::exp(-1 / options.tau_pre)).last;
  const auto q = traced(name, "trace_post", y.unsqueeze(0), trace_post, std::exp(-1 / options.tau_post)).last;
  const auto pairs = [](const at::Tensor& post, const at::Tensor& pre) {
    return post.unsqueeze(-1) * pre.unsqueeze(-2);
  };
  return {
      p, q,
      of_weight(options.f_post, s.weight) * pairs(y, p) - of_weight(options.f_pre, s.weight) * pairs(q, x)};
}

// ---- the operator: what a sequence of any of these layers tells, without a gradient ------------------------------

using Correlation = std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor>;

std::vector<std::int64_t> list_of(const char* name, const char* argument, at::IntArrayRef given,
                                  std::size_t wanted) {
  if (given.size() != wanted) ops::refuse(name, argument, " must have ", wanted, " numbers, got ", given);
  return given.vec();
}

/// padding: before and after, last dimension first, as torch.nn.functional.pad has it.
Synapse synapse_of(const char* name, const at::Tensor& weight, at::IntArrayRef stride,
                   at::IntArrayRef padding, at::IntArrayRef dilation, std::int64_t groups,
                   std::string_view padding_mode) {
  if (weight.dim() < 2 || weight.dim() > 4) {
    ops::refuse(name, "weight must be [out, in], or that of a convolution over one or two dimensions, got ",
                weight.sizes());
  }
  constexpr std::array<const char*, 4> modes = {"constant", "reflect", "replicate", "circular"};
  const auto* mode = std::find(modes.begin(), modes.end(), padding_mode);
  if (mode == modes.end()) {
    ops::refuse(name, "padding_mode must be constant, reflect, replicate or circular, got '", padding_mode,
                "'");
  }
  const auto spatial = static_cast<std::size_t>(weight.dim() - 2);
  Synapse s{.weight = weight.detach(),
            .stride = list_of(name, "stride", stride, spatial),
            .dilation = list_of(name, "dilation", dilation, spatial),
            .padding = list_of(name, "padding", padding, 2 * spatial),
            .padding_mode = *mode,
            .groups = groups};
  const auto below = [](const std::vector<std::int64_t>& list, std::int64_t least) {
    return std::any_of(list.begin(), list.end(), [=](auto i) { return i < least; });
  };
  if (below(s.stride, 1)) ops::refuse(name, "stride must be at least 1, got ", stride);
  if (below(s.dilation, 1)) ops::refuse(name, "dilation must be at least 1, got ", dilation);
  if (below(s.padding, 0)) ops::refuse(name, "padding must not be negative, got ", padding);
  if (groups < 1 || weight.size(0) % groups != 0) {
    ops::refuse(name, "groups must divide the ", weight.size(0), " outputs, got ", groups);
  }
  return s;
}

Correlation correlation_cpu(std::string_view given_name, const at::Tensor& weight, const at::Tensor& in_spike,
                            const at::Tensor& out_spike, const std::optional<at::Tensor>& trace_pre,
                            const std::optional<at::Tensor>& trace_post, double tau_pre, double tau_post,
                            at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation,
                            std::int64_t groups, std::string_view padding_mode) {
  const std::string text(given_name);
  const auto* name = text.c_str();
  const auto s = synapse_of(name, weight, stride, padding, dilation, groups, padding_mode);
  const auto c = correlation(name, s, in_spike, out_spike, trace_pre.value_or(at::Tensor()),
                             trace_post.value_or(at::Tensor()), {.tau_pre = tau_pre, .tau_post = tau_post});
  return {c.trace_pre, c.trace_post, c.potentiation.contiguous(), c.depression.contiguous()};
}

Correlation correlation_meta(std::string_view, const at::Tensor& weight, const at::Tensor& in_spike,
                             const at::Tensor& out_spike, const std::optional<at::Tensor>&,
                             const std::optional<at::Tensor>&, double, double, at::IntArrayRef,
                             at::IntArrayRef padding, at::IntArrayRef, std::int64_t, std::string_view) {
  auto before = in_spike.sym_sizes().slice(1).vec();
  for (std::size_t i = 0; 2 * i + 1 < padding.size(); ++i) {
    before[before.size() - 1 - i] += padding[2 * i] + padding[2 * i + 1];
  }
  const auto like = weight.options();
  return {at::empty_symint(before, like), at::empty_symint(out_spike.sym_sizes().slice(1), like),
          at::empty_symint(weight.sym_sizes(), like), at::empty_symint(weight.sym_sizes(), like)};
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(rheobase, m) {
  ops::define_plain<correlation_cpu, correlation_meta>(
      m,
      "stdp_correlation(str name, Tensor weight, Tensor in_spike, Tensor out_spike, Tensor? trace_pre, "
      "Tensor? trace_post, float tau_pre, float tau_post, int[] stride=[], int[] padding=[], int[] "
      "dilation=[], "
      "int groups=1, str padding_mode=\"constant\") -> (Tensor trace_pre, Tensor trace_post, Tensor "
      "potentiation, "
      "Tensor depression)");
}

STDPOutput stdp_linear_single_step(const torch::nn::LinearImpl& fc, const at::Tensor& in,
                                   const at::Tensor& out, const at::Tensor& trace_pre,
                                   const at::Tensor& trace_post, const STDPOptions& options) {
  return single("stdp_linear_single_step", synapse_of(fc), in, out, trace_pre, trace_post, options);
}

STDPOutput stdp_conv1d_single_step(const torch::nn::Conv1dImpl& conv, const at::Tensor& in,
                                   const at::Tensor& out, const at::Tensor& trace_pre,
                                   const at::Tensor& trace_post, const STDPOptions& options) {
  return single("stdp_conv1d_single_step", synapse_of(conv), in, out, trace_pre, trace_post, options);
}

STDPOutput stdp_conv2d_single_step(const torch::nn::Conv2dImpl& conv, const at::Tensor& in,
                                   const at::Tensor& out, const at::Tensor& trace_pre,
                                   const at::Tensor& trace_post, const STDPOptions& options) {
  return single("stdp_conv2d_single_step", synapse_of(conv), in, out, trace_pre, trace_post, options);
}

STDPOutput stdp_sequence(const torch::nn::Module& synapse, const at::Tensor& in, const at::Tensor& out,
                         const at::Tensor& trace_pre, const at::Tensor& trace_post,
                         const STDPOptions& options) {
  constexpr auto name = "stdp_sequence";
  return sequence(name, synapse_of(name, synapse), in, out, trace_pre, trace_post, options);
}

STDPCorrelation stdp_correlation(const torch::nn::Module& synapse, const at::Tensor& in,
                                 const at::Tensor& out, const at::Tensor& trace_pre,
                                 const at::Tensor& trace_post, const STDPOptions& options) {
  constexpr auto name = "stdp_correlation";
  return correlation(name, synapse_of(name, synapse), in, out, trace_pre, trace_post, options);
}

STDPOutput mstdp_linear_single_step(const torch::nn::LinearImpl& fc, const at::Tensor& in,
                                    const at::Tensor& out, const at::Tensor& trace_pre,
                                    const at::Tensor& trace_post, const STDPOptions& options) {
  return modulated("mstdp_linear_single_step", fc, in, out, trace_pre, trace_post, 1, options);
}

STDPOutput mstdpet_linear_single_step(const torch::nn::LinearImpl& fc, const at::Tensor& in,
                                      const at::Tensor& out, const at::Tensor& trace_pre,
                                      const at::Tensor& trace_post, const STDPOptions& options) {
  return modulated("mstdpet_linear_single_step", fc, in, out, trace_pre, trace_post, 0, options);
}

at::Tensor eligibility_trace(const at::Tensor& trace, const at::Tensor& eligibility, double tau_trace) {
  constexpr auto name = "eligibility_trace";
  check_tau(name, "tau_trace", tau_trace);
  if (!eligibility.defined()) ops::refuse(name, "eligibility must be given, got an undefined tensor");
  const auto fresh = eligibility / tau_trace;
  if (!trace.defined()) return fresh;
  if (trace.sizes() != eligibility.sizes()) {
    ops::refuse(name, "trace must be ", eligibility.sizes(), ", got ", trace.sizes());
  }
  return at::add(fresh, trace, std::exp(-1 / tau_trace));
}

}  // namespace rheo::functional
