// Steps of CounterRandom under one user's seed, so that no two uses draw the same numbers. Epochs use 0, 1, ...
#pragma once

#include <cstdint>

namespace rheo::data::detail {

inline constexpr std::uint64_t split_stream = std::uint64_t{1} << 56;
inline constexpr std::uint64_t hold_out_stream = std::uint64_t{2} << 56;
inline constexpr std::uint64_t shift_stream = std::uint64_t{3} << 56;   // + epoch
inline constexpr std::uint64_t affine_stream = std::uint64_t{4} << 56;  // + epoch
inline constexpr std::uint64_t randman_theta_stream = std::uint64_t{5} << 56;
inline constexpr std::uint64_t randman_x_stream = std::uint64_t{6} << 56;

}  // namespace rheo::data::detail
