// What a neuron says about itself: names, defaults, units and domains. Plain constants, read by the registry, the
// program, the documentation and the Python package.
#pragma once

#include <limits>
#include <string_view>

#include "rheo/core/reset.hpp"

namespace rheo {

/// The values a parameter may take; what is outside is an error that names parameter and value.
enum class Domain { any, unit_interval, positive, decay };
// unit_interval: clamped to [0, 1] on use, any finite number is accepted; decay: in (0, 1].

/// A parameter without a default must be given, or follows from the others.
inline constexpr double no_default = std::numeric_limits<double>::quiet_NaN();

struct ParameterInfo {
  std::string_view name;
  double value = no_default;  // the default
  Domain domain = Domain::any;
  std::string_view unit = "1";
  std::string_view meaning = "";
  bool learnable = true;
};

struct Range {
  double low, high;
};

struct StateInfo {
  std::string_view name;
  std::string_view unit = "1";
  std::string_view meaning = "";
  Range usual{-0.5, 1.3};  // where it mostly is
};

/// A choice by name, such as integration = euler | exact. The first is the default.
struct ModeInfo {
  std::string_view name;
  std::string_view choices[28];
  std::string_view meaning = "";
};

struct NeuronInfo {
  std::string_view name;
  std::string_view brief;
  ParameterInfo params[12] = {};
  StateInfo states[4] = {};
  ModeInfo modes[2] = {};
  std::string_view input = "input current";
  std::string_view input_unit = "1";
  Reset reset = Reset::subtract;  // where the user names none
  /// Options common to all neurons that this one has no use for: to set one is an error that names it.
  std::string_view refuses[10] = {};
  double threshold = 1;             // where the user gives none
  double surrogate_scale = 1;       // a surrogate sees (U - threshold) / surrogate_scale
  Range drive{-0.4, 1.5};           // noise in this range makes it fire now and then within fifty steps
  bool fires = true;                // false: what leaves is the membrane, not spikes
  std::string_view elsewhere = "";  // its names in other libraries
};

}  // namespace rheo
