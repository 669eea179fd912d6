#include "rheo/kernels/packed_product.hpp"

namespace rheo::kernels {

// Generated: rheo/kernels/detail/packed_product.hpp compiled for each instruction set.
PackedProducts packed_product_baseline();
#if defined(RHEO_HAVE_X86_KERNELS)
PackedProducts packed_product_avx2();
PackedProducts packed_product_avx512();
#endif

PackedProducts packed_products(Isa isa) {
  if (!is_available(isa)) return {};
#if defined(RHEO_HAVE_X86_KERNELS)
  if (isa == Isa::avx512) return packed_product_avx512();
  if (isa == Isa::avx2) return packed_product_avx2();
#endif
  return packed_product_baseline();
}

}  // namespace rheo::kernels
