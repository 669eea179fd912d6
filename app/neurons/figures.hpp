// The two pictures of a neuron, not yet drawn: what it does during a pulse of current, and its curve over constant inputs.
#pragma once

#include "app/neurons/response.hpp"
#include "rheo/plot/figure.hpp"

namespace rheo::app::neurons {

/// Input, membrane with its threshold, the other states, spikes.
[[nodiscard]] plot::Figure pulse_figure(const Subject& subject, const Response& response);

/// Rate, spikes or settled membrane against a constant input; as high as the other, to stand beside it.
[[nodiscard]] plot::Figure curve_figure(const Subject& subject, const Response& response);

/// The points of a line that it cannot lose without moving by more than `tolerance` times the size of what is drawn.
/// Both ends stay; where y is not finite, everything stays.
void simplify(std::vector<double>& x, std::vector<double>& y, double tolerance);

}  // namespace rheo::app::neurons
