// numpy.random.default_rng(seed).choice(size, count, replace=False), number for number, so that lists drawn in Python
// can be drawn again here.
#pragma once

#include <cstdint>
#include <vector>

namespace rheo::data::detail {

/// `count` different numbers of 0 .. size - 1, 0 <= count <= size < 2^32, in numpy's order.
[[nodiscard]] std::vector<std::int64_t> numpy_choice(std::int64_t size, std::int64_t count,
                                                     std::uint64_t seed);

}  // namespace rheo::data::detail
