#include "rheo/spikegen/rate_conv.hpp"

#include "rheo/core/random.hpp"
#include "rheo/ops/error.hpp"
#include "rheo/ops/seed.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <atomic>
#include <string>

namespace rheo::spikegen {
namespace {

constexpr std::int64_t block_size = 4;        // words of one Philox block
constexpr std::int64_t blocks_a_task = 4096;  // some 40 us of work

/// x, spk: [elements]. Returns the index of the first NaN, or `elements`.
template <class T>
std::int64_t draw(const T* x, T* spk, std::int64_t elements, CounterRandom random) {
  std::atomic<std::int64_t> first_nan{elements};
  const std::int64_t blocks = (elements + block_size - 1) / block_size;
  at::parallel_for(0, blocks, blocks_a_task, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      const PhiloxBlock words = random.block(static_cast<std::uint64_t>(b));
      const std::int64_t first = b * block_size;
      const std::int64_t last = std::min(first + block_size, elements);
      bool any_nan = false;
      for (std::int64_t i = first; i < last; ++i) {
        any_nan |= x[i] != x[i];
        spk[i] = bernoulli(words.word[i - first], x[i]) ? T(1) : T(0);
      }
      if (any_nan) [[unlikely]] {
        const T* nan = std::find_if(x + first, x + last, [](T value) { return value != value; });
        std::int64_t seen = first_nan.load();
        while (nan - x < seen && !first_nan.compare_exchange_weak(seen, nan - x)) {
        }
      }
    }
  });
  return first_nan.load();
}

template <class T>
at::Tensor encode(const at::Tensor& x, std::uint64_t seed) {
  const at::Tensor probabilities = x.contiguous();
  at::Tensor spk = at::empty(x.sizes(), x.options().requires_grad(false));
  const std::int64_t nan = draw(probabilities.const_data_ptr<T>(), spk.mutable_data_ptr<T>(), spk.numel(),
                                CounterRandom{.seed = seed});
  if (nan < spk.numel()) {
    throw ValueError("[rate_conv] x must be probabilities, got NaN at element " + std::to_string(nan));
  }
  return spk;
}

}  // namespace

at::Tensor rate_conv(const at::Tensor& x, std::optional<std::uint64_t> seed) {
  if (!x.defined()) throw ValueError("[rate_conv] x must be a tensor, got an undefined one");
  if (!at::isFloatingType(x.scalar_type())) {
    throw TypeError(std::string("[rate_conv] x must have a floating-point type, got ") +
                    c10::toString(x.scalar_type()));
  }
  if (!x.device().is_cpu()) throw ValueError("[rate_conv] x must be on the CPU, got " + x.device().str());
  const at::Tensor values = x.detach();
  const std::uint64_t key = seed ? *seed : ops::draw_seed();
  if (values.scalar_type() == at::kDouble) return encode<double>(values, key);
  if (values.scalar_type() == at::kFloat) return encode<float>(values, key);
  return encode<float>(values.to(at::kFloat), key).to(x.scalar_type());
}

}  // namespace rheo::spikegen
