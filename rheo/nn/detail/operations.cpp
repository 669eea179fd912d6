#include "rheo/nn/detail/operations.hpp"

#include <ATen/ops/cat.h>
#include <ATen/ops/isin.h>
#include <ATen/ops/ones.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>

#include <algorithm>
#include <functional>

#include "rheo/nn/graded_spikes.hpp"
#include "rheo/nn/leaky_parallel.hpp"
#include "rheo/nn/recurrent.hpp"
#include "rheo/nn/sconv2dlstm.hpp"
#include "rheo/nn/slstm.hpp"
#include "rheo/nn/state_leaky.hpp"

namespace rheo::nn::detail {
namespace {

using torch::nn::Module;

/// How many connections events meet: a tensor that says how often each element of one sample's input was one.
using Links = std::function<double(const at::Tensor& events)>;

/// Weights that connect, and how many dimensions a sample has that they read: [in] of Linear, [C, H, W] of Conv2d.
struct Connections {
  Links links;
  std::int64_t dims = 1;
};

Connections dense(std::int64_t outputs) {
  return {[outputs](const at::Tensor& events) {
            return events.sum().item<double>() * static_cast<double>(outputs);
          },
          1};
}

/// The layer itself with weights of one does the sum, so borders, strides, groups and padding are the layer's own. Outputs
/// of a group are alike.
template <class Conv>
Connections convolution(const Conv& layer) {
  const auto links = [&layer](const at::Tensor& events) {
    Conv ones(layer);
    auto shape = layer.weight.sizes().vec();
    const auto groups = layer.options.groups();
    const auto repeated = shape[0] / groups;
    shape[0] = groups;                   // [out, in / groups, ...]
    shape[1] = events.size(0) / groups;  // all channels, or a part of them
    ones.weight = at::ones(shape, events.options());
    ones.bias = at::Tensor();
    return ones.forward(events.unsqueeze(0)).sum().template item<double>() * static_cast<double>(repeated);
  };
  return {links, layer.weight.dim() - 1};
}

template <class Conv>
Connections transposed(const Conv& layer) {
  const auto links = [&layer](const at::Tensor& events) {
    Conv ones(layer);
    ones.weight = at::ones(layer.weight.sizes(), events.options());
    ones.bias = at::Tensor();
    return ones.forward(events.unsqueeze(0)).sum().template item<double>();
  };
  return {links, layer.weight.dim() - 1};
}

/// Nothing for a layer of another kind.
std::optional<Connections> connections_of(const Module& layer) {
  using namespace torch::nn;
  if (const auto* l = dynamic_cast<const LinearImpl*>(&layer)) return dense(l->weight.size(0));
  if (const auto* l = dynamic_cast<const Conv1dImpl*>(&layer)) return convolution(*l);
  if (const auto* l = dynamic_cast<const Conv2dImpl*>(&layer)) return convolution(*l);
  if (const auto* l = dynamic_cast<const Conv3dImpl*>(&layer)) return convolution(*l);
  if (const auto* l = dynamic_cast<const ConvTranspose1dImpl*>(&layer)) return transposed(*l);
  if (const auto* l = dynamic_cast<const ConvTranspose2dImpl*>(&layer)) return transposed(*l);
  if (const auto* l = dynamic_cast<const ConvTranspose3dImpl*>(&layer)) return transposed(*l);
  return {};
}

/// The rows of x, whatever the leading dimensions mean, as [rows, sample].
at::Tensor rows_of(const at::Tensor& x, std::int64_t dims) {
  if (x.dim() <= dims) return x.unsqueeze(0);
  return x.dim() == dims + 1 ? x : x.flatten(0, x.dim() - dims - 1);
}

/// How often each element of a sample is not zero.
at::Tensor events_of(const at::Tensor& rows) { return rows.ne(0).sum(0).to(at::kDouble); }

/// As many rows that are one everywhere: what a dense input is.
double dense_links(const Connections& to, at::IntArrayRef sample, double rows, const at::Tensor& like) {
  return to.links(at::ones(sample, like.options().dtype(at::kDouble))) * rows;
}

/// What the weights do with x [..., sample].
Operations reading(const Connections& to, const at::Tensor& x, const SpikeSizes& sizes) {
  const auto rows = rows_of(x, to.dims);
  if (rows.size(0) == 0) return {};
  if (sizes.are_all_of(rows)) return {.synops = to.links(events_of(rows))};
  return {.macs = dense_links(to, rows.sizes().slice(1), static_cast<double>(rows.size(0)), rows)};
}

Operations& operator+=(Operations& a, const Operations& b) {
  a.synops += b.synops;
  a.macs += b.macs;
  return a;
}

/// Spikes that came back in this call, by element of a sample [N] or [C, H, W].
at::Tensor fed_back(const LayerCall& call, std::int64_t dims) {
  std::vector<at::Tensor> sent;
  if (call.before.contains("spk") && call.before["spk"].defined() && call.before["spk"].numel() > 0) {
    sent.push_back(rows_of(call.before["spk"], dims));
  }
  if (call.sequence && call.y.size(0) > 1) {
    sent.push_back(rows_of(call.y.narrow(0, 0, call.y.size(0) - 1), dims));
  }
  if (sent.empty()) return {};
  return events_of(at::cat(sent));
}

/// Steps times samples of a call whose rows have so many elements.
double rows_in(const LayerCall& call, std::int64_t sample) {
  return static_cast<double>(call.y.numel() / sample);
}

Operations of_slstm(const SLSTMImpl& lstm, const LayerCall& call, const SpikeSizes& sizes) {
  const auto hidden = lstm.options().hidden_size;
  auto done = reading(dense(4 * hidden), call.x, sizes);
  done.macs += rows_in(call, hidden) * static_cast<double>(4 * hidden * hidden);
  return done;
}

Operations of_sconv2dlstm(const SConv2dLSTMImpl& lstm, const LayerCall& call, const SpikeSizes& sizes) {
  const auto conv = convolution(*lstm.conv);  // of both parts: stride 1, and padding that keeps the size
  auto done = reading(conv, call.x, sizes);
  const auto& h = call.after.mem();  // [B, C, H, W]: of the cells, whatever is pooled
  const auto rows = static_cast<double>(h.size(0) * (call.sequence ? call.steps : 1));
  done.macs += dense_links(conv, h.sizes().slice(1), rows, h);
  return done;
}

Operations of_neuron(const NeuronImpl& neuron, const LayerCall& call) {
  if (dynamic_cast<const RecurrentImpl*>(&neuron) != nullptr) {
    const auto to = *connections_of(*neuron.named_children()["recurrent"]);
    const auto events = fed_back(call, to.dims);
    return {.synops = events.defined() ? to.links(events) : 0};
  }
  const auto kind = neuron.kind();
  if (kind != RLeaky::entry().info.name && kind != RSynaptic::entry().info.name) return {};
  const auto events = fed_back(call, 1);  // one to one
  return {.synops = events.defined() ? events.sum().item<double>() : 0};
}

Operations of_leaky_parallel(const LeakyParallelImpl& layer, const LayerCall& call, const SpikeSizes& sizes) {
  const auto hidden = layer.options().hidden_size;
  auto done = reading(dense(hidden), call.x, sizes);
  if (layer.options().weight_hh_enable) {
    done.macs += rows_in(call, hidden) * static_cast<double>(hidden * hidden);
  }
  return done;
}

/// Projections are Linear layers inside that read x.
Operations of_scan(const ScanImpl& layer, const LayerCall& call, const SpikeSizes& sizes) {
  Operations done;
  const auto children = layer.named_children();
  for (const auto& child : children) done += reading(*connections_of(*child.value()), call.x, sizes);
  if (children.contains("to_q")) {
    const auto outputs = [&](const char* name) {
      return children[name]->as<torch::nn::Linear>()->options.out_features();
    };
    const auto d = outputs("to_v"), n = outputs("to_k");
    done.macs += rows_in(call, d * d) * static_cast<double>(d * n * d);
  }
  return done;
}

std::optional<Operations> of_spiking(const LayerCall& call, const SpikeSizes& sizes) {
  const auto* layer = &call.layer;
  if (const auto* l = dynamic_cast<const SLSTMImpl*>(layer)) return of_slstm(*l, call, sizes);
  if (const auto* l = dynamic_cast<const SConv2dLSTMImpl*>(layer)) return of_sconv2dlstm(*l, call, sizes);
  if (const auto* l = dynamic_cast<const NeuronImpl*>(layer)) return of_neuron(*l, call);
  if (const auto* l = dynamic_cast<const LeakyParallelImpl*>(layer))
    return of_leaky_parallel(*l, call, sizes);
  if (const auto* l = dynamic_cast<const ScanImpl*>(layer)) return of_scan(*l, call, sizes);
  if (has_weights(*layer, true)) return {};
  return Operations{};
}

}  // namespace

SpikeSizes::SpikeSizes(const Module& net) {
  std::vector<at::Tensor> all{at::ones({1}, at::kDouble)};
  const auto take = [&](const at::Tensor& t) {
    all.push_back(t.detach().to(at::kCPU, at::kDouble).flatten());
  };
  const std::function<void(const Module&)> take_all = [&](const Module& module) {
    if (const auto* graded = dynamic_cast<const GradedSpikesImpl*>(&module)) take(graded->weights);
    for (const auto& tensors : {module.named_parameters(false), module.named_buffers(false)}) {
      if (const auto* factor = tensors.find("graded_spikes_factor")) take(*factor);
    }
    for (const auto& child : module.children()) take_all(*child);
  };
  take_all(net);
  sizes_ = at::cat(all);
}

bool SpikeSizes::are_all_of(const at::Tensor& x) const {
  return x.eq(0).logical_or_(at::isin(x, sizes_.to(x.options()))).all().item<bool>();
}

bool has_weights(const Module& layer, bool recurse) {
  const auto parameters = layer.parameters(recurse);
  return std::any_of(parameters.begin(), parameters.end(), [](const at::Tensor& p) { return p.dim() > 1; });
}

std::optional<Operations> operations_of(const LayerCall& call, const SpikeSizes& sizes) {
  if (dynamic_cast<const SpikingImpl*>(&call.layer) != nullptr) return of_spiking(call, sizes);
  if (const auto to = connections_of(call.layer)) return reading(*to, call.x, sizes);
  using torch::nn::LayerNormImpl;
  const bool scales = dynamic_cast<const GradedSpikesImpl*>(&call.layer) != nullptr ||
                      dynamic_cast<const LayerNormImpl*>(&call.layer) != nullptr;
  if (!scales && has_weights(call.layer, false)) return {};
  return Operations{};
}

}  // namespace rheo::nn::detail
