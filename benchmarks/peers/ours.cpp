// Our side of the comparison with other libraries, a process of its own: run.py sends it a line per command and reads a
// JSON line each. The commands, and what each work is, are those of peers.py beside this file.
#include <ATen/Parallel.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/sum.h>
#include <torch/nn/modules/linear.h>
#include <torch/version.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <functional>
#include <iostream>
#include <limits>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "benchmarks/peers/work.hpp"
#include "rheo/functional/loss.hpp"
#include "rheo/nn/neurons.hpp"
#include "rheo/nn/recurrent.hpp"
#include "rheo/nn/registry.hpp"
#include "rheo/nn/sequential.hpp"
#include "rheo/nn/slstm.hpp"
#include "rheo/nn/spiking.hpp"
#include "rheo/nn/state_leaky.hpp"
#include "rheo/ops/product.hpp"
#include "rheo/train/optim.hpp"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace {

using Clock = std::chrono::steady_clock;
using peers::Numbers;
using peers::read;
using peers::Work;
using peers::write;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

Work leaky(const std::filesystem::path& folder, std::istream& words) {
  std::int64_t steps = 0, batch = 0, units = 0;
  std::string purpose, collected;
  words >> steps >> batch >> units >> purpose >> collected;
  std::ostringstream file;
  file << "leaky-" << steps << '-' << batch << '-' << units << ".f32";
  auto x = read(folder / file.str(), {steps, batch, units});
  const bool both = collected == "both";
  rheo::nn::Leaky lif({.beta = 0.9});

  // The membranes are part of the work; they leave with the recording.
  auto run = [lif, x, both]() mutable {
    if (both) return lif->record(x);
    rheo::nn::Recording spikes_only;
    spikes_only.spk = lif->forward(x).spk;
    return spikes_only;
  };
  if (purpose == "forward") {
    return {[run]() mutable {
              const at::NoGradGuard no_grad;
              run();
            },
            {}};
  }
  x.requires_grad_();
  auto train = [run, x]() mutable {
    x.mutable_grad().reset();
    auto out = run();
    out.spk.sum().backward();
    return out;
  };
  return {[train]() mutable { train(); },
          [train, x, folder]() mutable {
            const auto out = train();
            write(folder / "ours.spk", out.spk);
            write(folder / "ours.mem", out.mem);
            write(folder / "ours.grad", x.grad());
            return Numbers{{"loss", out.spk.sum(at::kDouble).item<double>()}};
          }};
}

/// A layer by the name it has in peers.py.
std::shared_ptr<rheo::nn::SpikingImpl> make_layer(const std::string& name) {
  if (name == "lapicque") return rheo::nn::Lapicque({.R = 5.1, .C = 5e-3, .time_step = 1e-3}).ptr();
  if (name == "synaptic") return rheo::nn::Synaptic({.alpha = 0.9, .beta = 0.8}).ptr();
  if (name == "alpha") return rheo::nn::Alpha({.alpha = 0.9, .beta = 0.8}).ptr();
  if (name == "stateleaky") return rheo::nn::StateLeaky({.beta = 0.9, .channels = 64}).ptr();
  if (name == "slstm-256") {
    return rheo::nn::SLSTM({.input_size = 256, .hidden_size = 256, .threshold = 0.1}).ptr();
  }
  if (name == "rleaky-dense") return rheo::nn::RLeaky({.beta = 0.9, .linear_features = 256}).ptr();
  throw std::runtime_error("no layer " + name);
}

/// Spikes of a layer over a sequence; training takes the gradients of its parameters and of the input.
Work layer(const std::filesystem::path& folder, std::istream& words) {
  std::string name, purpose;
  words >> name >> purpose;
  std::vector<std::int64_t> sizes;
  for (std::int64_t size = 0; words >> size;) sizes.push_back(size);
  const auto made = make_layer(name);
  for (auto& parameter : made->named_parameters()) {
    const at::NoGradGuard no_grad;
    const auto file = name + "-" + parameter.key() + ".f32";
    parameter.value().copy_(read(folder / file, parameter.value().sizes()));
  }
  auto x = read(folder / (name + "-x.f32"), sizes);
  if (purpose == "forward") {
    return {[made, x] {
              const at::NoGradGuard no_grad;
              made->forward(x);
            },
            {}};
  }
  x.requires_grad_();
  auto train = [made, x]() mutable {
    x.mutable_grad().reset();
    made->zero_grad();
    const auto spk = made->forward(x).spk;
    spk.sum().backward();
    return spk;
  };
  return {[train]() mutable { train(); },
          [train, x, folder]() mutable {
            const auto spk = train();
            write(folder / "ours.spk", spk);
            write(folder / "ours.grad", x.grad());
            return Numbers{{"loss", spk.sum(at::kDouble).item<double>()}};
          }};
}

