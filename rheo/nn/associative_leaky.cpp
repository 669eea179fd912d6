#include "rheo/nn/associative_leaky.hpp"

#include <ATen/ops/matmul.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include "rheo/nn/detail/checks.hpp"
#include "rheo/ops/associative.hpp"
#include "rheo/ops/error.hpp"
#include "rheo/ops/product.hpp"

namespace rheo::nn {
namespace {

/// The matrices [T, B, d, n] as whole-tensor operations that can be differentiated again.
at::Tensor plain_matrices(const at::Tensor& v, const at::Tensor& k, const at::Tensor& a, at::Tensor S) {
  std::vector<at::Tensor> steps;
  for (std::int64_t t = 0; t < v.size(0); ++t) {
    S = S * a[t].unsqueeze(1) + v[t].unsqueeze(2) * k[t].unsqueeze(1);
    steps.push_back(S);
  }
  return steps.empty() ? at::zeros({0, v.size(1), v.size(2), k.size(2)}, v.options()) : at::stack(steps);
}

}  // namespace

AssociativeLeakyImpl::AssociativeLeakyImpl(const AssociativeLeakyOptions& options)
    : ScanImpl("AssociativeLeaky", common_options(options), true), options_(options) {
  detail::check_positive("AssociativeLeaky", "in_dim", options.in_dim);
  detail::check_positive("AssociativeLeaky", "d_value", options.d_value);
  detail::check_positive("AssociativeLeaky", "d_key", options.d_key);
  const auto units = options.d_value * options.d_key;
  if (options.num_spiking_neurons != 0 && options.num_spiking_neurons != units) {
    throw ValueError(c10::str("[AssociativeLeaky] num_spiking_neurons must be d_value * d_key = ", units,
                              ", got ", options.num_spiking_neurons));
  }
  const auto linear = [&](const char* name, std::int64_t out) {
    return register_module(name, torch::nn::Linear(options.in_dim, out));
  };
  to_v_ = linear("to_v", options.d_value);
  to_k_ = linear("to_k", options.d_key);
  to_alpha_ = linear("to_alpha", options.d_key);
  if (options.use_q_projection) to_q_ = linear("to_q", units);
}

ScanImpl::Scanned AssociativeLeakyImpl::scan(const Input& input, const State& state, bool traces) {
  if (input.x.dim() < 2 || input.x.size(-1) != options_.in_dim) {
    throw ValueError(c10::str("[AssociativeLeaky] x must have shape [T, ..., in_dim = ", options_.in_dim,
                              "], got ", input.x.sizes()));
  }
  const auto d = options_.d_value, n = options_.d_key;
  auto shape = input.x.sizes().vec();
  shape[0] = input.steps;
  const auto batch = c10::multiply_integers(at::IntArrayRef(shape).slice(1, shape.size() - 2));
  const auto project = [&](const torch::nn::Linear& to) {
    const auto type = input.x.scalar_type();
    const auto y = ops::linear(input.x, to->weight.to(type), to->bias.to(type));
    return y.reshape({input.x.size(0), batch, y.size(-1)}).expand({input.steps, batch, y.size(-1)});
  };
  const auto v = project(to_v_), k = project(to_k_), a = at::sigmoid(project(to_alpha_));
  const auto q = options_.use_q_projection ? project(to_q_) : at::Tensor();

  shape.back() = d * n;
  const at::IntArrayRef whole(shape);
  firing().check(whole.slice(1));
  auto first = first_of(state, "mem", whole.slice(1), input.x);
  if (first.defined()) first = first.reshape({batch, d * n});
  auto read = shape;
  read.back() = options_.use_q_projection ? d * d : d * n;

  // One value each, or one per element of S.
  const auto threshold = firing().threshold_like(input.x), graded = firing().graded_like(input.x);
  const auto per_element = [&](const at::Tensor& t) { return t.numel() == 1 || t.numel() == d * n; };
  const bool spikes = firing().why_not_fused().empty() && per_element(threshold) && per_element(graded);
  Scanned out;
  if (runs_kernels(input.x)) {
    ops::AssociativeCall call{v,
                              k,
                              a,
                              spikes ? q : at::Tensor(),
                              first,
                              threshold,
                              graded,
                              firing().surrogate(),
                              traces || !spikes};
    if (!per_element(threshold)) call.threshold = at::zeros({}, v.options());
    if (!per_element(graded)) call.graded = at::zeros({}, v.options());
    const auto scanned = ops::associative(call);
    auto last = shape;
    last.erase(last.begin());
    out.state = State{{"mem", scanned.state.reshape(last)}};
    if (scanned.trace.defined()) out.mem = scanned.trace.reshape(shape);
    if (spikes) {
      out.spk = scanned.out.reshape(read);
      return out;
    }
  } else {
    const auto S = plain_matrices(
        v, k, a, first.defined() ? first.reshape({batch, d, n}) : at::zeros({batch, d, n}, v.options()));
    out.mem = S.reshape(shape);
    const auto last = input.steps > 0   ? out.mem[input.steps - 1]
                      : first.defined() ? first.reshape(whole.slice(1))
                                        : at::zeros(whole.slice(1), v.options());
    out.state = State{{"mem", last}};
  }
  auto fired = spikes_of(out.mem);
  out.mem = fired.mem;
  out.spk = !q.defined() ? fired.spk
                         : at::matmul(fired.spk.reshape({input.steps, batch, d, n}),
                                      q.reshape({input.steps, batch, n, d}))
                               .reshape(read);
  return out;
}

std::shared_ptr<torch::nn::Module> AssociativeLeakyImpl::clone(
    const std::optional<torch::Device>& device) const {
  auto copy = std::make_shared<AssociativeLeakyImpl>(options_);
  copy->take(*this);
  if (device.has_value()) copy->to(*device);
  return copy;
}

void AssociativeLeakyImpl::pretty_print(std::ostream& stream) const {
  stream << "AssociativeLeaky(in_dim=" << options_.in_dim << ", d_value=" << options_.d_value
         << ", d_key=" << options_.d_key << (options_.use_q_projection ? ")" : ", no q)");
}

AssociativeLeaky AssociativeLeaky::from_num_spiking_neurons(std::int64_t in_dim,
                                                            std::int64_t num_spiking_neurons,
                                                            bool use_q_projection) {
  std::int64_t side = 0;
  while (side * side < num_spiking_neurons) ++side;
  if (side < 1 || side * side != num_spiking_neurons) {
    throw ValueError(c10::str("[AssociativeLeaky] num_spiking_neurons must be a perfect square, got ",
                              num_spiking_neurons));
  }
  AssociativeLeakyOptions options;
  options.in_dim = in_dim;
  options.d_value = options.d_key = side;
  options.num_spiking_neurons = num_spiking_neurons;
  options.use_q_projection = use_q_projection;
  return AssociativeLeaky(options);
}

}  // namespace rheo::nn
