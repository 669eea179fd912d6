#include "rheo/ops/neuron_linear.hpp"

#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/empty.h>

#include <algorithm>

#include "rheo/ops/detail/call.hpp"
#include "rheo/ops/detail/sparse_weight.hpp"
#include "rheo/ops/pool.hpp"

namespace rheo::ops {
namespace {

// Spikes of a piece: half of a small second-level cache.
constexpr std::int64_t piece_bytes = std::int64_t{1} << 18;
constexpr std::int64_t most_outputs = 32;

/// A piece: rows of the batch that are walked together, so many steps at a time.
struct Piece {
  std::int64_t rows, steps;
};
Piece piece_of(std::int64_t steps, std::int64_t row_bytes) {
  const auto fit = std::max<std::int64_t>(1, piece_bytes / std::max<std::int64_t>(1, row_bytes));
  return {std::max<std::int64_t>(1, fit / std::max<std::int64_t>(1, steps)),
          std::clamp<std::int64_t>(steps, 1, fit)};
}

template <class T>
NeuronResult run(const kernels::KernelTable& table, const detail::CallShape& shape, const NeuronCall& call,
                 const detail::SparseWeight& weight) {
  const auto x = call.x.contiguous();
  const auto first = detail::contiguous(call.state);
  const auto constants = detail::contiguous(call.constants);
  const auto n = weight.in, rows = shape.columns / n;
  auto sizes = x.sizes().vec();
  sizes[0] = shape.steps;
  sizes.back() = weight.out;
  NeuronResult out{recycled_empty(sizes, x.scalar_type()), {}, {}};
  kernels::ForwardCall<T> whole;
  detail::fill_call(whole, shape, x, first, constants, static_cast<std::int64_t>(call.reset),
                    call.reset_delay, call.surrogate);
  T* last[kernels::max_states] = {};
  for (int k = 0; k < table.states; ++k) {
    out.state.push_back(at::empty(x.sizes().slice(1), x.options()));
    last[k] = out.state.back().mutable_data_ptr<T>();
  }
  if (rows == 0) return out;
  const auto piece = piece_of(shape.steps, n * static_cast<std::int64_t>(sizeof(T)));
  const auto spikes = (piece.rows * piece.steps * n + 15) / 16 * 16;
  const auto plan = kernels::plan_forward(piece.steps, table.states, table.constants + 2, sizeof(T));
  const auto loop = detail::loops_of<T>(table).forward;
  T* y = out.spk.mutable_data_ptr<T>();
  at::parallel_for(0, (rows + piece.rows - 1) / piece.rows, 1, [&](std::int64_t begin, std::int64_t end) {
    auto* spk =
        static_cast<T*>(thread_workspace(static_cast<std::size_t>(spikes + plan.workspace) * sizeof(T)));
    std::vector<std::int32_t> positions(static_cast<std::size_t>(kernels::sparse_workspace(n)));
    for (auto r = begin * piece.rows; r < std::min(rows, end * piece.rows); r += piece.rows) {
      const auto count = std::min(piece.rows, rows - r);
      auto part = whole;
      part.columns = count * n;
      part.spk = spk;
      for (int k = 0; k < table.states; ++k) {
        if (part.state[k] != nullptr) part.state[k] += r * n;
        part.last_state[k] = last[k] + r * n;
      }
      part.x.data += r * n;
      for (std::int64_t t = 0; t < shape.steps; t += piece.steps) {
        part.steps = std::min(piece.steps, shape.steps - t);
        loop(part, 0, part.columns, spk + spikes);
        part.x.data += part.steps * part.x.step;
        for (int k = 0; k < table.states; ++k) part.state[k] = part.last_state[k];
        auto product = weight.call<T>();
        for (std::int64_t s = 0; s < part.steps; ++s) {
          product.x = spk + s * part.columns;
          product.y = y + ((t + s) * rows + r) * weight.out;
          kernels::sparse_product(product, 0, count, positions.data());
        }
      }
      if (shape.steps > 0) continue;
      part.steps = 0;  // the last state is the first
      loop(part, 0, part.columns, spk + spikes);
    }
  });
  return out;
}

}  // namespace

std::optional<NeuronResult> neuron_linear(const NeuronCall& call, const at::Tensor& weight,
                                          const at::Tensor& bias) {
  const auto& x = call.x;
  if (call.traces || !x.is_cpu() || x.dim() < 2 || weight.dim() != 2 || weight.size(0) > most_outputs)
    return {};
  if (weight.scalar_type() != x.scalar_type() || !weight.is_cpu()) return {};
  if (x.size(-1) != weight.size(1) || weight.numel() == 0) return {};
  const auto& table = detail::table_of(call.kind);
  const auto shape = detail::check_call(table, x, call.state, call.constants, call.steps,
                                        static_cast<std::int64_t>(call.reset));
  if (weight.size(1) % shape.period != 0) return {};
  const at::AutoDispatchBelowADInplaceOrView below;
  const detail::SparseWeight packed(weight, bias);
  if (!packed.finite) return {};
  return x.scalar_type() == at::kFloat ? run<float>(table, shape, call, packed)
                                       : run<double>(table, shape, call, packed);
}

}  // namespace rheo::ops
