// What the page of the neurons shows: rheobases and rates against formulas, a picture for whatever is in the registry, and
// the parts of the page.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "app/neurons/description.hpp"
#include "app/neurons/figures.hpp"
#include "app/neurons/page.hpp"
#include "app/page/page.hpp"

namespace {

using namespace rheo::app::neurons;
namespace page = rheo::app::page;

/// All of them, measured once.
const std::vector<Entry>& entries() {
  static const std::vector<Entry> all = measure();
  return all;
}

const Entry& entry(const std::string& name) {
  for (const Entry& e : entries())
    if (e.subject.description.name == name) return e;
  throw std::logic_error("no entry " + name);
}

/// The curve's value at the input nearest to `input`.
double at(const Curve& curve, double input) {
  std::size_t best = 0;
  for (std::size_t i = 0; i < curve.input.size(); ++i)
    if (std::abs(curve.input[i] - input) < std::abs(curve.input[best] - input)) best = i;
  return curve.value[best];
}

TEST(NeuronPage, RheobasesAreThoseOfTheFormulas) {
  struct Known {
    const char* neuron;
    double rheobase;
  };
  for (const auto& [neuron, rheobase] : {Known{"Leaky", 0.1},
                                         {"Lapicque", 1 / 5.1},
                                         {"ParametricLIF", 1},
                                         {"CubaLIF", 1},
                                         {"AdaptiveLIF", 1},
                                         {"QuadraticIF", 0.5 * 15 * 15 / (4 * 20)},
                                         {"ExponentialIF", (-59.9 + 65 - 3.48) / 10},
                                         {"StateLeaky", 1 - std::exp(-0.1)},
                                         {"SlidingPSN", 1 / (2 - std::exp2(-7.0))}}) {
    const auto& once = entry(neuron).response->once;
    ASSERT_TRUE(once.has_value()) << neuron;
    EXPECT_NEAR(*once, rheobase, 0.01 * rheobase) << neuron;
  }
  EXPECT_FALSE(entry("Leaky").response->adds_up);
}

// From rest the axon fires once at about 2.3 uA/cm2; it goes on only where its rest is lost, above 6.
TEST(NeuronPage, TheAxonFiresOnceBeforeItGoesOn) {
  const Response& axon = *entry("HodgkinHuxley").response;
  EXPECT_NEAR(*axon.once, 2.3, 0.2);
  EXPECT_NEAR(*axon.onset, 6.2, 0.3);
  EXPECT_EQ(at(axon.curve, 4), 0);
  EXPECT_GT(at(axon.curve, 7), 50);  // Hz: it does not begin slowly
  EXPECT_NE(caption(entry("HodgkinHuxley").subject, axon).find("it fires when an input of 2."),
            std::string::npos);
}

TEST(NeuronPage, RatesAreThoseOfTheFormula) {
  const Response& lapicque = *entry("Lapicque").response;
  EXPECT_EQ(entry("Lapicque").subject.time.rate_label(), "rate (Hz)");
  for (const double current : {0.3, 0.5, 0.7}) {
    // A spike is seen in the step after its crossing.
    const double interval = 25.5 * std::log(5.1 * current / (5.1 * current - 1));
    EXPECT_NEAR(1e3 / at(lapicque.curve, current), interval, 1.2) << current;
  }
  EXPECT_EQ(at(lapicque.curve, 0.19), 0);
  const Response& leaky = *entry("IF").response;
  EXPECT_TRUE(leaky.adds_up);
  EXPECT_NEAR(at(leaky.curve, 0.1), 0.1, 0.002);  // spikes per step: what comes in goes out
  EXPECT_NE(caption(entry("IF").subject, leaky).find("no rheobase"), std::string::npos);
}

TEST(NeuronPage, WhatAnswersOnlyAChangeIsCounted) {
  const Response& delta = *entry("DeltaLeaky").response;
  EXPECT_FALSE(delta.onset.has_value());
  EXPECT_NEAR(*delta.once, 1, 0.01);  // the first change is the input
  EXPECT_EQ(delta.curve.shows, Curve::Shows::count);
  // Changes fall by 0.9 each step: 2, 1.8, 1.62, 1.458, 1.3122, 1.18098, 1.062882.
  EXPECT_EQ(at(delta.curve, 2), 7);
}

TEST(NeuronPage, WhatDoesNotFireShowsItsMembrane) {
  const Entry& li = entry("LI");
  EXPECT_EQ(li.response->curve.shows, Curve::Shows::membrane);
  for (const double input : {-1.0, 0.5, 1.5}) EXPECT_NEAR(at(li.response->curve, input), input, 0.02);
  const auto figure = pulse_figure(li.subject, *li.response);
  EXPECT_EQ(figure.rows.size(), 2U);  // input and membrane, no spikes
  // 98 % of the way takes four time constants of 20 ms.
  EXPECT_NEAR(static_cast<double>(li.response->pulse.end - li.response->pulse.begin), 100, 21);
}

// No neuron is named here: one added to the registry is asked the same.
TEST(NeuronPage, EveryNeuronHasAPictureThatShowsSomething) {
  for (const Entry& e : entries()) {
    const auto& neuron = e.subject.description;
    SCOPED_TRACE(neuron.name);
    if (!e.subject.run) continue;
    ASSERT_TRUE(e.response.has_value());
    const Pulse& pulse = e.response->pulse;
    EXPECT_EQ(pulse.input.size(), pulse.steps);
    EXPECT_LT(pulse.begin, pulse.end);
    EXPECT_LE(pulse.end - pulse.begin, 4000U);
    ASSERT_FALSE(pulse.states.empty());
    for (const auto& [name, values] : pulse.states) {
      ASSERT_EQ(values.size(), pulse.steps) << name;
      EXPECT_TRUE(std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); }))
          << name;
    }
    const auto& mem = membrane(pulse.states);
    const auto [low, high] = std::minmax_element(mem.begin(), mem.end());
    EXPECT_LT(*low, *high) << "the membrane moves";
    if (neuron.fires) {
      EXPECT_GE(pulse.spikes(), 1U);
      ASSERT_TRUE(e.response->once.has_value());
      EXPECT_EQ(e.response->curve.value.front(), 0) << "without input it is silent";
      EXPECT_GT(e.response->curve.value.back(), 0);
      EXPECT_TRUE(std::is_sorted(e.response->curve.input.begin(), e.response->curve.input.end()));
      const auto early =
          std::count_if(pulse.spk.begin(), pulse.spk.begin() + static_cast<std::ptrdiff_t>(pulse.begin),
                        [](float s) { return s != 0; });
      EXPECT_EQ(early, 0) << "it waits for the pulse";
    }
    const std::string words = caption(e.subject, *e.response);
    EXPECT_TRUE(words.starts_with("Left: ")) << words;
    EXPECT_NE(words.find(" Right: "), std::string::npos) << words;
  }
  for (const auto& neuron : rheo::list_neurons())
    EXPECT_TRUE(entry(neuron.name).response.has_value()) << neuron.name;
}

