#include "rheo/kernels/window.hpp"

namespace rheo::kernels {

// Generated: rheo/kernels/detail/window.hpp compiled for each instruction set.
WindowKernels window_baseline();
#if defined(RHEO_HAVE_X86_KERNELS)
WindowKernels window_avx2();
WindowKernels window_avx512();
#endif

WindowKernels window_kernels(Isa isa) {
  if (!is_available(isa)) return {};
#if defined(RHEO_HAVE_X86_KERNELS)
  if (isa == Isa::avx512) return window_avx512();
  if (isa == Isa::avx2) return window_avx2();
#endif
  return window_baseline();
}

}  // namespace rheo::kernels
