// Bad input: one error each, of ours, that names the operation, the argument, the rule and the value.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "rheo/nn/neurons.hpp"
#include "rheo/ops/neuron.hpp"
#include "rheo/spikegen/constant.hpp"

namespace {

using rheo::NeuronOptions;
using rheo::State;
using rheo::nn::Lapicque;
using rheo::nn::Leaky;
using rheo::nn::make_neuron;

/// The text of the error of type E that `call` throws; every error of ours is a rheo::Error.
template <class E = rheo::ValueError>
std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const E& error) {
    const auto* ours = dynamic_cast<const rheo::Error*>(&error);
    EXPECT_NE(ours, nullptr);
    return error.what();
  } catch (const std::exception& error) {
    return std::string("of another type: ") + error.what();
  }
  return "no error";
}

const auto nan = std::numeric_limits<double>::quiet_NaN();
const auto inf = std::numeric_limits<double>::infinity();

// ---- input and state --------------------------------------------------------------------------------------

TEST(Errors, WrongRank) {
  Leaky lif({.beta = 0.9});
  EXPECT_EQ(error_of([&] { lif->forward(torch::rand({})); }),
            "[Leaky] x must have a time dimension, [T, ...], got shape []");
  EXPECT_EQ(error_of([&] { lif->forward(torch::Tensor()); }),
            "[Leaky] x must be a tensor, got an undefined one");
  EXPECT_EQ(error_of([&] { lif->step(torch::Tensor()); }),
            "[Leaky] x must be a tensor, got an undefined one");
  EXPECT_EQ(error_of([&] { lif->forward(rheo::TimeConstant{}); }),
            "[Leaky] x must be a tensor, got an undefined one");
}

TEST(Errors, StateOfAnotherShape) {
  Leaky lif({.beta = 0.9});
  const auto x = torch::rand({4, 2, 3});
  EXPECT_EQ(error_of([&] { lif->forward(x, State{{"mem", torch::zeros({3})}}); }),
            "[Leaky] state 'mem' must have the shape of one step of x, [2, 3], got [3]");
  EXPECT_EQ(error_of([&] { lif->forward(x, State{{"mem", torch::zeros({4, 2, 3})}}); }),
            "[Leaky] state 'mem' must have the shape of one step of x, [2, 3], got [4, 2, 3]");
}

TEST(Errors, UnknownState) {
  Leaky lif({.beta = 0.9});
  EXPECT_EQ(error_of([&] { lif->forward(torch::rand({4, 3}), State{{"men", torch::zeros({3})}}); }),
            "[Leaky] state must hold mem, got 'men'; did you mean 'mem'?");
  const State state{{"mem", torch::zeros({3})}};
  EXPECT_EQ(error_of([&] { (void)state["syn"]; }),
            "[State] name must be one of the states held (mem), got 'syn'");
  EXPECT_EQ(error_of([&] { (void)State{}.mem(); }),
            "[State] name must be one of the states held (none), got 'mem'");
}

TEST(Errors, StateBesideInitHidden) {
  Leaky lif({.beta = 0.9, .init_hidden = true});
  EXPECT_EQ(error_of<rheo::TypeError>(
                [&] { lif->forward(torch::rand({4, 3}), State{{"mem", torch::zeros({3})}}); }),
            "[Leaky] state must not be given with init_hidden, which keeps its own");
  EXPECT_TRUE(lif->hidden().empty());
}

TEST(Errors, IntegerTensors) {
  Leaky lif({.beta = 0.9});
  EXPECT_EQ(error_of<rheo::TypeError>([&] { lif->forward(torch::ones({4, 3}, torch::kLong)); }),
            "[Leaky] x must be a floating-point tensor, got Long");
  EXPECT_EQ(error_of<rheo::TypeError>([&] { lif->step(torch::ones({3}, torch::kBool)); }),
            "[Leaky] x must be a floating-point tensor, got Bool");
  EXPECT_EQ(error_of<rheo::TypeError>(
                [&] { lif->forward(torch::rand({4, 3}), State{{"mem", torch::ones({3}, torch::kInt)}}); }),
            "[Leaky] state 'mem' must be floating-point, got Int");
  EXPECT_EQ(error_of<rheo::TypeError>([] { Leaky({.beta = torch::ones({3}, torch::kLong)}); }),
            "[Leaky] beta must be a floating-point number or tensor, got Long");
}

