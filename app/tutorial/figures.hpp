#pragma once

// The figures of tutorial 2, not yet drawn.

#include <string>
#include <vector>

#include "app/tutorial/experiments.hpp"
#include "rheo/plot/figure.hpp"

namespace rheo::app::tutorial {

struct NamedFigure {
  std::string name;  // also the stem of its files, as in "c-step-current"
  plot::Figure figure;
};

[[nodiscard]] std::vector<NamedFigure> figures(const Experiments& all);

}  // namespace rheo::app::tutorial
