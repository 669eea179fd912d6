// A two-layer network against the installed package: forward, backward, one step of Adam.
#include <rheo/rheo.hpp>
#include <torch/torch.h>

#include <iostream>

int main() {
  torch::manual_seed(0);
  torch::nn::Linear in(5, 8), out(8, 3);
  rheo::nn::Leaky hidden({.beta = 0.9}), last({.beta = 0.8, .learn_beta = true});
  auto x = torch::rand({20, 4, 5});  // [T, B, N]
  auto spk = last->forward(out(hidden->forward(in(x)).spk)).spk;
  spk.sum().backward();
  const bool learns =
      in->weight.grad().abs().sum().item<double>() > 0 && last->named_parameters()["beta"].grad().defined();
  std::cout << "rheobase " << rheo::version() << ": spikes " << spk.sizes()
            << (learns ? ", gradients arrive" : ", NO GRADIENT") << "\n";
  return learns ? 0 : 1;
}
