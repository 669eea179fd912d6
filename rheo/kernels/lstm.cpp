#include "rheo/kernels/lstm.hpp"

namespace rheo::kernels {

// Generated: rheo/kernels/detail/lstm.hpp compiled for each instruction set.
LstmLoops lstm_baseline();
#if defined(RHEO_HAVE_X86_KERNELS)
LstmLoops lstm_avx2();
LstmLoops lstm_avx512();
#endif

LstmLoops lstm_loops(Isa isa) {
  if (!is_available(isa)) return {};
#if defined(RHEO_HAVE_X86_KERNELS)
  if (isa == Isa::avx512) return lstm_avx512();
  if (isa == Isa::avx2) return lstm_avx2();
#endif
  return lstm_baseline();
}

}  // namespace rheo::kernels
