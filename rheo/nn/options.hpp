// What the options of all layers with a threshold have in common. Last in each options aggregate, in snnTorch's order:
//   struct SLSTMOptions { std::int64_t input_size = 0, hidden_size = 0; bool bias = true; RHEO_COMMON_OPTIONS(OptionTraits) };
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rheo/core/export.hpp"
#include "rheo/core/fields.hpp"
#include "rheo/core/reset.hpp"
#include "rheo/nn/surrogate.hpp"
#include "rheo/nn/value.hpp"
#include "rheo/quant/state_quant.hpp"

namespace rheo {

/// "subtract", "zero", "none"
RHEO_API std::string to_string(Reset reset);
/// Throws ValueError with the valid names.
RHEO_API Reset parse_reset(std::string_view name);

namespace nn {

struct OptionTraits {
  using Value = rheo::Value;
  using Surrogate = rheo::Surrogate;
  using Reset = std::optional<rheo::Reset>;  // not given: the layer's own
  using Quantiser = rheo::quant::StateQuant;
  using Text = std::string;
};

/// threshold               1 if not given: a number or a tensor that broadcasts with one step
/// spike_grad              surrogate gradient of the spikes, atan(2) by default
/// surrogate_disable       spikes carry no gradient
/// init_hidden             the layer keeps its state between calls
/// inhibition              of each row of a dense layer only the largest membrane may spike, without the graded factor
/// learn_threshold
/// reset_mechanism         what a spike does to the membrane
/// state_quant             states become the nearest of given levels after every step
/// graded_spikes_factor    1 if not given: what a spike is worth
/// learn_graded_spikes_factor
/// reset_delay             false: the step that fires also resets
/// learn_slope             the surrogate's slope (its `slope`, `alpha`, `sigma` ...) is a parameter, `surrogate_slope`
/// fused                   false: the reference path
struct CommonOptions {
  RHEO_COMMON_OPTIONS(OptionTraits)
};

/// The common part of any layer's options.
template <class Options>
CommonOptions common_options(const Options& o) {
  return {o.threshold,
          o.spike_grad,
          o.surrogate_disable,
          o.init_hidden,
          o.inhibition,
          o.learn_threshold,
          o.reset_mechanism,
          o.state_quant,
          o.graded_spikes_factor,
          o.learn_graded_spikes_factor,
          o.reset_delay,
          o.learn_slope,
          o.fused};
}

/// Throws TypeError for the first of `names` (threshold, inhibition ...) that is set: the layer has no use for it.
RHEO_API void refuse_options(const std::string& kind, const CommonOptions& options,
                             const std::vector<std::string_view>& names);

}  // namespace nn
}  // namespace rheo
