#include "rheo/io/state.hpp"

#include <c10/util/StringUtil.h>

#include "rheo/io/safetensors.hpp"
#include "rheo/ops/error.hpp"

namespace rheo::io {
namespace {

constexpr const char* key = "rheobase";
constexpr const char* holds = "state";

}  // namespace

void save_state(const std::filesystem::path& path, const State& state) {
  TensorFile file{.metadata = {{key, holds}}};
  for (const auto& [name, tensor] : state) {
    if (tensor.defined()) file.tensors.emplace_back(name, tensor.detach());
  }
  write_tensors(path, file);
}

State load_state(const std::filesystem::path& path) {
  auto file = read_tensors(path);
  const auto found = file.metadata.find(key);
  if (found == file.metadata.end() || found->second != holds) {
    throw RuntimeError(c10::str("[load_state] file must hold a state, got ", path.string()));
  }
  return State(std::move(file.tensors));
}

}  // namespace rheo::io
