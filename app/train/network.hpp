// The network of a recipe: fc1, lif1, dropout where it is asked for, fc2, lif2.
//   auto net = build(recipe);
//   Answer answer = ask(net, recipe, batch);   // answer.loss, answer.prediction
#pragma once

#include "app/train/recipe.hpp"
#include "rheo/data/dataset.hpp"
#include "rheo/nn/sequential.hpp"
#include "rheo/nn/summary.hpp"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace rheo::app::train {

/// Weights are drawn from the recipe's seed; libtorch's generator is left where the learning begins.
/// UsageError for a surrogate that there is not.
nn::Sequential build(const Recipe& recipe);

std::int64_t inputs_of(const Recipe& recipe);
std::int64_t classes_of(const Recipe& recipe);

struct Answer {
  at::Tensor loss;        // scalar, mean over the batch
  at::Tensor prediction;  // int64 [B]
};

Answer ask(nn::Sequential& net, const Recipe& recipe, const data::Batch& batch);

/// What the neurons do on a batch, in eval mode and without gradients.
struct Watched {
  nn::SequentialRecording recording;  // of lif1 and lif2, [T, B, N]
  at::Tensor prediction;              // int64 [B]
};
Watched watch(nn::Sequential& net, const Recipe& recipe, const data::Batch& batch);

/// What an inference costs, on a batch: rheo/nn/summary.hpp.
nn::Summary cost_of(const nn::Sequential& net, const Recipe& recipe, const data::Batch& batch);

/// How often the neurons of a layer fire.
struct Firing {
  std::string layer;
  std::int64_t neurons = 0;
  double rate = 0;                         // spikes per neuron and step
  double silent = 0;                       // part of the neurons without a spike
  std::vector<double> rate_per_step = {};  // [T]
};
/// Without the output layer where it has no reset: its membrane is read, its spikes mean nothing.
std::vector<Firing> firing_of(const nn::SequentialRecording& recording, const Recipe& recipe);

/// A part of a data set, answered.
struct Answers {
  double loss = 0, accuracy = 0;
  std::int64_t correct = 0;
  std::vector<std::int64_t> index = {}, label = {}, prediction = {};
  std::vector<std::int64_t> confusion = {};  // [classes, classes]: label, prediction
};
Answers ask_all(nn::Sequential& net, const Recipe& recipe, const data::Dataset& set,
                const std::vector<std::int64_t>& indices);

/// A layer as `inspect` and the page show it.
struct LayerRow {
  std::string name = {}, what = {}, shape = {};
  std::int64_t parameters = 0, bytes = 0;
};
std::vector<LayerRow> layers_of(const nn::Sequential& net, const Recipe& recipe);

}  // namespace rheo::app::train
