#include "app/train/network.hpp"

#include "app/exit_code.hpp"
#include "app/numbers.hpp"
#include "rheo/functional/accuracy.hpp"
#include "rheo/functional/loss.hpp"
#include "rheo/nn/neurons.hpp"
#include "rheo/nn/surrogate.hpp"
#include "rheo/spikegen/constant.hpp"

#include <ATen/Context.h>
#include <c10/core/InferenceMode.h>
#include <torch/nn/init.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>
#include <torch/utils.h>

#include <algorithm>
#include <span>

namespace rheo::app::train {
namespace {

constexpr double kaiming_a = 0.3;
constexpr std::int64_t asked_at_once = 250;

Surrogate surrogate_of(const Recipe& recipe) {
  const std::string& text = recipe.surrogate;
  const std::size_t colon = text.find(':');
  std::vector<std::pair<std::string, double>> arguments;
  if (colon != std::string::npos) {
    for (const std::string_view part : split(std::string_view(text).substr(colon + 1), ',')) {
      const std::size_t equals = part.find('=');
      if (equals == std::string_view::npos) {
        throw UsageError("surrogate must look like fast_sigmoid:slope=10, got \"" + text + "\"");
      }
      const std::string name(trimmed(part.substr(0, equals)));
      arguments.emplace_back(name, number("surrogate " + name, part.substr(equals + 1)));
    }
  }
  return Surrogate::by_name(text.substr(0, colon), arguments);
}

torch::nn::Linear linear(const Recipe& recipe, std::int64_t in, std::int64_t out) {
  torch::nn::Linear layer(in, out);
  if (recipe.init == "kaiming") torch::nn::init::kaiming_uniform_(layer->weight, kaiming_a);
  return layer;
}

/// Images stand still: one row for all steps.
Input input_of(const Recipe& recipe, const data::Batch& batch) {
  if (recipe.task == "mnist") return spikegen::constant(batch.x.flatten(1), recipe.steps);
  return batch.x;
}

at::Tensor decide(const Recipe& recipe, const nn::Recording& last) {
  if (recipe.decision == "count") return functional::predicted_rate(last.spk);
  if (recipe.decision == "membrane") return last.mem.sum(0).argmax(1);
  return functional::predicted_max_membrane(last.mem);
}

at::Tensor loss_of(const Recipe& recipe, const nn::Recording& last, const at::Tensor& label) {
  if (recipe.loss == "ce_rate") return functional::ce_rate_loss(last.spk, label);
  if (recipe.loss == "ce_count") return functional::ce_count_loss(last.spk, label);
  if (recipe.loss == "ce_membrane") return functional::ce_membrane_loss(last.mem, label);
  return functional::ce_max_membrane_loss(last.mem, label);
}

/// Back to how it was when left.
class EvalMode {
 public:
  explicit EvalMode(nn::Sequential& net) : net_(net), training_(net->is_training()) { net->eval(); }
  ~EvalMode() { net_->train(training_); }
  EvalMode(const EvalMode&) = delete;
  EvalMode& operator=(const EvalMode&) = delete;

