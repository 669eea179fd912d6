// The time loops of a pointwise neuron, forward and backward, for the instruction set of the file that includes this.
#pragma once

#include "rheo/kernels/detail/backward.hpp"
#include "rheo/kernels/detail/forward.hpp"

namespace rheo::inline RHEO_ISA::loops {

/// The neuron's kernels for the instruction set of this object.
template <class N>
NeuronKernels neuron_kernels() {
  return {{&forward<N, float>, &backward<N, float>}, {&forward<N, double>, &backward<N, double>}};
}

}  // namespace rheo::inline RHEO_ISA::loops
