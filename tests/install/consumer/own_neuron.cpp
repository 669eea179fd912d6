// A neuron that the library does not know: fused on every instruction set, equal to the reference path.
#include <rheo/rheo.hpp>
#include <torch/torch.h>

#include <iostream>

#include "quadratic.hpp"

namespace {

using Quadratic = rheo::nn::NeuronHolder<rheo::neurons::Quadratic>;

struct Run {
  torch::Tensor spk, mem, grad_x, grad_gain;
};

Run run(bool fused, const torch::Tensor& input) {
  Quadratic neuron({.gain = 0.2, .learn_gain = true, .fused = fused});
  auto x = input.clone().requires_grad_();
  auto out = neuron->record(x);
  (out.spk.sum() + out.mem.square().sum()).backward();
  return {out.spk, out.mem, x.grad(), neuron->named_parameters()["gain"].grad()};
}

}  // namespace

int main() {
  torch::manual_seed(0);
  const auto x = 0.4 * torch::rand({50, 3, 17}, torch::kDouble);  // [T, B, N]
  const Run fused = run(true, x), reference = run(false, x);
  const bool same = fused.spk.equal(reference.spk) &&
                    torch::allclose(fused.mem, reference.mem, 1e-12, 1e-12) &&
                    torch::allclose(fused.grad_x, reference.grad_x, 1e-9, 1e-12) &&
                    torch::allclose(fused.grad_gain, reference.grad_gain, 1e-9, 1e-12);
  Quadratic neuron({.gain = 0.2});
  std::cout << rheo::instruction_set() << ": " << fused.spk.sum().item<int>()
            << " spikes, fused and reference " << (same ? "agree" : "DIFFER") << "; "
            << rheo::explain(*neuron) << "\n";
  return same && fused.spk.sum().item<int>() > 0 ? 0 : 1;
}
