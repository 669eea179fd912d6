#include "rheo/kernels/sparse_product.hpp"

namespace rheo::kernels {

SparseProductLoops sparse_product_baseline();
#if defined(RHEO_HAVE_X86_KERNELS)
SparseProductLoops sparse_product_avx2();
SparseProductLoops sparse_product_avx512();
#endif

SparseProductLoops sparse_product_loops(Isa isa) noexcept {
#if defined(RHEO_HAVE_X86_KERNELS)
  if (isa == Isa::avx512) return sparse_product_avx512();
  if (isa == Isa::avx2) return sparse_product_avx2();
#endif
  static_cast<void>(isa);
  return sparse_product_baseline();
}

namespace {
const SparseProductLoops& chosen() {
  static const SparseProductLoops loops = sparse_product_loops(chosen_isa());
  return loops;
}
}  // namespace

void sparse_product(const SparseProductCall<float>& call, std::int64_t begin, std::int64_t end,
                    std::int32_t* positions) {
  chosen().f32(call, begin, end, positions);
}
void sparse_product(const SparseProductCall<double>& call, std::int64_t begin, std::int64_t end,
                    std::int32_t* positions) {
  chosen().f64(call, begin, end, positions);
}

}  // namespace rheo::kernels
