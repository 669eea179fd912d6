// Encoders, losses and quantisers, each a single call: FUNCTIONS of peers.py.
#include <ATen/TensorOperators.h>
#include <ATen/ops/sum.h>

#include "benchmarks/peers/work.hpp"
#include "rheo/functional/loss.hpp"
#include "rheo/quant/state_quant.hpp"
#include "rheo/spikegen/latency.hpp"
#include "rheo/spikegen/rate.hpp"

namespace peers {
namespace {

/// f gives what is checked by its sum; it is timed as it is, results freed.
Work of(std::function<at::Tensor()> f) {
  return {[f] { f(); }, [f] { return Numbers{{"loss", f().sum(at::kDouble).item<double>()}}; }};
}

}  // namespace

Work call(const std::filesystem::path& folder, std::istream& words) {
  std::string name;
  words >> name;
  std::vector<std::int64_t> sizes;
  for (std::int64_t size = 0; words >> size;) sizes.push_back(size);
  const auto x = read(folder / ("call-" + name + ".f32"), sizes);
  if (name == "rate") return of([x] { return rheo::spikegen::rate(x, {.num_steps = 100}); });
  if (name == "latency") {
    return of(
        [x] { return rheo::spikegen::latency(x, {.num_steps = 100, .normalize = true, .linear = true}); });
  }
  if (name == "mse-temporal") {
    const auto y = read(folder / "call-mse-temporal.i64", {sizes[1]}, at::kLong);
    return of([x, y] {
      const auto spk = x.detach().requires_grad_();
      const auto loss = rheo::functional::mse_temporal_loss(spk, y, {.on_target = {10}, .off_target = {90}});
      loss.backward();
      return loss.detach() + spk.grad().sum();
    });
  }
  if (name == "state-quant") {
    const auto quantise = rheo::quant::StateQuant({.num_bits = 8});
    return of([x, quantise] { return quantise(x); });
  }
  throw std::runtime_error("no function " + name);
}

}  // namespace peers