TEST(Errors, NegativeSteps) {
  Leaky lif({.beta = 0.9});
  EXPECT_EQ(error_of([&] { lif->forward(rheo::TimeConstant{torch::rand({3}), -2}); }),
            "[Leaky] steps must not be negative, got -2");
  EXPECT_EQ(error_of([&] { (void)rheo::spikegen::constant(torch::rand({3}), -2); }),
            "[constant] steps must not be negative, got -2");
}

// ---- parameters -------------------------------------------------------------------------------------------

TEST(Errors, ParametersThatAreNoNumbers) {
  EXPECT_EQ(error_of([] { Leaky({.beta = 0.9, .threshold = nan}); }),
            "[Leaky] threshold must be finite, got nan");
  EXPECT_EQ(error_of([] { Leaky({.beta = inf}); }), "[Leaky] beta must be finite, got inf");
  EXPECT_EQ(error_of([] { Leaky({.beta = 0.9, .graded_spikes_factor = nan}); }),
            "[Leaky] graded_spikes_factor must be finite, got nan");
  EXPECT_EQ(error_of([] { Leaky({.beta = 0.9, .threshold = torch::tensor({1.0, nan, 2.0})}); }),
            "[Leaky] threshold must be finite, got nan");
}

TEST(Errors, AParameterThatBecomesUnusable) {
  Leaky lif({.beta = 0.9});
  Lapicque rc({.R = 1, .C = 1, .learn_R = true, .learn_C = true});
  const auto x = torch::rand({4, 3});
  lif->forward(x);
  rc->forward(x);
  {
    const torch::NoGradGuard no_grad;
    lif->parameter("threshold").fill_(nan);
    rc->parameter("C").fill_(-0.5);
  }
  EXPECT_EQ(error_of([&] { lif->forward(x); }), "[Leaky] threshold must be finite, got nan");
  EXPECT_EQ(error_of([&] { lif->forward(x); }), "[Leaky] threshold must be finite, got nan");
  EXPECT_EQ(error_of([&] { rc->forward(x); }), "[Lapicque] C must be positive and finite, got -0.5");
}

TEST(Errors, ShapesThatDoNotFit) {
  const auto x = torch::rand({4, 2, 512});
  EXPECT_EQ(error_of([&] { Leaky({.beta = torch::full({7}, 0.9)})->forward(x); }),
            "[Leaky] beta must have 1 or 512 elements, got 7");
  EXPECT_EQ(error_of([&] { Leaky({.beta = 0.9, .threshold = torch::ones({7})})->forward(x); }),
            "[Leaky] threshold must have 1 or 512 elements, got 7");
  EXPECT_EQ(error_of([&] { Lapicque({.R = torch::ones({7}), .C = 3})->forward(x); }),
            "[Lapicque] R must have 1 or 512 elements, got 7");
  EXPECT_EQ(error_of([&] { Leaky({.beta = torch::full({3, 512}, 0.9)})->forward(x); }),
            "[Leaky] beta must broadcast with one step of x, [2, 512], got [3, 512]");
  EXPECT_EQ(error_of([&] { Leaky({.beta = torch::full({1, 1, 2, 512}, 0.9)})->forward(x); }),
            "[Leaky] beta must broadcast with one step of x, [2, 512], got [1, 1, 2, 512]");
}

TEST(Errors, ShapesThatDoNotFitEachOther) {
  EXPECT_EQ(error_of([] { Lapicque({.R = torch::ones({3}), .C = torch::ones({4})}); }),
            "[Lapicque] C must broadcast with R, [3], got [4]");
  EXPECT_EQ(error_of([] { Lapicque({.beta = torch::full({3}, 0.9), .R = torch::ones({2, 4})}); }),
            "[Lapicque] R must broadcast with beta, [1, 3], got [2, 4]");
}

TEST(Errors, LapicquesParameters) {
  EXPECT_EQ(error_of([] { Lapicque({.R = 0, .C = 1}); }), "[Lapicque] R must be positive and finite, got 0");
  EXPECT_EQ(error_of([] { Lapicque({.R = 1, .C = inf}); }),
            "[Lapicque] C must be positive and finite, got inf");
  EXPECT_EQ(error_of([] { Lapicque({.R = 1, .C = 1, .time_step = -1}); }),
            "[Lapicque] time_step must be positive and finite, got -1");
  EXPECT_EQ(error_of([] { Lapicque({.beta = 0}); }), "[Lapicque] beta must be in (0, 1], got 0");
  EXPECT_EQ(error_of([] { Lapicque({.beta = 1.5}); }), "[Lapicque] beta must be in (0, 1], got 1.5");
  EXPECT_EQ(error_of([] { Lapicque(); }), "[Lapicque] beta must be given, or R and C");
  EXPECT_EQ(error_of([] { Lapicque({.R = 1}); }), "[Lapicque] C must be given, or beta");
  EXPECT_EQ(error_of([] { Lapicque({.C = 1}); }), "[Lapicque] R must be given, or beta");
}

