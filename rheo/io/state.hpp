// A state in a file: stop a stream here, go on there.
//   rheo::io::save_state("stream.safetensors", out.state);
//   auto more = net->forward(x2, rheo::io::load_state("stream.safetensors"));
#pragma once

#include <filesystem>

#include "rheo/core/export.hpp"
#include "rheo/nn/state.hpp"

namespace rheo::io {

/// Of one layer or of a whole Sequential; undefined tensors are left out. Writes atomically. Throws as write_tensors does.
RHEO_API void save_state(const std::filesystem::path& path, const State& state);

/// On the CPU, without history, in the order saved. Throws as read_tensors does, and RuntimeError naming the file where it
/// holds something else than a state.
RHEO_API State load_state(const std::filesystem::path& path);

}  // namespace rheo::io
