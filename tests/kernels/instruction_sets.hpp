// The instruction sets that this machine and build have.
#pragma once

#include <vector>

#include "rheo/kernels/registry.hpp"

namespace rheo::test {

inline std::vector<kernels::Isa> available() {
  std::vector<kernels::Isa> out;
  for (const auto isa : {kernels::Isa::baseline, kernels::Isa::avx2, kernels::Isa::avx512}) {
    if (kernels::is_available(isa)) out.push_back(isa);
  }
  return out;
}

}  // namespace rheo::test
