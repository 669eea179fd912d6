// Every number of the leaky integrate-and-fire tutorial, to the last digit it prints. The references were
// computed in 32 bits by other software; a is in 64 bits there too.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>
#include <numeric>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "app/page/page.hpp"
#include "app/tutorial/costs.hpp"
#include "app/tutorial/experiments.hpp"
#include "app/tutorial/figures.hpp"
#include "app/tutorial/page.hpp"
#include "app/tutorial/report.hpp"
#include "rheo/neurons/hodgkin_huxley.hpp"
#include "rheo/nn/neurons.hpp"

#include <torch/types.h>

namespace {

using namespace rheo::app::tutorial;

/// Digits after the point, as printf rounds.
std::string fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

/// Significant digits, in e notation: "1.28452e-05" has 6.
std::string scientific(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*e", digits - 1, value);
  return text;
}

std::vector<float> recorded_spikes() {
  std::ifstream file(RHEO_TEST_DATA "/tutorial2_spikes.txt");
  std::vector<float> spikes;
  for (std::string line; std::getline(file, line);) {
    std::istringstream numbers(line.starts_with("#") ? "" : line);
    for (float spike; numbers >> spike;) spikes.push_back(spike);
  }
  return spikes;
}

const Experiments& experiments() {
  static const Experiments all = run_experiments({.spikes = recorded_spikes()});
  return all;
}

double highest(const Recording& recording) {
  return static_cast<double>(*std::max_element(recording.mem.begin(), recording.mem.end()));
}

std::ptrdiff_t peak_time(const Recording& recording) {
  return std::max_element(recording.mem.begin(), recording.mem.end()) - recording.mem.begin();
}

/// Entry n of the membrane with `digits` digits after the point.
std::string at(const Recording& recording, std::size_t n, int digits = 7) {
  return fixed(static_cast<double>(recording.mem.at(n)), digits);
}

using Times = std::vector<int>;

Times every(int interval, int first, int last) {
  Times times;
  for (int t = first; t <= last; t += interval) times.push_back(t);
  return times;
}

/// Spikes in the milliseconds from `begin` to `end`.
std::size_t between(const std::vector<float>& spk, double begin, double end) {
  std::size_t count = 0;
  for (std::size_t n = 0; n < spk.size(); ++n) {
    const double at = fine_step * static_cast<double>(n + 1);
    count += spk[n] != 0 && at > begin && at <= end ? 1 : 0;
  }
  return count;
}

TEST(Tutorial2, TheOpeningGivesTheSameCurrentToAllThree) {
  const SameCurrent& same = experiments().same;
  ASSERT_EQ(same.current.size(), 1200U);
  for (const auto* trace :
       {&same.axon_mem, &same.axon_spk, &same.lif_mem, &same.lif_spk, &same.sum, &same.number})
    ASSERT_EQ(trace->size(), 1200U);
  // A current that is too weak to keep the axon firing makes it fire once, where it sets in. The other waits.
  EXPECT_EQ(between(same.axon_spk, 0, 10), 0U);
  EXPECT_EQ(between(same.axon_spk, 10, 40), 1U);
  EXPECT_EQ(between(same.lif_spk, 10, 40), 0U);
  // Twice the current is hardly more to the axon, and much more to the leaky neuron.
  const auto axon_8 = between(same.axon_spk, 40, 70), axon_16 = between(same.axon_spk, 70, 100);
  const auto lif_8 = between(same.lif_spk, 40, 70), lif_16 = between(same.lif_spk, 70, 100);
  EXPECT_GE(axon_8, 2U);
  EXPECT_LE(axon_16, axon_8 + 1);
  EXPECT_GE(lif_16, 2 * lif_8);
  EXPECT_EQ(between(same.axon_spk, 104, 120) + between(same.lif_spk, 101, 120), 0U);
  // The spike has a height of its own in the axon, the threshold's in the other.
  EXPECT_GT(*std::max_element(same.axon_mem.begin(), same.axon_mem.end()), 20);
  EXPECT_LT(*std::max_element(same.lif_mem.begin(), same.lif_mem.end()), 16);
  for (std::size_t n = 0; n < same.current.size(); ++n) {
    ASSERT_FLOAT_EQ(same.sum[n], 0.1F * same.current[n] - 0.6F);
    ASSERT_EQ(same.number[n], std::max(same.sum[n], 0.0F));
  }
}

// A leaky membrane from 0: it reaches the threshold after tau ln(R I / (R I - threshold)), here in steps of 0.1 ms.
TEST(Tutorial2, TheOpeningsLeakyNeuronKeepsItsFormula) {
  const SameCurrent& same = experiments().same;
  std::vector<double> times;
  for (std::size_t n = 700; n < 1000; ++n)
    if (same.lif_spk[n] != 0) times.push_back(fine_step * static_cast<double>(n));
  ASSERT_GE(times.size(), 3U);
  const double interval = (times.back() - times.front()) / static_cast<double>(times.size() - 1);
  EXPECT_NEAR(interval, 9.6 * std::log(2.4 * 16 / (2.4 * 16 - 15)), 0.1);
}

// By hand, from the equations. In each of the axon's four sub-steps: opening rate, closing rate and update of a gate
// take 7 sums, 7 products and 3 exponentials, and n and m 3 quotients, h 2; conductances, drive and membrane take 8 sums,
// 17 products, a quotient and an exponential; it compares once, whether the membrane is too low for the rates. After them it
// compares twice, for the spike and for where it came from.
TEST(Tutorial2, TheStepsAreCountedAsByHand) {
  const auto all = costs();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].states, 4);
  EXPECT_EQ(all[0].operations, (Operations{.additions = 4 * (3 * 7 + 8) + 1,
                                           .multiplications = 4 * (3 * 7 + 17) + 2,
                                           .divisions = 4 * (3 + 3 + 2 + 1),
                                           .exponentials = 4 * (3 * 3 + 1),
                                           .comparisons = 4 + 2}));
  EXPECT_EQ(all[1].states, 1);
  EXPECT_EQ(all[1].operations, (Operations{.additions = 2, .multiplications = 4, .comparisons = 2}));
  EXPECT_EQ(all[2].states, 0);
  EXPECT_EQ(all[2].operations, (Operations{.additions = 1, .multiplications = 1, .comparisons = 1}));
  EXPECT_EQ(all[2].operations.total(), 3);
}