 private:
  nn::Sequential& net_;
  bool training_;
};

std::span<const std::int64_t> numbers_of(const at::Tensor& tensor) {
  return {tensor.data_ptr<std::int64_t>(), static_cast<std::size_t>(tensor.numel())};
}

}  // namespace

std::int64_t inputs_of(const Recipe& recipe) { return recipe.task == "mnist" ? 784 : recipe.units; }

std::int64_t classes_of(const Recipe& recipe) { return recipe.task == "mnist" ? 10 : recipe.classes; }

nn::Sequential build(const Recipe& recipe) {
  const Surrogate spike_grad = surrogate_of(recipe);
  torch::manual_seed(static_cast<std::uint64_t>(recipe.seed));
  nn::Sequential net;
  net->push_back("fc1", linear(recipe, inputs_of(recipe), recipe.hidden));
  net->push_back("lif1", nn::Leaky({.beta = recipe.beta,
                                    .learn_beta = recipe.learn_beta,
                                    .threshold = recipe.threshold,
                                    .spike_grad = spike_grad,
                                    .learn_threshold = recipe.learn_threshold,
                                    .reset_mechanism = parse_reset(recipe.reset)}));
  if (recipe.dropout > 0) net->push_back("dropout", torch::nn::Dropout(recipe.dropout));
  net->push_back("fc2", linear(recipe, recipe.hidden, classes_of(recipe)));
  net->push_back("lif2", nn::Leaky({.beta = recipe.readout_beta,
                                    .learn_beta = recipe.learn_beta,
                                    .threshold = recipe.readout_threshold,
                                    .spike_grad = spike_grad,
                                    .learn_threshold = recipe.learn_threshold,
                                    .reset_mechanism = parse_reset(recipe.readout_reset)}));
  return net;
}

Answer ask(nn::Sequential& net, const Recipe& recipe, const data::Batch& batch) {
  const auto out = net->record_last(input_of(recipe, batch));
  return {loss_of(recipe, out.last(), batch.y), decide(recipe, out.last())};
}

Watched watch(nn::Sequential& net, const Recipe& recipe, const data::Batch& batch) {
  const c10::InferenceMode no_gradients;
  const EvalMode eval(net);
  Watched watched{.recording = net->record(input_of(recipe, batch)), .prediction = {}};
  watched.prediction = decide(recipe, watched.recording.last());
  return watched;
}

nn::Summary cost_of(const nn::Sequential& net, const Recipe& recipe, const data::Batch& batch) {
  return nn::summary(net, input_of(recipe, batch));
}

std::vector<Firing> firing_of(const nn::SequentialRecording& recording, const Recipe& recipe) {
  std::vector<Firing> list;
  for (const auto& [name, layer] : recording.layers) {
    if (&layer == &recording.last() && recipe.readout_reset == "none") continue;
    const at::Tensor& spk = layer.spk;  // [T, B, N]
    Firing firing{.layer = name, .neurons = spk.size(2)};
    firing.rate = spk.mean(at::kDouble).item<double>();
    firing.silent = spk.sum(at::IntArrayRef{0, 1}).eq(0).mean(at::kDouble).item<double>();
    const at::Tensor per_step = spk.mean(at::IntArrayRef{1, 2}, false, at::kDouble).contiguous();
    firing.rate_per_step.assign(per_step.data_ptr<double>(), per_step.data_ptr<double>() + per_step.numel());
    list.push_back(std::move(firing));
  }
  return list;
}

Answers ask_all(nn::Sequential& net, const Recipe& recipe, const data::Dataset& set,
                const std::vector<std::int64_t>& indices) {
  const c10::InferenceMode no_gradients;
  const EvalMode eval(net);
  const auto classes = static_cast<std::size_t>(set.classes());
  Answers all{.index = indices};
  all.confusion.assign(classes * classes, 0);
  const std::span<const std::int64_t> every(indices);
  for (std::size_t begin = 0; begin < every.size(); begin += asked_at_once) {
    const auto part = every.subspan(begin, std::min<std::size_t>(asked_at_once, every.size() - begin));
    const data::Batch batch = set.batch(part);
    const Answer answer = ask(net, recipe, batch);
    all.loss += answer.loss.item<double>() * static_cast<double>(part.size());
    const at::Tensor prediction = answer.prediction.contiguous(), label = batch.y.contiguous();
    for (std::size_t i = 0; i < part.size(); ++i) {
      const std::int64_t truth = numbers_of(label)[i], said = numbers_of(prediction)[i];
      all.label.push_back(truth);
      all.prediction.push_back(said);
      all.correct += truth == said;
      ++all.confusion[static_cast<std::size_t>(truth) * classes + static_cast<std::size_t>(said)];
    }
  }
  const auto count = static_cast<double>(indices.size());
  all.loss /= count;
  all.accuracy = static_cast<double>(all.correct) / count;
  return all;
}

std::vector<LayerRow> layers_of(const nn::Sequential& net, const Recipe& recipe) {
  std::vector<LayerRow> rows;
  for (const auto& child : net->named_children()) {
    LayerRow row{.name = child.key()};
    for (const at::Tensor& parameter : child.value()->parameters()) {
      row.parameters += parameter.numel();
      row.bytes += static_cast<std::int64_t>(parameter.nbytes());
    }
    const bool first = row.name.ends_with('1');
    if (const auto* layer = child.value()->as<torch::nn::Linear>()) {
      row.what = "Linear";
      row.shape = std::to_string(layer->options.in_features()) + " -> " +
                  std::to_string(layer->options.out_features());
    } else if (child.value()->as<torch::nn::Dropout>() != nullptr) {
      row.what = "Dropout " + to_text(recipe.dropout);
    } else {
      row.what = "Leaky beta " + rounded(first ? recipe.beta : recipe.readout_beta) + ", threshold " +
                 rounded(first ? recipe.threshold : recipe.readout_threshold) + ", reset " +
                 (first ? recipe.reset : recipe.readout_reset);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace rheo::app::train
