// The same small task with seven neurons, from Hodgkin and Huxley's axon to one that is a product over time: how well each
// tells spike trains apart, how often it fires, what it learns and what it costs. No files needed, none written.
#include <rheo/rheo.hpp>
#include <torch/torch.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace {

using torch::Tensor;

constexpr std::int64_t epochs = 10, steps = 100, units = 20, hidden = 64, classes = 5;

volatile std::sig_atomic_t interrupted = 0;
void on_interrupt(int) {
  interrupted = 1;
  std::signal(SIGINT, SIG_DFL);  // the second one ends the program at once
}

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// The input of a neuron in its own unit.
struct DriveImpl : torch::nn::Module {
  explicit DriveImpl(double factor) : gain(factor) {}
  Tensor forward(const Tensor& x) { return gain * x; }
  double gain;
};
TORCH_MODULE(Drive);

struct Candidate {
  std::string name;
  double gain;          // of its input: three times the range in which noise makes it fire now and then
  double milliseconds;  // of a step; 0: a step has no duration
  std::shared_ptr<torch::nn::Module> neuron;
  std::function<void(rheo::nn::Sequential&)> add;
};

template <class Layer>
Candidate candidate(const std::string& name, Layer layer, double milliseconds = 0) {
  const auto drive = rheo::find_neuron(name == "PSN" ? "Leaky" : name).drive;  // PSN has no range of its own
  return {name, 3 * (drive.high - drive.low), milliseconds, layer.ptr(),
          [layer](rheo::nn::Sequential& net) { net->push_back("hidden", layer); }};
}

/// Those in millivolts with a time step that makes ten to twenty of their membrane's time constant. AdEx and Izhikevich fire at a
/// threshold below the published one, where the upstroke can no longer be stopped: the surrogate gradient sees what decides.
std::vector<Candidate> candidates() {
  namespace nn = rheo::nn;
  return {
      candidate("Leaky", nn::Leaky({.beta = 0.95})),
      candidate("ParametricLIF", nn::ParametricLIF({.tau = 10.0, .learn_w = true})),
      candidate("AdaptiveLIF", nn::AdaptiveLIF({.learn_beta = true}), 1),
      candidate("PSN", nn::PSN({.steps = steps})),
      candidate("Izhikevich", nn::Izhikevich({.time_step = 0.1, .threshold = -30.0}), 0.1),
      candidate("AdEx", nn::AdEx({.time_step = 0.5, .threshold = -40.0}), 0.5),
      candidate("HodgkinHuxley", nn::HodgkinHuxley(), 0.1),
  };
}

std::int64_t count(const std::vector<Tensor>& parameters) {
  std::int64_t all = 0;
  for (const auto& p : parameters) all += p.requires_grad() ? p.numel() : 0;
  return all;
}

/// A network of 20 inputs, 64 hidden neurons and a readout that never resets: its highest membrane says which class it was.
struct Learner {
  explicit Learner(const Candidate& of) {
    torch::manual_seed(0);
    torch::nn::Linear in(units, hidden), readout(hidden, classes);
    for (auto& layer : {in, readout}) torch::nn::init::kaiming_uniform_(layer->weight, 0.3);
    net->push_back("in", in);
    net->push_back("drive", Drive(of.gain));
    of.add(net);
    net->push_back("readout", readout);
    net->push_back("out", rheo::nn::Leaky({.beta = 0.98, .reset_mechanism = rheo::Reset::none}));
  }
  rheo::train::Evaluation operator()(const rheo::data::Batch& batch) {
    const auto mem = net->record_last(batch.x).last().mem;  // [T, B, 5]
    const auto guess = rheo::functional::predicted_max_membrane(mem);
    return {rheo::functional::ce_max_membrane_loss(mem, batch.y),
            guess.eq(batch.y).sum().item<std::int64_t>(), batch.y.size(0)};
  }
  /// Spikes per hidden neuron and step.
  double rate(const rheo::data::Loader& loader) {
    const torch::NoGradGuard no_grad;
    double sum = 0;
    for (const auto& batch : loader.epoch(0)) {
      sum += net->record(batch.x, {}, {"hidden"})["hidden"].spk.mean().item<double>() *
             static_cast<double>(batch.y.size(0));
    }
    return sum / static_cast<double>(loader.samples());
  }
  rheo::nn::Sequential net;
};