// What is counted is what the neuron computes.
TEST(Tutorial2, CountedNumbersGiveTheNeuronsMembrane) {
  using Axon = rheo::neurons::HodgkinHuxley;
  rheo::nn::HodgkinHuxley module({.time_step = 0.1});
  module->to(torch::kDouble);
  const auto numbers = module->constants();
  const auto constants = Axon::make_constants(
      [&](auto i) { return Counted(numbers[std::size_t{i.value}].second.template item<double>()); });
  const double rest[] = {0.31767691406071, 0.05293248525724, 0.59612075350846, -65};
  auto state = Axon::make_state([&](auto i) { return Counted(rest[i.value]); });
  struct None {};
  const rheo::Rule<Counted, Counted, Counted, None, rheo::ResetForm::delayed_subtract> rule{
      -20, 1, {0, 0, 0, 0}, {}};
  const auto x = torch::full({300, 1}, 10.0, torch::kDouble);
  const auto recorded = module->record(x);
  for (std::int64_t t = 0; t < 300; ++t) {
    const auto stepped = Axon::step(state, Counted(10), constants, rule);
    state = stepped.state;
    ASSERT_NEAR(state.mem.value(), recorded.mem[t].item<double>(), 1e-6) << t;
    ASSERT_EQ(stepped.spk.value(), recorded.spk[t].item<double>()) << t;
  }
  EXPECT_GT(recorded.spk.sum().item<double>(), 1);
}

