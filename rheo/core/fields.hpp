// Named fields that a loop can also walk by number: a neuron's states, constants and parameters.
//   RHEO_STATE(mem, syn);   ->  template struct State{mem, syn}, each field of its own type
//                               state.get<1>() is syn;  make_state(f) builds one from f(index<0>), f(index<1>)
// The types may differ from field to field: a derivative known to be zero is a type (core/dual.hpp), so it costs nothing.
#pragma once

#include "rheo/core/macros.hpp"

namespace rheo::inline RHEO_ISA {

template <int I>
struct Index {
  static constexpr int value = I;
};

template <int I, class A, class... Rest>
RHEO_INLINE constexpr auto& pick(A& first, Rest&... rest) {
  if constexpr (I == 0) {
    return first;
  } else {
    return pick<I - 1>(rest...);
  }
}

namespace detail {
template <int... I>
struct Numbers {};
template <int N, int... I>
struct Count : Count<N - 1, N - 1, I...> {};
template <int... I>
struct Count<0, I...> {
  using type = Numbers<I...>;
};
template <class F, int... I>
RHEO_INLINE constexpr void unroll_all(F& f, Numbers<I...>) {
  (f(Index<I>{}), ...);
}
}  // namespace detail

/// Calls f(Index<0>), ..., f(Index<N-1>).
template <int N, class F>
RHEO_INLINE constexpr void unroll(F f) {
  detail::unroll_all(f, typename detail::Count<N>::type{});
}

/// Whether two declarations RHEO_PARAMETERS name the same.
template <class A, class B>
constexpr bool same_parameters() {
  const char* a = A::parameter_names::text;
  const char* b = B::parameter_names::text;
  for (; *a != '\0' && *a == *b; ++a) ++b;
  return *a == *b;
}

/// What a step returns: the spike that leaves, [graded], and the state after the step.
template <class Spike, class State>
struct Stepped {
  Spike spk;
  State state;
};
template <class Spike, class State>
Stepped(Spike, State) -> Stepped<Spike, State>;

}  // namespace rheo::inline RHEO_ISA

#define RHEO_FIELD_CLASS_(f) class T_##f
#define RHEO_FIELD_TYPE_(f) T_##f
#define RHEO_FIELD_MEMBER_(f) T_##f f;
#define RHEO_FIELD_AT_(f) at_##f
#define RHEO_FIELD_NAME_(f) #f
#define RHEO_FIELD_SELF_(f) f
#define RHEO_FIELD_BUILD_(f) build(::rheo::Index<at_##f>{})

#define RHEO_FIELDS_(Name, Prefix, ...)                                                             \
  template <RHEO_LIST(RHEO_FIELD_CLASS_, __VA_ARGS__)>                                              \
  struct Name {                                                                                     \
    RHEO_EACH(RHEO_FIELD_MEMBER_, __VA_ARGS__)                                                      \
    template <int I>                                                                                \
    RHEO_INLINE constexpr auto& get() {                                                             \
      return ::rheo::pick<I>(RHEO_LIST(RHEO_FIELD_SELF_, __VA_ARGS__));                             \
    }                                                                                               \
    template <int I>                                                                                \
    RHEO_INLINE constexpr const auto& get() const {                                                 \
      return ::rheo::pick<I>(RHEO_LIST(RHEO_FIELD_SELF_, __VA_ARGS__));                             \
    }                                                                                               \
  };                                                                                                \
  template <RHEO_LIST(RHEO_FIELD_CLASS_, __VA_ARGS__)>                                              \
  Name(RHEO_LIST(RHEO_FIELD_TYPE_, __VA_ARGS__)) -> Name<RHEO_LIST(RHEO_FIELD_TYPE_, __VA_ARGS__)>; \
  struct Prefix##_names {                                                                           \
    enum Position { RHEO_LIST(RHEO_FIELD_AT_, __VA_ARGS__), count };                                \
    static constexpr const char* text[] = {RHEO_LIST(RHEO_FIELD_NAME_, __VA_ARGS__)};               \
    template <class F>                                                                              \
    RHEO_INLINE static constexpr auto make(F build) {                                               \
      return Name{RHEO_LIST(RHEO_FIELD_BUILD_, __VA_ARGS__)};                                       \
    }                                                                                               \
  };                                                                                                \
  template <class F>                                                                                \
  RHEO_INLINE static constexpr auto make_##Prefix(F build) {                                        \
    return Prefix##_names::make(build);                                                             \
  }

