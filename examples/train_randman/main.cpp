// Trains a spiking network on Randman, where only the timing of spikes tells the classes apart. No files needed.
#include <rheo/rheo.hpp>
#include <torch/torch.h>

#include <cstdio>
#include <memory>

int main() {
  namespace functional = rheo::functional;
  torch::manual_seed(0);

  // 10 classes of spike trains, [T = 100, batch, 20 units].
  auto randman = std::make_shared<rheo::data::Randman>();
  const auto split = randman->split();
  const rheo::data::Loader train(randman, split.train, {.batch_size = 250});
  const rheo::data::Loader validation(randman, split.validation, {.batch_size = 250, .shuffle = false});
  const rheo::data::Loader test(randman, split.test, {.batch_size = 250, .shuffle = false});

  // The readout never resets: its highest membrane says which class it was.
  torch::nn::Linear hidden(20, 128), readout(128, 10);
  for (auto& layer : {hidden, readout}) torch::nn::init::kaiming_uniform_(layer->weight, 0.3);
  rheo::nn::Sequential net(hidden, rheo::nn::Leaky({.beta = 0.95}), readout,
                           rheo::nn::Leaky({.beta = 0.98, .reset_mechanism = rheo::Reset::none}));

  auto objective = [&](const rheo::data::Batch& batch) -> rheo::train::Evaluation {
    const auto mem = net->record_last(batch.x).last().mem;  // [T, B, 10]
    const auto correct = functional::predicted_max_membrane(mem).eq(batch.y).sum().item<std::int64_t>();
    return {functional::ce_max_membrane_loss(mem, batch.y), correct, batch.y.size(0)};
  };

  const std::int64_t epochs = 20;
  rheo::train::Adam adam(net->parameters(), torch::optim::AdamOptions(5e-3));
  rheo::train::Trainer trainer(*net, adam, objective,
                               {.epochs = epochs,
                                .schedule = rheo::train::Schedule::cosine(5e-3, epochs * train.batches()),
                                .on_epoch = [](const rheo::train::Metrics& m) {
                                  std::printf("epoch %2d: loss %.3f, validation accuracy %.1f %%\n",
                                              static_cast<int>(m.epoch), m.train_loss,
                                              100 * m.validation_accuracy.value_or(0));
                                  std::fflush(stdout);
                                }});
  trainer.fit(train, &validation);
  const auto score = trainer.evaluate(test);
  std::printf("test accuracy %.1f %%\n", 100 * score.accuracy);
  const bool learned = score.accuracy >= 0.97;
  std::printf("97 %% of the test set or more: %s\n", learned ? "yes" : "no");
  return learned ? 0 : 1;
}
