#pragma once

// The leaky integrate-and-fire neuron by hand, one time step per call: the equations to start from.
//   tau = R C,   U <- U + time_step / tau (-U + R I)      a resistor and a capacitor, by forward Euler
//   auto mem = torch::full({1}, 0.9);                                          // volt
//   mem = rheo::functional::leaky_integrate(mem, torch::zeros({1}), {.R = 5e7, .C = 1e-10});
//   auto [spk, next] = rheo::functional::leaky_integrate_and_fire(mem, current, {.threshold = 1.0});
// For many steps use rheo::nn::Lapicque: the same neuron in one fused call, with gradients.

#include <ATen/core/Tensor.h>

#include "rheo/core/export.hpp"
#include "rheo/core/rule.hpp"

namespace rheo::functional {

/// The circuit. Units are free as long as they fit: volt = ohm ampere, second = ohm farad.
struct LeakyIntegrateOptions {
  double time_step = 1e-3;  // s
  double R = 5e7;           // ohm
  double C = 1e-10;         // farad
};

struct LeakyIntegrateAndFireOptions {
  double time_step = 1e-3;  // s
  double R = 5.1;           // ohm
  double C = 5e-3;          // farad
  double threshold = 1.0;   // volt
  Reset reset = Reset::subtract;
};

struct SpikesAndMembrane {
  at::Tensor spk;  // 0 or 1, the type of mem
  at::Tensor mem;  // after the step
};

/// One step of the passive membrane. Returns the next U. Both arguments get gradients.
/// mem: the potential U in volt, any shape; current: the input I in ampere, any shape that broadcasts with it.
/// Stable while time_step < 2 R C. Errors: TypeError where an argument is not floating point; ValueError for a
/// time_step, R or C that is not positive.
[[nodiscard]] RHEO_API at::Tensor leaky_integrate(const at::Tensor& mem, const at::Tensor& current,
                                                  const LeakyIntegrateOptions& options = {});

/// One step of the membrane that fires. Asks the old U whether it is past the threshold, S = 1 if U > threshold,
/// then integrates and resets: U - S threshold (subtract), (1 - S) U (zero), U (none). So a spike shows one
/// step after the crossing. It is a plain comparison and carries no gradient.
/// Arguments and errors as leaky_integrate; a NaN threshold is a ValueError too.
[[nodiscard]] RHEO_API SpikesAndMembrane leaky_integrate_and_fire(
    const at::Tensor& mem, const at::Tensor& current, const LeakyIntegrateAndFireOptions& options = {});

}  // namespace rheo::functional