TEST(Tutorial2, CountingStartsFromNothingAndNests) {
  const Counted a = 2;
  const Operations outer = count([&] {
    (void)(a + a);
    EXPECT_EQ(count([&] { (void)(a * a); }), Operations{.multiplications = 1});
    (void)(1 / a);
  });
  EXPECT_EQ(outer, (Operations{.additions = 1, .divisions = 1}));
}

TEST(Tutorial2, TimesAreMeasured) {
  const auto times = measured_times();
  ASSERT_EQ(times.size(), 3U);
  for (const double nanoseconds : times) {
    EXPECT_GT(nanoseconds, 0);
    EXPECT_LT(nanoseconds, 1e6);
  }
  EXPECT_GT(times[0], times[1]);
  const auto grid = with_times({{"head"}, {"a"}, {"b"}, {"c"}}, {123.4, 0.56, 7});
  EXPECT_EQ(grid,
            (std::vector<std::vector<std::string>>{{"head", "ns"}, {"a", "123"}, {"b", "0.56"}, {"c", "7"}}));
}

TEST(Tutorial2, A_EulerMembrane) {
  const auto& mem = experiments().passive;
  ASSERT_EQ(mem.size(), 100U);
  const char* first[] = {"0.900000", "0.720000", "0.576000", "0.460800", "0.368640", "0.294912"};
  for (std::size_t n = 0; n < std::size(first); ++n) EXPECT_EQ(fixed(mem[n], 6), first[n]);
  EXPECT_EQ(fixed(mem[10], 7), "0.0966368");
  EXPECT_EQ(fixed(mem[25], 7), "0.0034001");
  EXPECT_EQ(scientific(mem[50], 6), "1.28452e-05");
  EXPECT_EQ(mem[5], 0.29491199999999995);  // 64 bits, in the order of the formula
}

TEST(Tutorial2, B_NoStimulus) {
  const auto& run = experiments().resting;
  ASSERT_EQ(run.mem.size(), 101U);
  const char* first[] = {"0.900000", "0.720000", "0.576000", "0.460800", "0.368640", "0.294912"};
  for (std::size_t n = 0; n < std::size(first); ++n) EXPECT_EQ(at(run, n, 6), first[n]);
  EXPECT_EQ(scientific(static_cast<double>(run.mem[50]), 6), "1.28452e-05");
  EXPECT_EQ(scientific(static_cast<double>(run.mem[100]), 6), "1.83334e-10");
  EXPECT_EQ(run.spike_times(), Times{});
}

TEST(Tutorial2, C_StepCurrent) {
  const auto& run = experiments().step_current;
  ASSERT_EQ(run.mem.size(), 201U);
  EXPECT_EQ(at(run, 10), "0.0000000");
  EXPECT_EQ(at(run, 11), "0.1000000");
  EXPECT_EQ(at(run, 12), "0.1800000");
  EXPECT_EQ(at(run, 13), "0.2440000");
  EXPECT_EQ(at(run, 14), "0.2952000");
  EXPECT_EQ(at(run, 15), "0.3361600");
  EXPECT_EQ(at(run, 20), "0.4463129");
  EXPECT_EQ(at(run, 30), "0.4942354");
  EXPECT_EQ(at(run, 50), "0.4999335");
  EXPECT_EQ(static_cast<double>(run.mem[200]), 0.4999999403953552);
}