TEST(Errors, BetaBelowOneOverEWithEuler) {
  EXPECT_EQ(error_of([] { Lapicque({.beta = 0.25}); }),
            "[Lapicque] beta must be at least 1/e with integration = euler, whose factor 1 + ln(beta) is "
            "negative below, "
            "got 0.25");
  EXPECT_EQ(error_of([] { Lapicque({.beta = torch::tensor({0.9, 0.25})}); }),
            "[Lapicque] beta must be at least 1/e with integration = euler, whose factor 1 + ln(beta) is "
            "negative below, "
            "got 0.25");
  EXPECT_EQ(error_of([] { Lapicque({.beta = 1, .C = 2, .integration = "exact"}); }),
            "[Lapicque] beta must be below 1 where R follows from C with integration = exact, got 1");
  Lapicque exact({.beta = 0.25, .integration = "exact"});
  EXPECT_NEAR(exact->constants()[0].second.item<double>(), 0.25, 1e-6);
}

TEST(Errors, BetaRCDisagree) {
  EXPECT_EQ(error_of([] { Lapicque({.beta = 0.9, .R = 2, .C = 3}); }),
            "[Lapicque] beta must agree with R and C, exp(-time_step / (R C)), to 1e-6, got 0.9");
  // Only values that meet in a neuron are compared: R [2, 1] and C [2, 3] with beta of their product.
  const auto R = torch::tensor({{1.0}, {2.0}}), C = torch::tensor({{3.0, 4.0, 5.0}, {6.0, 7.0, 8.0}});
  const auto beta = torch::exp(-1 / (R * C));
  Lapicque({.beta = beta, .R = R, .C = C});
  EXPECT_EQ(error_of([&] { Lapicque({.beta = beta.flip({0}), .R = R, .C = C}); }).substr(0, 43),
            "[Lapicque] beta must agree with R and C, ex");
}

TEST(Errors, LearnBetaWithRorC) {
  const auto text =
      "[Lapicque] learn_beta cannot be combined with learn_R or learn_C, because beta follows from R and C";
  EXPECT_EQ(error_of<rheo::TypeError>([] { Lapicque({.beta = 0.9, .learn_beta = true, .learn_R = true}); }),
            text);
  EXPECT_EQ(
      error_of<rheo::TypeError>([] { Lapicque({.R = 1, .C = 9, .learn_beta = true, .learn_C = true}); }),
      text);
  EXPECT_EQ(error_of<rheo::TypeError>([] {
              NeuronOptions o;
              o.params = {{"R", 1.0}, {"C", 9.0}};
              o.learn = {"time_step"};
              make_neuron("Lapicque", o);
            }),
            "[Lapicque] time_step cannot be learned");
}

// ---- names ------------------------------------------------------------------------------------------------

TEST(Errors, UnknownParameter) {
  const auto with = [](const std::string& name) {
    return error_of([&] {
      NeuronOptions o;
      o.params = {{name, 0.9}};
      make_neuron("Leaky", o);
    });
  };
  EXPECT_EQ(with("betta"), "[Leaky] parameter must be one of beta, got 'betta'; did you mean 'beta'?");
  EXPECT_EQ(with("xyz"), "[Leaky] parameter must be one of beta, got 'xyz'");
  EXPECT_EQ(error_of([] {
              NeuronOptions o;
              o.learn = {"bet"};
              make_neuron("Leaky", o);
            }),
            "[Leaky] parameter must be one of beta, got 'bet'; did you mean 'beta'?");
}

TEST(Errors, UnknownMode) {
  EXPECT_EQ(error_of([] { Lapicque({.beta = 0.9, .integration = "Euler"}); }),
            "[Lapicque] integration must be one of euler, exact, got 'Euler'; did you mean 'euler'?");
  EXPECT_EQ(error_of([] {
              NeuronOptions o;
              o.params = {{"beta", 0.9}};
              o.modes = {{"integrate", "euler"}};
              make_neuron("Lapicque", o);
            }),
            "[Lapicque] mode must be one of integration, got 'integrate'; did you mean 'integration'?");
}

