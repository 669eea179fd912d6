#include "tests/neurons/oracles.hpp"

#include <cmath>

namespace oracle {
namespace {

/// What follows the membrane's own equation in both papers: spike, grading, the reset without delay.
void fire(double u, const Common& c, double& mem, Run& run) {
  const bool spike = u > c.threshold;
  mem = u;
  if (!c.delay && spike && c.reset == Reset::subtract) mem = u - c.threshold;
  if (!c.delay && spike && c.reset == Reset::zero) mem = 0;
  run.spk.push_back(spike ? c.graded : 0.0);
  run.mem.push_back(mem);
}

}  // namespace

Run leaky(double beta, const std::vector<double>& x, double mem, const Common& c) {
  Run run;
  if (beta < 0) beta = 0;
  if (beta > 1) beta = 1;
  for (const double input : x) {
    const bool fired_before = c.delay && mem > c.threshold;
    double u = 0;
    if (fired_before && c.reset == Reset::zero) {
      u = input;
    } else {
      u = beta * mem + input;
    }
    if (fired_before && c.reset == Reset::subtract) u -= c.threshold;
    fire(u, c, mem, run);
  }
  return run;
}

Run lapicque(double R, double C, double dt, bool exact, const std::vector<double>& x, double mem,
             const Common& c) {
  Run run;
  for (const double input : x) {
    const bool fired_before = c.delay && mem > c.threshold;
    double u = 0;
    if (exact) {
      const double steady = R * input;
      u = steady + (mem - steady) * std::exp(-dt / (R * C));
    } else {
      u = mem + dt * (-mem / R + input) / C;
    }
    if (fired_before && c.reset == Reset::subtract) u -= c.threshold;
    if (fired_before && c.reset == Reset::zero) u = 0;
    fire(u, c, mem, run);
  }
  return run;
}

namespace {

double clamped(double v) { return v < 0 ? 0 : v > 1 ? 1 : v; }

/// The reset that the last step's spike asks of this step's membrane.
double after_delayed_reset(double u, double mem_before, const Common& c) {
  if (!c.delay || !(mem_before > c.threshold)) return u;
  if (c.reset == Reset::zero) return 0;
  return c.reset == Reset::subtract ? u - c.threshold : u;
}

}  // namespace

Run synaptic(double alpha, double beta, const std::vector<double>& x, double syn, double mem,
             const Common& c) {
  return rsynaptic(alpha, beta, 0, x, 0, syn, mem, c);
}

Run rsynaptic(double alpha, double beta, double V, const std::vector<double>& x, double spk, double syn,
              double mem, const Common& c) {
  Run run;
  for (const double input : x) {
    syn = clamped(alpha) * syn + (input + V * spk);
    fire(after_delayed_reset(clamped(beta) * mem + syn, mem, c), c, mem, run);
    spk = run.spk.back();
    run.syn.push_back(syn);
  }
  return run;
}

Run rleaky(double beta, double V, const std::vector<double>& x, double spk, double mem, const Common& c) {
  Run run;
  for (const double input : x) {
    fire(after_delayed_reset(clamped(beta) * mem + (input + V * spk), mem, c), c, mem, run);
    spk = run.spk.back();
  }
  return run;
}

Run alpha(double alpha, double beta, const std::vector<double>& x, double exc, double inh, double mem,
          const Common& c) {
  Run run;
  const double a = clamped(alpha), b = clamped(beta);
  // ln b / (ln b - ln a)
  const double tau = b == 0 ? 1 : 1 / (1 - std::log(a) / std::log(b));
  for (const double input : x) {
    const bool fired_before = c.delay && mem > c.threshold;
    const double inh_before = inh;
    exc = a * exc + input;
    inh = b * inh - input;
    double u = tau * (exc + inh);
    if (fired_before && c.reset == Reset::zero) u = exc = inh = 0;
    if (fired_before && c.reset == Reset::subtract) {
      exc -= c.threshold;
      inh = 0;
      u += inh_before;
    }
    fire(u, c, mem, run);
    run.syn.push_back(exc);
    run.inh.push_back(inh);
  }
  return run;
}

Run delta_leaky(double delta, double beta, const std::vector<double>& x, double mem, double,
                const Common& c) {
  Run run;
  for (const double input : x) {
    const double before = mem;
    mem = beta * before + input;
    const double change = mem > before ? mem - before : before - mem;
    run.spk.push_back(change > delta ? c.graded : 0);
    run.mem.push_back(mem);
    run.mem_prev.push_back(before);
  }
  return run;
}

Run state_leaky(double decay, const std::vector<double>& x, double mem, const Common& c) {
  Run run;
  for (const double input : x) {
    mem = input + mem * decay;
    run.spk.push_back(mem > c.threshold ? c.graded : 0);
    run.mem.push_back(mem);
  }
  return run;
}

Run leaky_parallel(double beta, const std::vector<double>& x, double mem, const Common& c) {
  Run run;
  for (const double input : x) {
    const double u = input + beta * mem;
    mem = u < 0 ? 0 : u;
    run.spk.push_back(mem > c.threshold ? c.graded : 0);
    run.mem.push_back(mem);
  }
  return run;
}

Run integrate_and_fire(double gain, const std::vector<double>& x, double mem, const Common& c) {
  Run run;
  for (const double input : x) fire(after_delayed_reset(gain * input + mem, mem, c), c, mem, run);
  return run;
}

Run parametric_lif(double tau, bool decay_input, const std::vector<double>& x, double mem, const Common& c) {
  Run run;
  for (const double input : x) {
    const double u = decay_input ? mem + (input - mem) / tau : mem - mem / tau + input;
    fire(after_delayed_reset(u, mem, c), c, mem, run);
  }
  return run;
}

Run leaky_integrator(double tau, double R, double v_leak, double dt, bool exact, const std::vector<double>& x,
                     double mem, const Common& c) {
  Run run;
  for (const double input : x) {
    const double steady = v_leak + R * input;
    mem += exact ? (steady - mem) * -std::expm1(-dt / tau) : (steady - mem) * dt / tau;
    run.mem.push_back(mem);
    run.spk.push_back(c.graded * mem);
  }
  return run;
}

Run cuba_lif(const Cuba& p, const std::vector<double>& x, double syn, double mem, const Common& c) {
  Run run;
  for (const double input : x) {
    const auto syn_slope = [&](double i) { return (p.w_in * input - i) / p.tau_syn; };
    const auto mem_slope = [&](double i, double u) { return (p.v_leak - u + p.R * i) / p.tau_mem; };
    const double before = mem;
    const int pieces = p.exact ? 400 : 1;
    const double h = p.dt / pieces;
    double i = syn, u = mem;
    for (int k = 0; k < pieces; ++k) {
      const double i1 = syn_slope(i), u1 = mem_slope(i, u);
      if (!p.exact) {
        i += h * i1;
        u += h * u1;
        continue;
      }
      const double i2 = syn_slope(i + h / 2 * i1), u2 = mem_slope(i + h / 2 * i1, u + h / 2 * u1);
      const double i3 = syn_slope(i + h / 2 * i2), u3 = mem_slope(i + h / 2 * i2, u + h / 2 * u2);
      const double i4 = syn_slope(i + h * i3), u4 = mem_slope(i + h * i3, u + h * u3);
      i += h / 6 * (i1 + 2 * i2 + 2 * i3 + i4);
      u += h / 6 * (u1 + 2 * u2 + 2 * u3 + u4);
    }
    syn = i;
    fire(after_delayed_reset(u, before, c), c, mem, run);
    run.syn.push_back(syn);
  }
  return run;
}

Run adaptive_lif(double tau_mem, double tau_adapt, double beta, double dt, const std::vector<double>& x,
                 double adapt, double mem, const Common& c) {
  Run run;
  const double alpha = std::exp(-dt / tau_mem), rho = std::exp(-dt / tau_adapt);
  bool fired = mem > c.threshold + beta * adapt;
  for (const double input : x) {
    const double loss = c.threshold + beta * adapt;
    adapt = rho * adapt + (fired ? 1 - rho : 0);
    mem = alpha * mem + (1 - alpha) * input;
    if (fired && c.delay && c.reset == Reset::subtract) mem -= loss;
    if (fired && c.delay && c.reset == Reset::zero) mem = 0;
    fired = mem > c.threshold + beta * adapt;
    run.spk.push_back(fired ? c.graded : 0);
    run.mem.push_back(mem);
    run.adapt.push_back(adapt);
  }
  return run;
}

Run sead_lif(double tau_mem, double tau_adapt, double a, double b, double dt, const std::vector<double>& x,
             double adapt, double mem, const Common& c) {
  Run run;
  const double alpha = std::exp(-dt / tau_mem), beta = std::exp(-dt / tau_adapt);
  for (const double input : x) {
    mem = alpha * mem + (1 - alpha) * (input - adapt);
    const bool fired = mem > c.threshold;
    if (fired) mem = 0;
    adapt = beta * adapt + (1 - beta) * (a * mem + (fired ? b : 0));
    run.spk.push_back(fired ? c.graded : 0);
    run.mem.push_back(mem);
    run.adapt.push_back(adapt);
  }
  return run;
}

Run refractory_lif(double beta, int refractory, const std::vector<double>& x, double wait, double mem,
                   const Common& c) {
  Run run;
  int silent = wait > 0 ? static_cast<int>(std::ceil(wait)) : 0;
  bool fired = silent == refractory;
  for (const double input : x) {
    const bool resets = fired && c.delay && mem > c.threshold;
    fired = false;
    if (resets && c.reset == Reset::zero) mem = 0;
    if (silent > 0) {
      if (resets && c.reset == Reset::subtract) mem -= c.threshold;
      --silent;
      run.spk.push_back(0);
      run.mem.push_back(mem);
    } else {
      fired = beta * mem + input > c.threshold;
      fire(beta * mem + input, c, mem, run);
      if (fired) silent = refractory;
    }
    run.adapt.push_back(silent);
  }
  return run;
}

}  // namespace oracle