TEST(NeuronPage, TimeHasTheNeuronsUnit) {
  EXPECT_EQ(entry("AdEx").subject.time.label(), "time (ms)");
  EXPECT_DOUBLE_EQ(entry("AdEx").subject.time.step, 0.1);
  EXPECT_DOUBLE_EQ(entry("LI").subject.time.step, 1);  // 1e-3 s
  EXPECT_DOUBLE_EQ(entry("LI").subject.time.rate(0.1), 100);
  EXPECT_EQ(entry("Leaky").subject.time.label(), "step");
  EXPECT_EQ(entry("Leaky").subject.time.duration(40), "40 steps");
  EXPECT_EQ(entry("ResonateAndFire").subject.time.rate_label(), "spikes per unit of time");
  EXPECT_DOUBLE_EQ(entry("ResonateAndFire").subject.time.rate(0.1), 2);
}

TEST(NeuronPage, LinesLoseOnlyPointsThatDoNotShow) {
  std::vector<double> x{0, 1, 2, 3, 4, 5}, y{0, 1, 2, 2, 2, 0};
  simplify(x, y, 1e-3);
  EXPECT_EQ(x, (std::vector<double>{0, 2, 4, 5}));
  EXPECT_EQ(y, (std::vector<double>{0, 2, 2, 0}));
  std::vector<double> flat_x{0, 1, 2}, flat_y{3, 3, 3};
  simplify(flat_x, flat_y, 1e-3);
  EXPECT_EQ(flat_x, (std::vector<double>{0, 2}));
  std::vector<double> gap_x{0, 1, 2}, gap_y{0, std::nan(""), 0};
  simplify(gap_x, gap_y, 1e-3);
  EXPECT_EQ(gap_x.size(), 3U);
  // Everywhere within the tolerance, of a curve with a spike in it.
  std::vector<double> t, u;
  for (int i = 0; i <= 1000; ++i) {
    t.push_back(i);
    u.push_back(std::sin(i / 100.0) + (i == 500 ? 5 : 0));
  }
  const auto whole_t = t, whole_u = u;
  simplify(t, u, 1e-3);
  EXPECT_LT(t.size(), 150U);
  std::size_t k = 0;
  for (std::size_t i = 0; i < whole_t.size(); ++i) {
    while (t[k + 1] < whole_t[i]) ++k;
    const double share = (whole_t[i] - t[k]) / (t[k + 1] - t[k]);
    ASSERT_NEAR(u[k] + share * (u[k + 1] - u[k]), whole_u[i], 0.05) << i;
  }
}

TEST(NeuronPage, HeadersFallIntoProseAndEquations) {
  const auto found = passages("One line.\nThat runs on.\n    U = x\n      + y\nThe end.");
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].text, "One line. That runs on.");
  EXPECT_TRUE(found[1].equations);
  EXPECT_EQ(found[1].text, "U = x\n  + y");
  EXPECT_EQ(found[2].text, "The end.");
}

