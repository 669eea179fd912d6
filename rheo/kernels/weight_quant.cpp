#include "rheo/kernels/weight_quant.hpp"

namespace rheo::kernels {

// Generated: rheo/kernels/detail/weight_quant.hpp compiled for each instruction set.
WeightQuantKernels weight_quant_baseline();
#if defined(RHEO_HAVE_X86_KERNELS)
WeightQuantKernels weight_quant_avx2();
WeightQuantKernels weight_quant_avx512();
#endif

WeightQuantKernels weight_quant_kernels(Isa isa) {
  if (!is_available(isa)) return {};
#if defined(RHEO_HAVE_X86_KERNELS)
  if (isa == Isa::avx512) return weight_quant_avx512();
  if (isa == Isa::avx2) return weight_quant_avx2();
#endif
  return weight_quant_baseline();
}

}  // namespace rheo::kernels
