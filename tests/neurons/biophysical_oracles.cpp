#include <cmath>
#include <complex>

#include "tests/neurons/oracles.hpp"

namespace oracle {
namespace {

void keep(Run& run, double mem, const Common& c) {
  run.spk.push_back(mem > c.threshold ? c.graded : 0);
  run.mem.push_back(mem);
}

}  // namespace

Run quadratic_if(const Quadratic& p, const std::vector<double>& x, double mem, const Common& c) {
  Run run;
  for (const double input : x) {
    if (mem > c.threshold) mem = p.reset;
    mem += p.dt / p.tau * (p.a0 * (mem - p.rest) * (mem - p.critical) + p.R * input);
    keep(run, mem, c);
  }
  return run;
}

namespace {

struct Slopes {
  double mem, w;
};
Slopes adex_slopes(const Exponential& p, double mem, double w, double input) {
  const double upstroke = p.g_L * p.Delta_T * std::exp(std::fmin((mem - p.V_T) / p.Delta_T, 20));
  return {(-p.g_L * (mem - p.E_L) + upstroke - w + input) / p.C, (p.a * (mem - p.E_L) - w) / p.tau_w};
}

}  // namespace

Run adex(const Exponential& p, const std::vector<double>& x, double w, double mem, const Common& c) {
  Run run;
  for (const double input : x) {
    if (mem > c.threshold) {
      mem = p.reset;
      w += p.b;
    }
    const Slopes slope = adex_slopes(p, mem, w, input);
    mem += p.dt * slope.mem;
    w += p.dt * slope.w;
    keep(run, mem, c);
    run.adapt.push_back(w);
  }
  return run;
}

std::vector<double> adex_spike_times(const Exponential& p, double current, double ms) {
  std::vector<double> times;
  double mem = p.E_L, w = 0;
  for (double t = 0; t < ms;) {
    const Slopes begin = adex_slopes(p, mem, w, current);
    const double h = std::fmin(0.01, 0.1 / std::fabs(begin.mem));
    const Slopes middle = adex_slopes(p, mem + h / 2 * begin.mem, w + h / 2 * begin.w, current);
    mem += h * middle.mem;
    w += h * middle.w;
    t += h;
    if (mem <= 20) continue;
    times.push_back(t);
    mem = p.reset;
    w += p.b;
  }
  return times;
}

Run izhikevich(const Simple& p, const std::vector<double>& x, double u, double v, const Common& c) {
  Run run;
  for (const double I : x) {
    if (v > c.threshold) {
      v = p.c;
      u = u + p.d;
    }
    v = v + p.dt * (0.04 * v * v + p.slope * v + p.offset - u + I);
    u = u + p.dt * (p.accommodates ? p.a * (p.b * (v + 65)) : p.a * (p.b * v - u));
    keep(run, v, c);
    run.adapt.push_back(u);
  }
  return run;
}

Run resonate_and_fire(double b, double omega, double dt, const std::vector<double>& x, double real,
                      double mem, const Common& c) {
  Run run;
  const std::complex<double> rate(b, omega);
  std::complex<double> z(real, mem);
  for (const double input : x) {
    if (z.imag() > c.threshold) z = {0, c.threshold};
    const std::complex<double> steady = -input / rate;
    z = steady + (z - steady) * std::exp(rate * dt);
    keep(run, z.imag(), c);
    run.adapt.push_back(z.real());
  }
  return run;
}

namespace {

/// y / (exp(y) - 1), 1 at 0.
double rate_form(double y) { return y == 0 ? 1 : y / std::expm1(y); }

struct Rates {
  double a_n, b_n, a_m, b_m, a_h, b_h;
};
Rates rates(double v) {
  return {0.1 * rate_form(-(v + 55) / 10), 0.125 * std::exp(-(v + 65) / 80),
          rate_form(-(v + 40) / 10),       4 * std::exp(-(v + 65) / 18),
          0.07 * std::exp(-(v + 65) / 20), 1 / (1 + std::exp(-(v + 35) / 10))};
}

double ionic(const Axon& p, const Gates& g) {
  return p.gNa * std::pow(g.m, 3) * g.h * (g.mem - p.ENa) + p.gK * std::pow(g.n, 4) * (g.mem - p.EK) +
         p.gL * (g.mem - p.EL);
}

Gates slope(const Axon& p, const Gates& g, double input) {
  const Rates r = rates(g.mem);
  return {r.a_n * (1 - g.n) - r.b_n * g.n, r.a_m * (1 - g.m) - r.b_m * g.m, r.a_h * (1 - g.h) - r.b_h * g.h,
          (input - ionic(p, g)) / p.C};
}

Gates moved(const Gates& g, double by, const Gates& s) {
  return {g.n + by * s.n, g.m + by * s.m, g.h + by * s.h, g.mem + by * s.mem};
}

template <class Step>
Run run_axon(const Axon& p, const std::vector<double>& x, Gates g, const Common& c, Step step) {
  Run run;
  for (const double input : x) {
    const bool above = g.mem > c.threshold;
    for (int k = 0; k < p.pieces; ++k) g = step(g, input);
    run.spk.push_back(g.mem > c.threshold && !above ? c.graded : 0);
    run.mem.push_back(g.mem);
    run.n.push_back(g.n);
    run.m.push_back(g.m);
    run.h.push_back(g.h);
  }
  return run;
}

}  // namespace

Run hodgkin_huxley(const Axon& p, const std::vector<double>& x, const Gates& first, const Common& c) {
  const double dt = p.dt / p.pieces;
  return run_axon(p, x, first, c, [&](const Gates& g, double input) {
    const Rates r = rates(g.mem);
    const auto gate = [&](double y, double a, double b) {
      const double end = a / (a + b);
      return end + (y - end) * std::exp(-dt * (a + b));
    };
    Gates next{gate(g.n, r.a_n, r.b_n), gate(g.m, r.a_m, r.b_m), gate(g.h, r.a_h, r.b_h), g.mem};
    const double conductance = p.gNa * std::pow(next.m, 3) * next.h + p.gK * std::pow(next.n, 4) + p.gL;
    // What the membrane tends to with these gates held.
    const double end = g.mem + (input - ionic(p, next)) / conductance;
    next.mem = end + (g.mem - end) * std::exp(-dt * conductance / p.C);
    return next;
  });
}

Run hodgkin_huxley_exact(const Axon& p, const std::vector<double>& x, const Gates& first, const Common& c) {
  const double dt = p.dt / p.pieces;
  return run_axon(p, x, first, c, [&](const Gates& g, double input) {
    const Gates k1 = slope(p, g, input);
    const Gates k2 = slope(p, moved(g, dt / 2, k1), input);
    const Gates k3 = slope(p, moved(g, dt / 2, k2), input);
    const Gates k4 = slope(p, moved(g, dt, k3), input);
    return moved(moved(moved(moved(g, dt / 6, k1), dt / 3, k2), dt / 3, k3), dt / 6, k4);
  });
}

Gates resting_axon(const Axon& p) {
  const auto at = [](double v) {
    const Rates r = rates(v);
    return Gates{r.a_n / (r.a_n + r.b_n), r.a_m / (r.a_m + r.b_m), r.a_h / (r.a_h + r.b_h), v};
  };
  double low = -75, high = -55;
  for (int k = 0; k < 100; ++k) (ionic(p, at((low + high) / 2)) < 0 ? low : high) = (low + high) / 2;
  return at(low);
}

}  // namespace oracle
