// Everything a neuron file needs: named fields, derivatives, the rule, and the host functions `derive` uses.
#pragma once

#include <cmath>

#include "rheo/core/fields.hpp"
#include "rheo/core/info.hpp"
#include "rheo/core/rule.hpp"

namespace rheo::inline RHEO_ISA {

// `derive` runs once per call, on tensors (with autograd) or, in tests, on plain numbers. These are its functions for
// plain numbers; those for tensors stand beside Expr.
inline double clamp01(double x) { return x < 0 ? 0 : x > 1 ? 1 : x; }
inline double log_of(double x) { return std::log(x); }
inline double exp_of(double x) { return std::exp(x); }
inline double cos_of(double x) { return std::cos(x); }
inline double sin_of(double x) { return std::sin(x); }
inline double logistic_of(double x) { return 1 / (1 + std::exp(-x)); }
/// (exp(x) - 1) / x, 1 at 0.
inline double exprel_of(double x) { return x == 0 ? 1 : std::expm1(x) / x; }
/// A value that snnTorch's state_dict stores with shape [1].
inline double one_element(double x) { return x; }

}  // namespace rheo::inline RHEO_ISA
