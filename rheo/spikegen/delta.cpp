#include "rheo/spikegen/delta.hpp"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <c10/util/StringUtil.h>

#include <cmath>
#include <type_traits>

#include "rheo/ops/define.hpp"
#include "rheo/ops/error.hpp"

namespace rheo::spikegen {

at::Tensor delta(const at::Tensor& data, const DeltaOptions& o) {
  if (!data.defined() || data.dim() < 1) {
    throw ValueError(
        c10::str("[delta] data must be [T, ...], got ", data.defined() ? data.sizes() : at::IntArrayRef()));
  }
  if (data.is_complex() || data.scalar_type() == at::kBool) {
    throw TypeError(c10::str("[delta] data must be of a real type, got ", data.scalar_type()));
  }
  if (!data.is_cpu()) throw ValueError(c10::str("[delta] data must be on the CPU, got ", data.device()));
  if (std::isnan(o.threshold)) throw ValueError("[delta] threshold must be a number, got nan");
  const auto x = data.detach().contiguous();
  auto out = at::empty(x.sizes(), x.options());
  const auto columns = c10::multiply_integers(x.sizes().slice(1));
  AT_DISPATCH_ALL_TYPES_AND2(at::kHalf, at::kBFloat16, x.scalar_type(), "delta", [&] {
    // Differences in the input's type; integers are compared as doubles, for a threshold between two of them.
    using Wide = std::conditional_t<(sizeof(scalar_t) < 4) || std::is_integral_v<scalar_t>, double, scalar_t>;
    const auto* from = x.const_data_ptr<scalar_t>();
    auto* to = out.mutable_data_ptr<scalar_t>();
    const auto threshold = static_cast<Wide>(o.threshold);
    at::parallel_for(0, x.numel(), 65536, [&](std::int64_t begin, std::int64_t end) {
      for (auto i = begin; i < end; ++i) {
        const auto before = i >= columns ? static_cast<Wide>(from[i - columns])
                            : o.padding  ? static_cast<Wide>(from[i])
                                         : Wide(0);
        const auto d = static_cast<Wide>(from[i]) - before;
        const int on = d >= threshold ? 1 : 0, off = o.off_spike && d <= -threshold ? 1 : 0;
        to[i] = static_cast<scalar_t>(static_cast<float>(on - off));
      }
    });
  });
  return out;
}

namespace {

at::Tensor delta_cpu(const at::Tensor& data, double threshold, bool padding, bool off_spike) {
  return delta(data, {.threshold = threshold, .padding = padding, .off_spike = off_spike});
}

at::Tensor delta_meta(const at::Tensor& data, double, bool, bool) {
  return at::empty_symint(data.sym_sizes(), data.options());
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(rheobase, m) {
  ops::define_plain<delta_cpu, delta_meta>(
      m, "delta(Tensor data, float threshold, bool padding, bool off_spike) -> Tensor");
}

}  // namespace rheo::spikegen