TEST(Tutorial2, D_Pulses) {
  const auto& runs = experiments().pulsed;
  ASSERT_EQ(runs.size(), 4U);
  EXPECT_EQ(peak_time(runs[0]), 30);
  EXPECT_EQ(at(runs[0], 30), "0.4942354");
  EXPECT_EQ(at(runs[0], 31), "0.3953883");
  EXPECT_EQ(at(runs[0], 40), "0.0530681");
  EXPECT_EQ(at(runs[0], 50), "0.0056981");
  EXPECT_EQ(peak_time(runs[1]), 20);
  EXPECT_EQ(at(runs[1], 20), "0.4954074");
  EXPECT_EQ(at(runs[1], 30), "0.0531940");
  EXPECT_EQ(peak_time(runs[2]), 15);
  EXPECT_EQ(at(runs[2], 15), "0.4941552");
  EXPECT_EQ(at(runs[2], 20), "0.1619248");
  EXPECT_EQ(at(runs[2], 30), "0.0173865");
  EXPECT_EQ(peak_time(runs[3]), 11);
  EXPECT_EQ(at(runs[3], 11), "0.5000000");
  EXPECT_EQ(at(runs[3], 12), "0.4000000");
  EXPECT_EQ(at(runs[3], 13), "0.3200000");
  EXPECT_EQ(at(runs[3], 20), "0.0671089");
}

TEST(Tutorial2, E_FiringByHand) {
  const auto& free = experiments().by_hand_without_reset;
  ASSERT_EQ(free.mem.size(), 200U);
  EXPECT_EQ(free.spike_times(), every(1, 109, 199));
  EXPECT_EQ(free.spike_times().size(), 91U);
  EXPECT_LE(free.mem[107], 1.0F);
  EXPECT_EQ(at(free, 108), "1.0005659");
  EXPECT_EQ(fixed(highest(free), 5), "1.01949");

  const auto& run = experiments().by_hand;
  EXPECT_EQ(run.spike_times(), Times{109});
  EXPECT_EQ(at(run, 107), "0.9997727");
  EXPECT_EQ(at(run, 108), "1.0005659");
  EXPECT_EQ(at(run, 109, 6), "0.001328");
}

TEST(Tutorial2, F_LapicqueFires) {
  const auto& run = experiments().firing;
  EXPECT_EQ(run.spike_times(), Times{109});
  const std::vector<float> slice(run.spk.begin() + 105, run.spk.begin() + 115);
  EXPECT_EQ(slice, (std::vector<float>{0, 0, 0, 0, 1, 0, 0, 0, 0, 0}));
  EXPECT_EQ(at(run, 108), "0.9997732");
  EXPECT_EQ(at(run, 109, 6), "1.000566");
  EXPECT_EQ(at(run, 110, 6), "0.001328");
  EXPECT_EQ(at(run, 200, 5), "0.99218");
}

TEST(Tutorial2, G_LargerCurrent) {
  EXPECT_EQ(experiments().larger_current.spike_times(), (Times{37, 64, 92, 119, 147, 174}));
  EXPECT_EQ(fixed(highest(experiments().larger_current), 4), "1.0184");
}

TEST(Tutorial2, H_LowerThreshold) {
  EXPECT_EQ(experiments().lower_threshold.spike_times(),
            (Times{20, 31, 41, 51, 62, 72, 83, 93, 103, 114, 124, 135, 145, 155, 166, 176, 187, 197}));
  EXPECT_EQ(fixed(highest(experiments().lower_threshold), 6), "0.539918");
}

TEST(Tutorial2, H_LowerThresholdResetToZero) {
  const auto& run = experiments().lower_threshold_zero;
  EXPECT_EQ(run.spike_times(), every(11, 20, 196));
  EXPECT_EQ(run.spike_times().size(), 17U);
  for (const int t : run.spike_times()) EXPECT_EQ(run.mem[static_cast<std::size_t>(t) + 1], 0.0F) << t;
}

TEST(Tutorial2, I_RandomInput) {
  const std::vector<float> spikes = recorded_spikes();
  ASSERT_EQ(spikes.size(), 200U);
  EXPECT_EQ(std::accumulate(spikes.begin(), spikes.end(), 0.0F), 87.0F);
  const auto& run = experiments().random_subtract;
  EXPECT_EQ(run.input, spikes);
  EXPECT_EQ(run.mem[0], 0.5F);
  EXPECT_EQ(run.spike_times(),
            (Times{3,   5,   14,  20,  29,  33,  36,  44,  46,  58,  63,  78,  84,  95,  100, 105,
                   111, 117, 126, 128, 131, 146, 151, 156, 160, 164, 172, 180, 188, 195, 199}));
}

