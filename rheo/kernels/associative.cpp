#include "rheo/kernels/associative.hpp"

namespace rheo::kernels {

// Generated: rheo/kernels/detail/associative.hpp compiled for each instruction set.
AssociativeKernels associative_baseline();
#if defined(RHEO_HAVE_X86_KERNELS)
AssociativeKernels associative_avx2();
AssociativeKernels associative_avx512();
#endif

AssociativeKernels associative_kernels(Isa isa) {
  if (!is_available(isa)) return {};
#if defined(RHEO_HAVE_X86_KERNELS)
  if (isa == Isa::avx512) return associative_avx512();
  if (isa == Isa::avx2) return associative_avx2();
#endif
  return associative_baseline();
}

}  // namespace rheo::kernels
