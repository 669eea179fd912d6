#include "rheo/train/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "rheo/ops/error.hpp"

namespace rheo::train {
namespace {

void require(bool good, const char* name, const char* rule, double got) {
  if (good) return;
  std::string text = std::to_string(got);
  if (text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
  }
  throw ValueError(std::string("[Schedule] ") + name + " must be " + rule + ", got " + text);
}

void require_rate(const char* name, double lr) {
  require(std::isfinite(lr) && lr >= 0, name, "finite and not negative", lr);
}

void require_steps(const char* name, std::int64_t steps) {
  require(steps >= 1, name, "at least 1", static_cast<double>(steps));
}

}  // namespace

Schedule Schedule::constant(double lr) {
  require_rate("lr", lr);
  return {Kind::constant, lr, 1};
}

Schedule Schedule::step(double lr, std::int64_t every, double gamma) {
  require_rate("lr", lr);
  require_steps("every", every);
  require_rate("gamma", gamma);
  Schedule schedule(Kind::step, lr, every);
  schedule.gamma_ = gamma;
  return schedule;
}

Schedule Schedule::cosine(double lr, std::int64_t steps, double minimum) {
  require_rate("lr", lr);
  require_steps("steps", steps);
  require_rate("minimum", minimum);
  Schedule schedule(Kind::cosine, lr, steps);
  schedule.minimum_ = minimum;
  return schedule;
}

Schedule Schedule::one_cycle(double max_lr, std::int64_t steps, const OneCycleOptions& options) {
  require_rate("max_lr", max_lr);
  require_steps("steps", steps);
  require(options.pct_start >= 0 && options.pct_start <= 1, "pct_start", "in [0, 1]", options.pct_start);
  require(std::isfinite(options.div_factor) && options.div_factor > 0, "div_factor", "positive",
          options.div_factor);
  require(std::isfinite(options.final_div_factor) && options.final_div_factor > 0, "final_div_factor",
          "positive", options.final_div_factor);
  Schedule schedule(Kind::one_cycle, max_lr, steps);
  schedule.one_cycle_ = options;
  return schedule;
}

Schedule Schedule::warm_up(std::int64_t steps) const {
  require(steps >= 0, "warm_up", "0 or more steps", static_cast<double>(steps));
  Schedule schedule = *this;
  schedule.warm_up_ = steps;
  return schedule;
}

double Schedule::at(std::int64_t step) const {
  require(step >= 0, "step", "0 or more", static_cast<double>(step));
  const double warm = step < warm_up_ ? static_cast<double>(step + 1) / static_cast<double>(warm_up_) : 1;
  switch (kind_) {
    case Kind::constant:
      return lr_ * warm;
    case Kind::step:
      return lr_ * std::pow(gamma_, static_cast<double>(step / steps_)) * warm;
    case Kind::cosine: {
      if (step >= steps_) return minimum_ * warm;
      const double part = static_cast<double>(step) / static_cast<double>(steps_);
      return (minimum_ + (lr_ - minimum_) * (1 + std::cos(std::numbers::pi * part)) / 2) * warm;
    }
    case Kind::one_cycle:
      return one_cycle_at(std::min(step, steps_ - 1)) * warm;
  }
  return lr_;
}

double Schedule::one_cycle_at(std::int64_t step) const {
  const double first = lr_ / one_cycle_.div_factor;
  const double last = first / one_cycle_.final_div_factor;
  const double length = static_cast<double>(steps_);
  const double now = static_cast<double>(step);
  struct Phase {
    double start, end, from, to;  // steps, rates
  };
  const double up = one_cycle_.pct_start * length - 1;
  const double down = 2 * one_cycle_.pct_start * length - 2;
  const Phase rise{0, up, first, lr_};
  const Phase fall = one_cycle_.three_phase ? Phase{up, down, lr_, first} : Phase{up, length - 1, lr_, last};
  const Phase end{down, length - 1, first, last};
  const Phase& phase = now <= rise.end ? rise : !one_cycle_.three_phase || now <= fall.end ? fall : end;
  if (phase.end <= phase.start) return phase.to;  // a phase of no length
  const double part = (now - phase.start) / (phase.end - phase.start);
  if (one_cycle_.linear) return phase.from + (phase.to - phase.from) * part;
  return phase.to + (phase.from - phase.to) / 2 * (1 + std::cos(std::numbers::pi * part));
}

}  // namespace rheo::train
