#include "rheo/spikegen/constant.hpp"

#include "rheo/ops/error.hpp"

#include <string>

namespace rheo::spikegen {

TimeConstant constant(const at::Tensor& x, std::int64_t steps) {
  if (!x.defined()) throw ValueError("[constant] x must be a tensor, got an undefined one");
  if (steps < 0) throw ValueError("[constant] steps must not be negative, got " + std::to_string(steps));
  return {x, steps};
}

}  // namespace rheo::spikegen
