// What a neuron does with a current, found by trying: the drives, ranges and durations that show it, whatever its units.
//   const Response response = respond(subject);
//   response.onset            // the smallest constant input that it goes on firing to
//   response.curve            // its rate against constant input, from 0 to four times that
// The rule: a grid of constant inputs around the neuron's `drive` says where it begins to fire. The picture shows a pulse
// of one and a half times that, long enough for a few spikes, or of less where that is a spike in every step. Of a neuron
// that answers only a change the curve counts the spikes; of one that never fires it shows the membrane it settles at.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/neurons/subject.hpp"

namespace rheo::app::neurons {

/// Against a constant input, on from the first step.
struct Curve {
  enum class Shows { rate, count, membrane };
  Shows shows = Shows::rate;
  std::vector<double> input = {};
  std::vector<double> value =
      {};  // the rate in the time axis' unit, the spikes in all, or the settled membrane
  std::vector<double> first = {};  // rate: from the first spike to the second; NaN where there are not two

  /// Whether the first interval is another than those that follow, and not for want of finer steps.
  bool adapts = false;
};

/// A pulse of constant input and what follows.
struct Pulse {
  double amplitude = 0;
  std::size_t begin = 0, end = 0, steps = 0;
  std::vector<float> input = {}, spk = {};                              // [steps]
  std::vector<std::pair<std::string, std::vector<float>>> states = {};  // [steps] each

  [[nodiscard]] std::size_t spikes() const;
};

struct Response {
  std::optional<double> once;   // the smallest constant input that it fires to at all: the rheobase
  std::optional<double> onset;  // the smallest that it goes on firing to
  bool adds_up =
      false;  // any input makes it fire in the end: `once` and `onset` only say how long was waited
  Pulse pulse;
  Curve curve;
};

/// `subject.run` must not be empty.
[[nodiscard]] Response respond(const Subject& subject);

/// One sentence each: what the picture on the left and the curve on the right show.
[[nodiscard]] std::string caption(const Subject& subject, const Response& response);

}  // namespace rheo::app::neurons