TEST(NeuronPage, NamesElsewhereArePairs) {
  rheo::NeuronDescription neuron;
  EXPECT_TRUE(names_elsewhere(neuron).empty());
  neuron.elsewhere = "NIR: IF; Norse: IAFCell, recurrent too";
  const auto names = names_elsewhere(neuron);
  ASSERT_EQ(names.size(), 2U);
  EXPECT_EQ(names[1].library, "Norse");
  EXPECT_EQ(names[1].name, "IAFCell, recurrent too");
  for (const auto& n : rheo::list_neurons()) {  // each has the form of a pair
    const auto semicolons = std::count(n.elsewhere.begin(), n.elsewhere.end(), ';');
    EXPECT_EQ(names_elsewhere(n).size(), n.elsewhere.empty() ? 0U : static_cast<std::size_t>(semicolons) + 1)
        << n.name << ": " << n.elsewhere;
  }
}

TEST(NeuronPage, TwoDrawingsBecomeOne) {
  const std::string a = "<?xml?>\n<svg \n viewBox=\"0 0 30 20\"\n xmlns=\"x\">\n<g/>\n</svg>\n";
  const std::string b = "<svg viewBox=\"0 0 12 25\"><rect/></svg>";
  const std::string both = page::beside(a, b, "A & B");
  EXPECT_NE(both.find("viewBox=\"0 0 42 25\""), std::string::npos) << both;
  EXPECT_NE(both.find("<title>A &amp; B</title>"), std::string::npos);
  EXPECT_NE(both.find("<svg x=\"30\" width=\"12\" height=\"25\"><rect/></svg>"), std::string::npos) << both;
  EXPECT_EQ(both.find("<?xml"), std::string::npos);
  EXPECT_THROW((void)page::beside("nothing", b, ""), std::logic_error);
}

TEST(NeuronPage, PicturesAreCalledAsHeaders) {
  EXPECT_EQ(picture_path("HodgkinHuxley"), "neurons/hodgkin_huxley.svg");
  EXPECT_EQ(picture_path("RLeaky"), "neurons/rleaky.svg");
  EXPECT_EQ(picture_path("AdEx"), "neurons/ad_ex.svg");
}

TEST(NeuronPage, ThePageHoldsEverythingAndNeedsNothing) {
  std::vector<Entry> all = entries();
  for (Entry& e : all) e.picture = "<svg><title>" + e.subject.description.name + "</title></svg>";
  const std::string html = rheo::app::neurons::html(all, "1.2.3");
  for (const Entry& e : all) {
    const auto& neuron = e.subject.description;
    SCOPED_TRACE(neuron.name);
    EXPECT_NE(html.find("<a href=\"#" + neuron.name + "\">"), std::string::npos);
    EXPECT_NE(html.find("<h2 id=\"" + neuron.name + "\">"), std::string::npos);
    EXPECT_EQ(html.find("<title>" + neuron.name + "</title>") != std::string::npos, e.response.has_value());
    for (const auto& p : neuron.params)
      EXPECT_NE(html.find(page::escaped(p.meaning)), std::string::npos) << p.name;
    for (const auto& s : neuron.states)
      EXPECT_NE(html.find(page::escaped(s.meaning)), std::string::npos) << s.name;
    for (const auto& [library, name] : names_elsewhere(neuron))
      EXPECT_NE(html.find("<tr><th>" + library + "</th><td>" + page::escaped(name)), std::string::npos);
  }
  EXPECT_NE(html.find("Rheobase 1.2.3"), std::string::npos);
  for (const char* resource : {"src=", "<link", "<script", "@import", "url(", "http://", "https://"})
    EXPECT_EQ(html.find(resource), std::string::npos) << resource;
  for (Entry& e : all) e.picture.clear();
  EXPECT_NE(rheo::app::neurons::html(all, "1").find("No figure: gnuplot was missing"), std::string::npos);
}

// The page lifts the figures' colours on a dark ground, by the words gnuplot writes.
TEST(NeuronPage, PicturesAreSmallAndHaveThePagesColours) {
  std::vector<Entry> some;
  for (const char* name : {"HodgkinHuxley", "AdEx", "Alpha", "LI", "DeltaLeaky"}) some.push_back(entry(name));
  try {
    draw(some);
  } catch (const rheo::plot::GnuplotMissing& missing) {
    GTEST_SKIP() << missing.what();
  }
  const std::string style(page::style);
  for (const Entry& e : some) {
    SCOPED_TRACE(e.subject.description.name);
    EXPECT_LT(e.picture.size(), 40000U);  // 30000 with gnuplot 5.4
    for (const std::string attribute : {"stroke='rgb(", "fill=\"rgb("}) {
      for (std::size_t i = e.picture.find(attribute); i != std::string::npos;
           i = e.picture.find(attribute, i + 1)) {
        const std::size_t begin = i + attribute.size() - 4;
        const std::string colour = e.picture.substr(begin, e.picture.find(')', begin) - begin + 1);
        ASSERT_NE(style.find("\"" + colour + "\""), std::string::npos) << colour;
      }
    }
  }
}

}  // namespace
