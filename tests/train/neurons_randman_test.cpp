// Randman, where only the timing of spikes tells the classes apart, learned to 90 % and more with hidden neurons that have
// something of their own to learn: a time constant, a threshold that adapts, weights over time.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <memory>

#include "rheo/rheo.hpp"

namespace {

using torch::Tensor;

/// What a unit of input is to the neuron.
struct GainImpl : torch::nn::Module {
  explicit GainImpl(double gain) : factor(gain) {}
  Tensor forward(const Tensor& x) { return factor * x; }
  double factor;
};
TORCH_MODULE(Gain);

/// Accuracy on the test set after eight epochs of the usual task, with less than a third of its samples.
template <class Hidden>
double accuracy_with(Hidden hidden, double gain) {
  namespace functional = rheo::functional;
  torch::manual_seed(1);
  const auto randman = std::make_shared<rheo::data::Randman>(rheo::data::RandmanOptions{.samples = 300});
  const auto split = randman->split();
  const rheo::data::Loader train(randman, split.train, {.batch_size = 60});
  const rheo::data::Loader test(randman, split.test, {.batch_size = 250, .shuffle = false});

  torch::nn::Linear in(20, 128), readout(128, 10);
  for (auto& layer : {in, readout}) torch::nn::init::kaiming_uniform_(layer->weight, 0.3);
  rheo::nn::Sequential net(in, Gain(gain), hidden, readout,
                           rheo::nn::Leaky({.beta = 0.98, .reset_mechanism = rheo::Reset::none}));
  const auto objective = [&](const rheo::data::Batch& batch) -> rheo::train::Evaluation {
    const auto mem = net->record_last(batch.x).last().mem;
    const auto correct =
        functional::predicted_max_membrane(mem).eq(batch.y).sum().template item<std::int64_t>();
    return {functional::ce_max_membrane_loss(mem, batch.y), correct, batch.y.size(0)};
  };
  const std::int64_t epochs = 8;
  rheo::train::Adam adam(net->parameters());
  rheo::train::Trainer trainer(*net, adam, objective,
                               {.epochs = epochs,
                                .schedule = rheo::train::Schedule::cosine(2e-2, epochs * train.batches()),
                                .clip_norm = 0.1});
  trainer.fit(train);
  return trainer.evaluate(test).accuracy;
}

TEST(Randman, IsLearnedWithParametricLIF) {
  rheo::nn::ParametricLIF hidden({.tau = 10.0, .learn_w = true});
  EXPECT_GE(accuracy_with(hidden, 30), 0.9);
  EXPECT_NE(hidden->parameter("w").item<float>(), static_cast<float>(-std::log(9.0)));
}

TEST(Randman, IsLearnedWithAdaptiveLIF) {
  rheo::nn::AdaptiveLIF hidden({.learn_beta = true});
  EXPECT_GE(accuracy_with(hidden, 60), 0.9);
  EXPECT_NE(hidden->parameter("beta").item<float>(), 1.8F);
}

TEST(Randman, IsLearnedWithPSN) {
  torch::manual_seed(2);
  const rheo::nn::PSN hidden({.steps = 100});
  EXPECT_GE(accuracy_with(hidden, 4), 0.9);
}

}  // namespace
