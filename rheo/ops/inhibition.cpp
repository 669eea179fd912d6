#include "rheo/ops/inhibition.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/zeros_like.h>

namespace rheo::ops {

at::Tensor winners(const at::Tensor& spk, const at::Tensor& u) {
  if (u.numel() == 0) return spk;
  const auto largest = at::argmax(u.detach(), -1, true);
  return spk * at::zeros_like(spk.detach()).scatter(-1, largest, 1);
}

}  // namespace rheo::ops
