#include "rheo/nn/surrogate.hpp"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <sstream>

#include "rheo/core/nearest.hpp"
#include "rheo/nn/detail/text.hpp"
#include "rheo/ops/error.hpp"
#include "rheo/ops/seed.hpp"

namespace rheo {
namespace {

struct Known {
  std::string_view name;
  const SurrogateArgument* args;
};
constexpr Known known[] = {
#define RHEO_KNOWN_(s) {#s, surrogates::s::args}
    RHEO_LIST(RHEO_KNOWN_, RHEO_SURROGATES)
#undef RHEO_KNOWN_
};

}  // namespace

std::vector<std::string> Surrogate::names() {
  std::vector<std::string> out;
  for (const auto& k : known) out.emplace_back(k.name);
  return out;
}

Surrogate Surrogate::by_name(std::string_view name, const std::vector<std::pair<std::string, double>>& args) {
  const auto* found =
      std::find_if(std::begin(known), std::end(known), [&](const Known& k) { return k.name == name; });
  if (found == std::end(known)) {
    const auto all = names();
    const auto near = nearest_name(name, all);
    throw ValueError("[surrogate] name must be one of " + nn::detail::listed(all) + ", got '" +
                     std::string(name) + "'" +
                     (near.empty() ? "" : "; did you mean '" + std::string(near) + "'?"));
  }
  SurrogateCall call{static_cast<SurrogateKind>(found - std::begin(known)), {}};
  for (int i = 0; i < max_surrogate_args; ++i) call.args[i] = found->args[i].value;
  for (const auto& [key, value] : args) {
    int at = -1;
    for (int i = 0; i < max_surrogate_args; ++i) {
      if (!found->args[i].name.empty() && found->args[i].name == key) at = i;
    }
    if (at < 0) throw ValueError("[surrogate] " + std::string(name) + " has no argument '" + key + "'");
    call.args[at] = value;
  }
  return Surrogate(call);
}

std::vector<std::string> Surrogate::names_with_slope() {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < std::size(known); ++i) {
    if (surrogate_slope(static_cast<SurrogateKind>(i)) >= 0) out.emplace_back(known[i].name);
  }
  return out;
}

std::optional<double> Surrogate::slope() const {
  const int at = surrogate_slope(call_.kind);
  if (is_custom() || at < 0) return {};
  return call_.args[at];
}

SurrogateCall with_seed(SurrogateCall call) {
  if (!is_stochastic(call.kind)) return call;
  double& seed = call.args[surrogates::SSO::seed];
  if (seed >= 0) return call;
  // 32 bits: a double holds them exactly.
  seed = at::GradMode::is_enabled() ? static_cast<double>(ops::draw_seed() >> 32) : 0;
  return call;
}

std::string Surrogate::to_string() const {
  if (is_custom()) return "custom";
  const auto& k = known[static_cast<int>(call_.kind)];
  std::ostringstream text;
  text << k.name << '(';
  for (int i = 0; i < max_surrogate_args && !k.args[i].name.empty(); ++i) {
    text << (i > 0 ? ", " : "") << k.args[i].name << '=' << call_.args[i];
  }
  text << ')';
  return text.str();
}

}  // namespace rheo
