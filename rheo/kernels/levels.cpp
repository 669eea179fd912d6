#include "rheo/kernels/levels.hpp"

namespace rheo::kernels {

// Generated: rheo/kernels/detail/levels.hpp compiled for each instruction set.
LevelKernels levels_baseline();
#if defined(RHEO_HAVE_X86_KERNELS)
LevelKernels levels_avx2();
LevelKernels levels_avx512();
#endif

LevelKernels level_kernels(Isa isa) {
  if (!is_available(isa)) return {};
#if defined(RHEO_HAVE_X86_KERNELS)
  if (isa == Isa::avx512) return levels_avx512();
  if (isa == Isa::avx2) return levels_avx2();
#endif
  return levels_baseline();
}

}  // namespace rheo::kernels
