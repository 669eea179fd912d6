#include "rheo/functional/lif.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/gt.h>

#include <cmath>
#include <sstream>
#include <string>

#include "rheo/ops/error.hpp"

namespace rheo::functional {
namespace {

void check_tensor(const char* op, const char* argument, const at::Tensor& tensor) {
  if (!tensor.defined() || !at::isFloatingType(tensor.scalar_type())) {
    throw TypeError(std::string("[") + op + "] " + argument + " must be a floating-point tensor, got " +
                    (tensor.defined() ? c10::toString(tensor.scalar_type()) : "an undefined one"));
  }
}

void check_positive(const char* op, const char* argument, double value) {
  if (!(value > 0 && std::isfinite(value))) {
    std::ostringstream text;
    text << "[" << op << "] " << argument << " must be positive, got " << value;
    throw ValueError(text.str());
  }
}

/// What one step adds to the membrane.
at::Tensor change(const char* op, const at::Tensor& mem, const at::Tensor& current, double time_step,
                  double R, double C) {
  check_tensor(op, "mem", mem);
  check_tensor(op, "current", current);
  check_positive(op, "time_step", time_step);
  check_positive(op, "R", R);
  check_positive(op, "C", C);
  const double tau = R * C;
  return (-mem + current * R) * (time_step / tau);
}

}  // namespace

at::Tensor leaky_integrate(const at::Tensor& mem, const at::Tensor& current,
                           const LeakyIntegrateOptions& options) {
  return mem + change("leaky_integrate", mem, current, options.time_step, options.R, options.C);
}

SpikesAndMembrane leaky_integrate_and_fire(const at::Tensor& mem, const at::Tensor& current,
                                           const LeakyIntegrateAndFireOptions& options) {
  constexpr const char* op = "leaky_integrate_and_fire";
  if (std::isnan(options.threshold))
    throw ValueError(std::string("[") + op + "] threshold must be a number, got nan");
  const at::Tensor added = change(op, mem, current, options.time_step, options.R, options.C);
  const at::Tensor spk = mem.detach().gt(options.threshold).to(mem.scalar_type());
  const at::Tensor integrated = mem + added;
  switch (options.reset) {
    case Reset::subtract:
      return {spk, integrated - spk * options.threshold};
    case Reset::zero:
      return {spk, integrated - spk * integrated};
    case Reset::none:
      return {spk, integrated};
  }
  throw ValueError(std::string("[") + op + "] reset must be subtract, zero or none, got " +
                   std::to_string(static_cast<int>(options.reset)));
}

}  // namespace rheo::functional
