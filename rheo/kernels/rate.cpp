#include "rheo/kernels/rate.hpp"

namespace rheo::kernels {

// Generated: rheo/kernels/detail/rate.hpp compiled for each instruction set.
RateKernels rate_baseline();
#if defined(RHEO_HAVE_X86_KERNELS)
RateKernels rate_avx2();
RateKernels rate_avx512();
#endif

RateKernels rate_kernels(Isa isa) {
  if (!is_available(isa)) return {};
#if defined(RHEO_HAVE_X86_KERNELS)
  if (isa == Isa::avx512) return rate_avx512();
  if (isa == Isa::avx2) return rate_avx2();
#endif
  return rate_baseline();
}

}  // namespace rheo::kernels
