#include "rheo/nn/state.hpp"

#include <algorithm>

#include "rheo/ops/error.hpp"

namespace rheo {
namespace {

template <class F>
State each(const State& state, F f) {
  std::vector<State::Entry> out;
  for (const auto& [name, tensor] : state) out.emplace_back(name, tensor.defined() ? f(tensor) : tensor);
  return State(std::move(out));
}

}  // namespace

bool State::contains(std::string_view name) const {
  return std::any_of(begin(), end(), [&](const Entry& e) { return e.first == name; });
}

const at::Tensor& State::operator[](std::string_view name) const {
  for (const auto& [key, tensor] : entries_) {
    if (key == name) return tensor;
  }
  std::string known;
  for (const auto& entry : entries_) known += (known.empty() ? "" : ", ") + entry.first;
  throw ValueError("[State] name must be one of the states held (" + (known.empty() ? "none" : known) +
                   "), got '" + std::string(name) + "'");
}

std::vector<std::string> State::names() const {
  std::vector<std::string> out;
  for (const auto& entry : entries_) out.push_back(entry.first);
  return out;
}

State State::detach() const {
  return each(*this, [](const at::Tensor& t) { return t.detach(); });
}
State State::clone() const {
  return each(*this, [](const at::Tensor& t) { return t.clone(); });
}
State State::to(at::Device device) const {
  return each(*this, [&](const at::Tensor& t) { return t.to(device); });
}
State State::to(at::ScalarType dtype) const {
  return each(*this, [&](const at::Tensor& t) { return t.to(dtype); });
}

}  // namespace rheo
