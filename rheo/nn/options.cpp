#include "rheo/nn/options.hpp"

#include <algorithm>
#include <iterator>

#include "rheo/ops/error.hpp"

namespace rheo {
namespace {

constexpr std::string_view reset_names[] = {"subtract", "zero", "none"};

}  // namespace

std::string to_string(Reset reset) { return std::string(reset_names[static_cast<int>(reset)]); }

Reset parse_reset(std::string_view name) {
  for (int i = 0; i < 3; ++i) {
    if (reset_names[i] == name) return static_cast<Reset>(i);
  }
  throw ValueError("[reset_mechanism] must be one of subtract, zero, none, got '" + std::string(name) + "'");
}

void nn::refuse_options(const std::string& kind, const CommonOptions& o,
                        const std::vector<std::string_view>& names) {
  const std::pair<std::string_view, bool> set[] = {
      {"threshold", o.threshold.given()},
      {"spike_grad", o.spike_grad.is_custom() || o.spike_grad.to_string() != Surrogate().to_string()},
      {"surrogate_disable", o.surrogate_disable},
      {"init_hidden", o.init_hidden},
      {"inhibition", o.inhibition},
      {"learn_threshold", o.learn_threshold},
      {"reset_mechanism", o.reset_mechanism.has_value()},
      {"state_quant", o.state_quant.given()},
      {"graded_spikes_factor", o.graded_spikes_factor.given()},
      {"learn_graded_spikes_factor", o.learn_graded_spikes_factor},
      {"reset_delay", !o.reset_delay},
      {"learn_slope", o.learn_slope},
      {"fused", !o.fused},
  };
  for (const auto& [name, given] : set) {
    if (given && std::find(names.begin(), names.end(), name) != names.end()) {
      throw TypeError("[" + kind + "] " + std::string(name) + " must not be given: it would have no effect");
    }
  }
}

}  // namespace rheo