#define RHEO_STATE(...) RHEO_FIELDS_(State, state, __VA_ARGS__)
#define RHEO_CONSTANTS(...) RHEO_FIELDS_(Constants, constants, __VA_ARGS__)

// The options that all layers with a threshold share, in snnTorch's order: last in the options of each.
#define RHEO_COMMON_OPTIONS(Traits)              \
  typename Traits::Value threshold{};            \
  typename Traits::Surrogate spike_grad{};       \
  bool surrogate_disable = false;                \
  bool init_hidden = false;                      \
  bool inhibition = false;                       \
  bool learn_threshold = false;                  \
  typename Traits::Reset reset_mechanism{};      \
  typename Traits::Quantiser state_quant{};      \
  typename Traits::Value graded_spikes_factor{}; \
  bool learn_graded_spikes_factor = false;       \
  bool reset_delay = true;                       \
  bool learn_slope = false;                      \
  bool fused = true;

// RHEO_PARAMETERS(beta, ...) declares what the user sets: Raw<T> for `derive` (with has_<parameter>), and the flat
// options aggregate of the typed holder: the parameters, learn_<parameter>, the modes, then what all neurons share.
// A mode is a choice by name: RHEO_PARAMETERS_AND_MODES((R, C), (integration)); Raw holds its number.
#define RHEO_PARAMETERS(...) RHEO_PARAMETERS_AND_MODES((__VA_ARGS__), ())
#define RHEO_PARAMETERS_AND_MODES(params, modes)                             \
  struct parameter_names {                                                   \
    enum Position { RHEO_LIST(RHEO_FIELD_AT_, RHEO_UNWRAP_ params), count }; \
    static constexpr const char* text = #params "/" #modes;                  \
  };                                                                         \
  template <class T>                                                         \
  struct Raw {                                                               \
    RHEO_EACH(RHEO_RAW_VALUE_, RHEO_UNWRAP_ params)                          \
    RHEO_EACH(RHEO_RAW_HAS_, RHEO_UNWRAP_ params)                            \
    RHEO_EACH(RHEO_RAW_MODE_, RHEO_UNWRAP_ modes)                            \
    template <class Visit>                                                   \
    void visit(Visit&& each) {                                               \
      RHEO_EACH(RHEO_RAW_VISIT_, RHEO_UNWRAP_ params)                        \
      RHEO_EACH(RHEO_RAW_VISIT_MODE_, RHEO_UNWRAP_ modes)                    \
    }                                                                        \
  };                                                                         \
  template <class Traits>                                                    \
  struct Options {                                                           \
    RHEO_EACH(RHEO_OPTION_VALUE_, RHEO_UNWRAP_ params)                       \
    RHEO_EACH(RHEO_OPTION_LEARN_, RHEO_UNWRAP_ params)                       \
    RHEO_EACH(RHEO_OPTION_MODE_, RHEO_UNWRAP_ modes)                         \
    RHEO_COMMON_OPTIONS(Traits)                                              \
    template <class Visit>                                                   \
    void visit(Visit&& each) const {                                         \
      RHEO_EACH(RHEO_OPTION_VISIT_, RHEO_UNWRAP_ params)                     \
      RHEO_EACH(RHEO_OPTION_VISIT_MODE_, RHEO_UNWRAP_ modes)                 \
    }                                                                        \
  };

#define RHEO_UNWRAP_(...) __VA_ARGS__
#define RHEO_RAW_VALUE_(f) T f;
#define RHEO_RAW_HAS_(f) bool has_##f = true;
#define RHEO_RAW_MODE_(f) int f = 0;
#define RHEO_RAW_VISIT_(f) each.parameter(#f, f, has_##f);
#define RHEO_RAW_VISIT_MODE_(f) each.mode(#f, f);
#define RHEO_OPTION_VALUE_(f) typename Traits::Value f{};
#define RHEO_OPTION_LEARN_(f) bool learn_##f = false;
#define RHEO_OPTION_MODE_(f) typename Traits::Text f{};
#define RHEO_OPTION_VISIT_(f) each.parameter(#f, f, learn_##f);
#define RHEO_OPTION_VISIT_MODE_(f) each.mode(#f, f);
