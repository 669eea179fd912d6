// Operators of the family `rheobase` that are functions of a layer above, for Python and torch.compile.
//   TORCH_LIBRARY_FRAGMENT(rheobase, m) {
//     ops::define_plain<delta_cpu, delta_meta>(m, "delta(Tensor data, float threshold) -> Tensor");
//   }
// They stand in the file of the function they serve: whoever links the one gets the other.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/grad_mode.h>
#include <torch/library.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rheo/ops/error.hpp"
#include "rheo/ops/for_python.hpp"

namespace rheo::ops {

namespace detail {

/// Declares the operator; returns its name.
inline std::string declare(torch::Library& m, std::string_view schema, const std::vector<at::Tag>& tags) {
  m.def(std::string(schema).c_str(), tags);
  return std::string(schema.substr(0, schema.find('(')));
}

template <auto kernel>
void implement(torch::Library& m, const std::string& name, c10::DispatchKey key) {
  m.impl(name.c_str(), torch::dispatch(key, TORCH_FN(for_python<kernel>)));
}

}  // namespace detail

/// An operator with kernels for the CPU, for shapes only, and for autograd.
template <auto cpu, auto meta, auto autograd>
void define(torch::Library& m, std::string_view schema) {
  const auto name = detail::declare(m, schema, {at::Tag::pt2_compliant_tag});
  detail::implement<cpu>(m, name, c10::DispatchKey::CPU);
  detail::implement<meta>(m, name, c10::DispatchKey::Meta);
  detail::implement<autograd>(m, name, c10::DispatchKey::Autograd);
}

/// An operator whose results never require a gradient, whatever its arguments do. Its CPU kernel detaches what it reads.
template <auto cpu, auto meta>
void define_plain(torch::Library& m, std::string_view schema, std::vector<at::Tag> tags = {}) {
  tags.push_back(at::Tag::pt2_compliant_tag);
  const auto name = detail::declare(m, schema, tags);
  detail::implement<cpu>(m, name, c10::DispatchKey::CPU);
  detail::implement<meta>(m, name, c10::DispatchKey::Meta);
  m.impl(name.c_str(), torch::dispatch(c10::DispatchKey::Autograd, torch::CppFunction::makeFallthrough()));
}

/// An operator without tensors to choose a kernel by, or whose result's shape is known only when it has run: not for traces.
template <auto any>
void define_eager(torch::Library& m, std::string_view schema, const std::vector<at::Tag>& tags = {}) {
  const auto name = detail::declare(m, schema, tags);
  detail::implement<any>(m, name, c10::DispatchKey::CompositeExplicitAutograd);
}

/// The operator of this name, looked up once by the caller: `static const auto op = find_op<Signature>("rheobase::delta")`.
template <class Signature>
auto find_op(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}

/// Sizes [steps, ...] of what is made of x [...] over time.
inline std::vector<c10::SymInt> with_time(const at::Tensor& x, c10::SymInt steps) {
  std::vector<c10::SymInt> sizes{std::move(steps)};
  sizes.insert(sizes.end(), x.sym_sizes().begin(), x.sym_sizes().end());
  return sizes;
}

[[noreturn]] inline void refuse_second_derivative(const char* op) {
  throw RuntimeError('[' + std::string(op) + "] the fused backward has no derivative of its own");
}
/// For the autograd of a backward operator: throws where a derivative of what it reads is asked for.
template <class... Tensors>
void refuse_second_derivative(const char* op, const at::Tensor& first, const Tensors&... read) {
  if (at::GradMode::is_enabled() && (first.requires_grad() || (read.requires_grad() || ...))) {
    refuse_second_derivative(op);
  }
}

}  // namespace rheo::ops
