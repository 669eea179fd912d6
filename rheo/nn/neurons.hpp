// The neurons of the library, typed: flat option aggregates, designated initialisers.
//   rheo::nn::Leaky lif({.beta = 0.9, .learn_beta = true});
//   rheo::nn::Lapicque rc({.R = 5.1, .C = 5e-3, .time_step = 1e-3});
// Fields in order: the neuron's parameters, learn_<parameter> of each, its modes, then threshold, spike_grad,
// surrogate_disable, init_hidden, inhibition, learn_threshold, reset_mechanism, state_quant, graded_spikes_factor,
// learn_graded_spikes_factor, reset_delay, fused.
#pragma once

#include "rheo/neurons/options.hpp"
#include "rheo/nn/neuron.hpp"

namespace rheo::nn {

/// Any options aggregate as the generic options.
template <class Options>
NeuronOptions to_neuron_options(const Options& o) {
  NeuronOptions out;
  struct Visitor {
    NeuronOptions& to;
    void parameter(const char* name, const Value& value, bool learn) {
      if (value.given()) to.params.emplace_back(name, value);
      if (learn) to.learn.emplace_back(name);
    }
    void mode(const char* name, const std::string& choice) {
      if (!choice.empty()) to.modes.emplace_back(name, choice);
    }
  } visitor{out};
  o.visit(visitor);
  static_cast<CommonOptions&>(out) = common_options(o);
  return out;
}

/// The holder of neuron N's module. `Parameters` declares its options: N itself, or a copy of N's declaration, so that
/// what names the holder does not depend on N's step.
template <class N, class Parameters = N>
class NeuronHolder : public Neuron {
 public:
  using Options = typename Parameters::template Options<OptionTraits>;
  NeuronHolder() : NeuronHolder(Options{}) {}
  NeuronHolder(const Options& options) : Neuron(ops::neuron_entry<N>(), to_neuron_options(options)) {}
  NeuronHolder(std::nullptr_t) : Neuron(nullptr) {}

  static const ops::NeuronEntry& entry() { return ops::neuron_entry<N>(); }
};

}  // namespace rheo::nn

#define RHEO_NEURON(Type, stem)                              \
  namespace rheo::inline RHEO_ISA::neurons {                 \
  struct Type;                                               \
  }                                                          \
  namespace rheo::ops {                                      \
  template <>                                                \
  RHEO_API const NeuronEntry& neuron_entry<neurons::Type>(); \
  }
#include "rheo/neurons/list.inc"
#undef RHEO_NEURON

#define RHEO_NEURON(Type, stem)                            \
  namespace rheo::nn {                                     \
  using Type = NeuronHolder<neurons::Type, options::Type>; \
  using Type##Options = Type::Options;                     \
  }
#include "rheo/neurons/holders.inc"
#undef RHEO_NEURON