TEST(Tutorial2, J_RandomInputResetToZero) {
  EXPECT_EQ(experiments().random_zero.spike_times(),
            (Times{3,   13,  20,  29,  34,  42,  46,  58,  72,  81,  90,  99, 105,
                   111, 117, 126, 130, 146, 151, 158, 164, 172, 180, 188, 196}));
}

TEST(Tutorial2, J_WithoutResetTheMembraneIsTheLinearFilterOfItsInput) {
  const auto& run = experiments().random_none;
  double mem = 0.5;
  for (std::size_t n = 0; n < run.input.size(); ++n) {
    mem += 1e-3 / (5.1 * 5e-3) * (-mem + 5.1 * static_cast<double>(run.input[n]));
    ASSERT_NEAR(run.mem[n + 1], mem, 1e-5) << n;
    ASSERT_EQ(run.spk[n + 1], run.mem[n + 1] > 0.5F ? 1.0F : 0.0F) << n;
  }
}

TEST(Tutorial2, K_RegularInput) {
  Times subtract = every(9, 7, 196);
  subtract.insert(subtract.begin(), 1);
  EXPECT_EQ(experiments().regular_subtract.spike_times(), subtract);
  EXPECT_EQ(subtract.size(), 23U);
  EXPECT_EQ(experiments().regular_zero.spike_times(), every(9, 1, 199));
  EXPECT_EQ(experiments().regular_zero.spike_times().size(), 23U);
}

TEST(Tutorial2, DrawnSpikesFollowTheSeed) {
  EXPECT_EQ(random_spikes(3), random_spikes(3));
  EXPECT_NE(random_spikes(3), random_spikes(4));
  const std::vector<float> spikes = random_spikes(0);
  EXPECT_EQ(spikes.size(), 200U);
  EXPECT_EQ(run_experiments({.seed = 0}).random_subtract.input, spikes);
  for (const std::uint64_t seed : {0, 1, 2, 3}) {
    const auto drawn = random_spikes(seed);
    const auto n = std::count(drawn.begin(), drawn.end(), 1.0F);
    EXPECT_EQ(n + std::count(drawn.begin(), drawn.end(), 0.0F), 200);
    EXPECT_GT(n, 45) << seed;  // 80 expected, standard deviation 7
    EXPECT_LT(n, 115) << seed;
  }
}

