// One leaky integrate-and-fire neuron, Lapicque's: when does it fire, what is its rheobase, and how does a
// gradient find a parameter?
#include <rheo/rheo.hpp>
#include <torch/torch.h>

#include <cstdio>

namespace {

void print_spike_times(const char* label, const torch::Tensor& spk /* [T, 1] */) {
  std::printf("%s:", label);
  const auto times = spk.flatten().nonzero();
  for (int64_t i = 0; i < times.numel(); ++i) std::printf(" %d", times[i].item<int>());
  std::printf("\n");
}

}  // namespace

int main() {
  torch::manual_seed(0);

  // A membrane of R = 5.1 ohm and C = 5 mF, in steps of a millisecond. A current of 0.3 A sets in after ten.
  rheo::nn::Lapicque lif({.R = 5.1, .C = 5e-3, .time_step = 1e-3});
  const auto step = torch::cat({torch::zeros({10, 1}), torch::ones({190, 1})});  // [T, N]
  const auto run = lif->record(0.3 * step);
  print_spike_times("0.3 A fires at step", run.spk);
  std::printf("the membrane peaks at %.4f V, threshold 1 V\n", run.mem.max().item<double>());

  // A thousand neurons at once, each with its own current: the smallest one that still fires is the rheobase.
  const auto currents = torch::linspace(0.15, 0.25, 1001);  // [N]
  const auto sweep = lif->forward(currents.expand({2000, 1001}));
  const auto fires = sweep.spk.sum(0) > 0;
  std::printf("rheobase: %.4f A, theory: threshold / R = %.4f A\n",
              currents.masked_select(fires).min().item<double>(), 1 / 5.1);

  // Which R makes the mean membrane of a silent neuron 0.5 V? The gradient runs back through all 200 steps.
  rheo::nn::Lapicque cell({.R = 2.0, .C = 5e-3, .time_step = 1e-3, .learn_R = true});
  torch::optim::Adam adam(cell->parameters(), 0.05);
  for (int i = 0; i < 200; ++i) {
    adam.zero_grad();
    const auto loss = (cell->record(0.1 * step).mem.mean() - 0.5).square();
    loss.backward();
    adam.step();
  }
  std::printf("a mean membrane of 0.5 V needs R = %.2f ohm\n", cell->named_parameters()["R"].item<double>());
}
