// What the operators of all families share: optional tensors, results that nobody needs, the way through autograd.
// An operator's tensors stand in a fixed order of places; an optional one that is missing leaves its place undefined, and
// bit i of `needs` asks for the gradient of the tensor at place i.
#pragma once

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/List.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rheo/ops/error.hpp"

namespace rheo::ops::detail {

using Tensors = std::vector<at::Tensor>;
using OptionalTensor = std::optional<at::Tensor>;
using OptionalTensors = c10::List<std::optional<at::Tensor>>;

/// Optional as a schema has it, undefined as the code inside has it.
inline OptionalTensor given(const at::Tensor& t) { return t.defined() ? OptionalTensor(t) : std::nullopt; }
inline at::Tensor or_undefined(const OptionalTensor& t) { return t.value_or(at::Tensor()); }
inline OptionalTensors given(at::TensorList list) {
  OptionalTensors out;
  for (const auto& t : list) out.push_back(given(t));
  return out;
}
inline Tensors or_undefined(const OptionalTensors& list) {
  Tensors out;
  for (std::size_t i = 0; i < list.size(); ++i) out.push_back(or_undefined(list.get(i)));
  return out;
}

/// A result that nobody needs: an operator cannot return "none", and its results must not share memory.
inline at::Tensor none(const at::Tensor& like) { return at::empty({0}, like.options()); }

inline bool needed(std::int64_t needs, std::size_t place) { return ((needs >> place) & 1) != 0; }

/// While it lives autocast leaves the operators alone that ours is made of: its tensors have one type.
struct NoAutocast {
  const c10::impl::ExcludeDispatchKeyGuard guard{c10::DispatchKey::AutocastCPU};
};

/// What an operator's Meta says about gradients: the shapes of the tensors they belong to.
inline Tensors gradient_shapes(at::TensorList by_place, std::int64_t needs) {
  const auto& like =
      *std::find_if(by_place.begin(), by_place.end(), [](const auto& t) { return t.defined(); });
  Tensors out;
  for (std::size_t i = 0; i < by_place.size(); ++i) {
    const bool there = needed(needs, i) && by_place[i].defined();
    out.push_back(there ? at::empty_symint(by_place[i].sym_sizes(), by_place[i].options()) : none(like));
  }
  return out;
}

/// An operator of ours, for a static of the caller.
template <class Signature>
c10::TypedOperatorHandle<Signature> find_operator(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}

inline bool any_requires_grad(at::TensorList list) {
  return std::any_of(list.begin(), list.end(),
                     [](const at::Tensor& t) { return t.defined() && t.requires_grad(); });
}
/// Whether autograd records a call on these tensors.
inline bool recorded(at::TensorList list) { return at::GradMode::is_enabled() && any_requires_grad(list); }

/// The derivative of a backward operator on these tensors, which there is none of.
inline void refuse_second_derivative(std::string_view name, at::TensorList list) {
  if (!recorded(list)) return;
  throw RuntimeError(
      "[" + std::string(name) +
      "] the fused backward has no derivative of its own: for second derivatives set fused = false");
}

// ---- tensors as autograd counts them: those that are there -------------------------------------------------------

/// A bit for each place that is filled.
inline std::int64_t filled(at::TensorList by_place) {
  std::int64_t places = 0;
  for (std::size_t i = 0; i < by_place.size(); ++i) places |= std::int64_t{by_place[i].defined()} << i;
  return places;
}
inline Tensors counted(at::TensorList by_place) {
  Tensors out;
  std::copy_if(by_place.begin(), by_place.end(), std::back_inserter(out),
               [](const auto& t) { return t.defined(); });
  return out;
}
inline Tensors by_place(at::TensorList counted, std::int64_t places, std::size_t count) {
  Tensors out(count);
  std::size_t next = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (needed(places, i)) out[i] = counted[next++];
  }
  return out;
}
/// The places whose gradient autograd wants, in a backward function.
template <class Context>
std::int64_t needs_of(const Context& ctx, std::int64_t places) {
  std::int64_t needs = 0;
  std::size_t next = 0;
  for (std::size_t i = 0; (places >> i) != 0; ++i) {
    if (needed(places, i)) needs |= std::int64_t{ctx.needs_input_grad(next++)} << i;
  }
  return needs;
}
/// What a backward function returns: nothing for what is not needed, nor for arguments that are no tensors.
inline Tensors counted_gradients(at::TensorList by_place, std::int64_t places, std::int64_t needs) {
  constexpr std::size_t other_arguments = 16;
  Tensors out;
  for (std::size_t i = 0; (places >> i) != 0; ++i) {
    if (needed(places, i)) out.push_back(needed(needs, i) ? by_place[i] : at::Tensor());
  }
  out.resize(out.size() + other_arguments);
  return out;
}
/// Whether there is anything to walk back.
inline bool any_defined(at::TensorList list) {
  return std::any_of(list.begin(), list.end(), [](const at::Tensor& t) { return t.defined(); });
}

}  // namespace rheo::ops::detail