/// The network and the step of snnTorch's tutorial 5: a constant input, the loss on the membranes of the output.
Work tutorial5(const std::filesystem::path& folder, std::istream& words) {
  std::string purpose;
  words >> purpose;
  const auto y = read(folder / "tutorial5-y.i64", {128}, at::kLong);
  const rheo::TimeConstant x{read(folder / "tutorial5-x.f32", {128, 784}), 25};

  rheo::nn::Sequential net(torch::nn::Linear(784, 1000), rheo::nn::Leaky({.beta = 0.95}),
                           torch::nn::Linear(1000, 10), rheo::nn::Leaky({.beta = 0.95}));
  for (const auto& [layer, file] : {std::pair{0, "tutorial5-fc1-"}, std::pair{2, "tutorial5-fc2-"}}) {
    auto& fc = net->layer<torch::nn::LinearImpl>(static_cast<std::size_t>(layer));
    const at::NoGradGuard no_grad;
    fc.weight.copy_(read(folder / (std::string(file) + "weight.f32"), fc.weight.sizes()));
    fc.bias.copy_(read(folder / (std::string(file) + "bias.f32"), fc.bias.sizes()));
  }
  if (purpose == "inference") {
    return {[net, x]() mutable {
              const at::NoGradGuard no_grad;
              const auto out = net->record_last(x);
              out.last().spk.sum(0).argmax(1);
            },
            {}};
  }
  const auto optimizer =
      std::make_shared<rheo::train::Adam>(net->parameters(), torch::optim::AdamOptions(5e-4));
  auto train = [net, x, y, optimizer]() mutable {
    optimizer->zero_grad();
    const auto out = net->record_last(x);
    const auto loss = rheo::functional::ce_membrane_loss(out.last().mem, y);
    loss.backward();
    optimizer->step();
    return loss;
  };
  return {[train]() mutable { train(); },
          [train]() mutable { return Numbers{{"loss", train().item<double>()}}; }};
}

Work find_work(const std::filesystem::path& folder, std::istream& words) {
  std::string name;
  words >> name;
  if (name == "leaky") return leaky(folder, words);
  if (name == "layer") return layer(folder, words);
  if (name == "tutorial5") return tutorial5(folder, words);
  if (name == "call") return peers::call(folder, words);
  throw std::runtime_error("no work " + name);
}

Numbers measure(double seconds, const Work& work) {
  for (int i = 0; i < 2; ++i) work.once();
  double least = std::numeric_limits<double>::max();
  int runs = 0;
  for (const auto began = Clock::now(); runs < 5 || seconds_since(began) < seconds; ++runs) {
    const auto start = Clock::now();
    work.once();
    least = std::min(least, seconds_since(start));
  }
  return {{"seconds", least}, {"runs", runs}};
}

Numbers keep_memory() {
#if defined(__GLIBC__)
  const bool kept =
      mallopt(M_MMAP_MAX, 0) == 1 && mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max()) == 1;
  return {{"keep", kept}};
#else
  return {{"keep", 0}};
#endif
}

Numbers obey(const std::filesystem::path& folder, const std::string& line) {
  std::istringstream words(line);
  std::string command;
  words >> command;
  if (command == "keep") return keep_memory();
  if (command == "check") return find_work(folder, words).check();
  double seconds = 0;
  words >> seconds;
  return measure(seconds, find_work(folder, words));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::printf("{\"torch\": \"%s\", \"threads\": %d, \"instruction_set\": \"%s\", \"product\": \"%s\"}\n",
              TORCH_VERSION, at::get_num_threads(), rheo::instruction_set().c_str(),
              rheo::ops::product_library().c_str());
  std::fflush(stdout);
  try {
    for (std::string line; std::getline(std::cin, line);) {
      std::string out;
      for (const auto& [name, number] : obey(argv[1], line)) {
        char text[64];
        std::snprintf(text, sizeof text, "%s\"%s\": %.9g", out.empty() ? "" : ", ", name.c_str(), number);
        out += text;
      }
      std::printf("{%s}\n", out.c_str());
      std::fflush(stdout);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