TEST(Tutorial2, TheReportSaysTheNumbers) {
  const std::string text = to_text(report(experiments()), 5);
  for (const char* line :
       {"(seed 5)\n", "The calculated value of input pulse [A] x resistance [ohm]: 0.5 V\n",
        "The simulated value of steady-state membrane potential: 0.4999999403953552 V\n",
        "Membrane potential time constant: 0.025s\n", "spk[105] to spk[114]: 0 0 0 0 1 0 0 0 0 0\n",
        "Spike times at 0.3 A (6): 37, 64, 92, 119, 147, 174\n",
        "U[0] to U[5]: 0.9, 0.72, 0.576, 0.4608, 0.36864, 0.294912 V\n", "Input spikes: 87 in 200 steps\n",
        "Without reset: spike flag set: steps 109 to 199 (91)\n", "0. The same current into three neurons\n",
        "The artificial neuron's number: 0 at 4, 0.2 at 8, 1 at 16 uA/cm2\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
  }
}

/// A page whose figures are stand-ins, so that this needs no gnuplot.
PageParts parts() {
  PageParts made{.sections = report(experiments()),
                 .svg = {},
                 .nanoseconds = {31, 0.5, 0.4},
                 .seed = 5,
                 .input_spikes = 87,
                 .version = "1.2.3"};
  for (const NamedFigure& figure : figures(experiments())) {
    made.svg[figure.name] = "<?xml version=\"1.0\"?>\n<svg><title>" + figure.name + "</title></svg>";
  }
  return made;
}

TEST(Tutorial2, ThePageHoldsEveryFigureTableAndTheCodeThatRan) {
  const PageParts all = parts();
  const std::string html = page(all);
  for (const auto& [name, svg] : all.svg) {
    EXPECT_NE(html.find("<title>" + name + "</title>"), std::string::npos)
        << name << " is in no place of the page";
  }
  for (const Section& section : all.sections) {
    EXPECT_NE(html.find("id=\"" + section.id + "\""), std::string::npos) << section.id;
    for (const Row& row : section.rows) {
      if (row.value.find_first_of("<>&\"") == std::string::npos) {
        EXPECT_NE(html.find(row.value), std::string::npos) << row.quantity;
      }
    }
  }
  for (const char* kind : {"{{figure", "{{table", "{{costs", "{{code", "{{seed", "{{version"}) {
    EXPECT_EQ(html.find(kind), std::string::npos) << kind;
  }
  EXPECT_EQ(html.find("<?xml"), std::string::npos);
  EXPECT_EQ(html.find("No figure"), std::string::npos);
  EXPECT_NE(html.find("rheo::nn::Lapicque lif({.R = 5.1, .C = 5e-3, .time_step = 1e-3});"),
            std::string::npos);
  EXPECT_NE(html.find("std::vector&lt;double&gt; passive_membrane() {"), std::string::npos);
  EXPECT_NE(html.find("Rheobase 1.2.3"), std::string::npos);
  // The opening: the axon's step in numbers, and how long it took.
  EXPECT_NE(html.find("SameCurrent same_current() {"), std::string::npos);
  EXPECT_NE(html.find("<td>117</td><td>154</td><td>36</td><td>40</td><td>6</td><td>353</td><td>31</td>"),
            std::string::npos);
}

TEST(Tutorial2, ThePageNeedsNothingBesideIt) {
  const std::string html = page(parts());
  for (const char* resource : {"src=", "<link", "<script", "@import", "url(", "http://", "https://"}) {
    EXPECT_EQ(html.find(resource), std::string::npos) << resource;
  }
}

TEST(Tutorial2, WithoutFiguresThePageSaysSo) {
  PageParts bare = parts();
  bare.svg.clear();
  const std::string html = page(bare);
  EXPECT_NE(html.find("No figure: gnuplot was missing"), std::string::npos);
  EXPECT_NE(html.find("37, 64, 92, 119, 147, 174"), std::string::npos);
}

TEST(Tutorial2, CodeIsFoundByItsMarks) {
  EXPECT_EQ(code_between_marks("x\n// [one]\na\nb\n// [end]\n// [two]\nc\n// [end]\n", "one"), "a\nb");
  EXPECT_EQ(code_between_marks("x\n// [one]\na\n// [end]\n// [two]\nc\n// [end]\n", "two"), "c");
  EXPECT_THROW((void)code_between_marks("nothing", "one"), std::logic_error);
}

// The page gives the figures other colours on a dark ground, by the very words gnuplot writes.
TEST(Tutorial2, DarkColoursAreThoseOfTheFigures) {
  std::map<std::string, std::string> svg;
  try {
    for (const NamedFigure& figure : figures(experiments()))
      svg[figure.name] = rheo::plot::to_svg(figure.figure);
  } catch (const rheo::plot::GnuplotMissing& missing) {
    GTEST_SKIP() << missing.what();
  }
  const std::string style(rheo::app::page::style);
  for (const auto& [name, drawing] : svg) {
    for (const std::string attribute : {"stroke='rgb(", "fill=\"rgb("}) {
      for (std::size_t i = drawing.find(attribute); i != std::string::npos;
           i = drawing.find(attribute, i + 1)) {
        const std::size_t begin = i + attribute.size() - 4;
        const std::string colour = drawing.substr(begin, drawing.find(')', begin) - begin + 1);
        ASSERT_NE(style.find("\"" + colour + "\""), std::string::npos) << name << " has " << colour;
      }
    }
  }
}

}  // namespace
