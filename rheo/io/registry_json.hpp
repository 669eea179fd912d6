// The registry as JSON text, and the operator `rheobase::describe` that hands it to Python: neurons with parameters,
// defaults and equations, surrogates with their arguments.
#pragma once

#include <string>

#include "rheo/core/export.hpp"

namespace rheo::io {

/// {"version", "torch", "instruction_set", "neurons": [...], "surrogates": [...]}
RHEO_API std::string registry_json();

}  // namespace rheo::io