TEST(Errors, UnknownNeuron) {
  std::string all;
  for (const auto& neuron : rheo::list_neurons()) all += (all.empty() ? "" : ", ") + neuron.name;
  EXPECT_EQ(error_of([] { make_neuron("Leeky"); }),
            "[neuron] name must be one of " + all + ", got 'Leeky'; did you mean 'Leaky'?");
  EXPECT_EQ(error_of([] { (void)rheo::find_neuron("Perceptron"); }),
            "[neuron] name must be one of " + all + ", got 'Perceptron'");
}

TEST(Errors, UnknownSurrogateOrReset) {
  EXPECT_EQ(error_of([] { rheo::Surrogate::by_name("fast_sigmoi"); }),
            "[surrogate] name must be one of atan, straight_through_estimator, triangular, fast_sigmoid, "
            "heaviside, "
            "sigmoid, spike_rate_escape, SFS, LSO, SSO, super_spike, gaussian, multi_gaussian, "
            "piecewise_linear, log_tailed_relu, none, got 'fast_sigmoi'; did you mean 'fast_sigmoid'?");
  EXPECT_EQ(error_of([] { rheo::Surrogate::by_name("atan", {{"slope", 2}}); }),
            "[surrogate] atan has no argument 'slope'");
  EXPECT_EQ(error_of([] { rheo::parse_reset("null"); }),
            "[reset_mechanism] must be one of subtract, zero, none, got 'null'");
}

// A state-dict can hold what no option can.
TEST(Errors, ResetMechanismOutOfRange) {
  Leaky lif({.beta = 0.9});
  {
    const torch::NoGradGuard no_grad;
    lif->parameter("reset_mechanism_val").fill_(7);
  }
  EXPECT_EQ(error_of([&] { lif->forward(torch::rand({2, 3})); }),
            "[Leaky] reset_mechanism_val must be 0, 1 or 2, got 7");
}

// ---- the operator by itself -------------------------------------------------------------------------------

TEST(Errors, OfTheOperator) {
  const auto one = torch::ones({});
  const auto call = [&] {
    rheo::ops::NeuronCall c;
    c.kind = "Leaky";
    c.x = torch::rand({4, 2, 3});
    c.steps = 4;
    c.constants = {one, one, one};
    return c;
  };
  const auto with = [&](const std::function<void(rheo::ops::NeuronCall&)>& change) {
    return error_of([&] {
      auto c = call();
      change(c);
      rheo::ops::neuron(c);
    });
  };
  EXPECT_EQ(with([](auto&) {}), "no error");
  EXPECT_EQ(with([](auto& c) { c.kind = "Leeky"; }),
            "[neuron] kind must be the name of a neuron, got 'Leeky'");
  EXPECT_EQ(with([](auto& c) { c.x = torch::rand({4, 3}, torch::kHalf); }),
            "[Leaky] x must be float32 or float64, got Half");
  EXPECT_EQ(with([](auto& c) { c.steps = 5; }),
            "[Leaky] x must have 5 time steps, or 1 that repeats, got shape [4, 2, 3]");
  EXPECT_EQ(with([](auto& c) { c.steps = -1; }), "[Leaky] steps must not be negative, got -1");
  EXPECT_EQ(with([](auto& c) { c.constants.pop_back(); }),
            "[Leaky] constants must hold 3 tensors, or one more for the slope, got 2");
  EXPECT_EQ(with([](auto& c) { c.constants[0] = torch::ones({4}); }),
            "[Leaky] constants must repeat along a row of 6 values, got 4");
  EXPECT_EQ(with([](auto& c) { c.constants[0] = torch::ones({}, torch::kDouble); }),
            "[Leaky] constants must be Float as x is, got Double");
  EXPECT_EQ(with([](auto& c) { c.state = {torch::zeros({2, 3}), torch::zeros({2, 3})}; }),
            "[Leaky] state must hold 1 tensors, got 2");
  EXPECT_EQ(with([](auto& c) { c.state = {torch::zeros({3})}; }),
            "[Leaky] state must have the shape of one step of x, [2, 3], got [3]");
}

}  // namespace
