// A number or a tensor: what an option of a neuron may be. Empty means "not given".
//   rheo::nn::Leaky lif({.beta = 0.9});   rheo::nn::Leaky each({.beta = torch::rand({10})});
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/scalar_tensor.h>

#include <concepts>

namespace rheo {

class Value {
 public:
  Value() = default;
  template <class T>
  requires std::is_arithmetic_v<T>
  Value(T number)
      : tensor_(at::scalar_tensor(static_cast<double>(number),
                                  at::TensorOptions().dtype(c10::get_default_dtype_as_scalartype()))) {}
  Value(at::Tensor tensor) : tensor_(std::move(tensor)) {}

  bool given() const { return tensor_.defined(); }
  /// 0-d for a number. Undefined if not given.
  const at::Tensor& tensor() const { return tensor_; }

 private:
  at::Tensor tensor_;
};

}  // namespace rheo
