#include "rheo/nn/surrogate.hpp"

#include <algorithm>
#include <sstream>

#include "rheo/core/nearest.hpp"
#include "rheo/ops/error.hpp"

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

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& n : names) text += (text.empty() ? "" : ", ") + n;
  return text;
}

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
    throw ValueError("[surrogate] name must be one of " + listed(all) + ", got '" + std::string(name) + "'" +
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