/// One line on stderr that redraws itself on a terminal.
class Progress {
 public:
  /// `seconds`: what each part is expected to take.
  explicit Progress(std::vector<double> seconds) : seconds_(std::move(seconds)) {}
  void operator()(const std::string& name, std::size_t part, double done_of_part) {
    if (!terminal_ || now() - last_ < 0.2) return;
    last_ = now();
    double done = seconds_[part] * done_of_part, all = 0;
    for (std::size_t k = 0; k < seconds_.size(); ++k) {
      all += seconds_[k];
      if (k < part) done += seconds_[k];
    }
    const double left = (all - done) * (done > 1 ? (last_ - start_) / done : 1);
    std::fprintf(stderr, "\r%s, %zu of %zu, %.0f %%, %.0f s left\033[K", name.c_str(), part + 1,
                 seconds_.size(), 100 * done_of_part, left);
  }
  void clear() const {
    if (terminal_) std::fputs("\r\033[K", stderr);
  }

 private:
  std::vector<double> seconds_;
  bool terminal_ = isatty(STDERR_FILENO) != 0;
  double start_ = now(), last_ = 0;
};

/// What a batch takes, forward and backward.
double seconds_of(Learner& learner, const rheo::data::Batch& batch) {
  double took = 0;
  for (int k = 0; k < 2; ++k) {  // the first call is slower
    const double start = now();
    learner(batch).loss.backward();
    took = now() - start;
  }
  return took;
}

}  // namespace

int main() {
  std::signal(SIGINT, on_interrupt);
  // 5 classes of spike trains, [T = 100, batch, 20 units]. Every unit fires once: only when it does says anything.
  const auto randman = std::make_shared<rheo::data::Randman>(
      rheo::data::RandmanOptions{.classes = classes, .units = units, .steps = steps, .samples = 400});
  const auto split = randman->split();
  const rheo::data::Loader train(randman, split.train, {.batch_size = 50});
  const rheo::data::Loader test(randman, split.test, {.batch_size = 250, .shuffle = false});

  torch::manual_seed(0);
  const auto all = candidates();
  std::vector<double> expected;
  auto epoch = train.epoch(0);
  const rheo::data::Batch batch = *epoch.next();
  for (const auto& c : all) {
    Learner learner(c);
    expected.push_back(seconds_of(learner, batch) * static_cast<double>(epochs * train.batches()));
  }
  Progress progress(expected);

  std::printf("%-14s %9s %17s %8s %19s %6s\n", "neuron", "accuracy", "spikes per step", "rate",
              "learned, by neuron", "time");
  double leaky_seconds = 0;
  std::vector<double> accuracies;
  for (std::size_t k = 0; k < all.size() && interrupted == 0; ++k) {
    const Candidate& c = all[k];
    Learner learner(c);
    rheo::train::Adam adam(learner.net->parameters());
    double start = 0, seconds = std::numeric_limits<double>::infinity();  // of the fastest epoch
    rheo::train::Trainer trainer(*learner.net, adam, std::ref(learner),
                                 {.epochs = epochs,
                                  .schedule = rheo::train::Schedule::cosine(2e-2, epochs * train.batches()),
                                  .clip_norm = 0.1,  // upstrokes make gradients large
                                  .on_batch =
                                      [&](const rheo::train::Progress& p) {
                                        const auto done =
                                            static_cast<double>((p.epoch - 1) * p.batches + p.batch);
                                        progress(c.name, k, done / static_cast<double>(epochs * p.batches));
                                      },
                                  .on_epoch =
                                      [&](const rheo::train::Metrics&) {
                                        seconds = std::min(seconds, now() - start);
                                        start = now();
                                      },
                                  .stop = [] { return interrupted != 0; }});
    start = now();
    if (trainer.fit(train) == rheo::train::Outcome::stopped) break;
    if (k == 0) leaky_seconds = seconds;
    const double accuracy = trainer.evaluate(test).accuracy, rate = learner.rate(test);
    accuracies.push_back(accuracy);
    progress.clear();
    char hertz[32] = "";
    if (c.milliseconds > 0) std::snprintf(hertz, sizeof hertz, "%.0f Hz", 1000 * rate / c.milliseconds);
    std::printf("%-14s %7.1f %% %17.4f %8s %9lld, %8lld %5.1fx\n", c.name.c_str(), 100 * accuracy, rate,
                hertz, static_cast<long long>(count(learner.net->parameters())),
                static_cast<long long>(count(c.neuron->parameters())), seconds / leaky_seconds);
    std::fflush(stdout);
  }
  progress.clear();
  if (interrupted != 0) {
    std::fprintf(stderr, "interrupted: the neurons above are done\n");
    return 130;
  }
  const auto good = std::count_if(accuracies.begin(), accuracies.end(), [](double a) { return a >= 0.9; });
  const bool learned = good >= 4 && *std::min_element(accuracies.begin(), accuracies.end()) >= 0.6;
  std::printf("60 %% of the test set or more with every neuron, 90 %% with most: %s\n",
              learned ? "yes" : "no");
  return learned ? 0 : 1;
}
