#include "rheo/plot/figure.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include "rheo/plot/detail/gnuplot.hpp"
#include "rheo/plot/detail/layout.hpp"
#include "rheo/plot/detail/script.hpp"
#include "rheo/plot/detail/svg.hpp"
#include "rheo/plot/detail/text.hpp"

namespace {

namespace fs = std::filesystem;
using namespace rheo::plot;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

/// A folder of this test's own, gone at its end.
class PlotTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("rheo_plot_test_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  [[nodiscard]] std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_))
      names.push_back(entry.path().filename().string());
    return names;
  }

  fs::path folder_;
};

/// PATH for the length of a scope.
class Path {
 public:
  explicit Path(const std::string& value) : old_(std::getenv("PATH")) { ::setenv("PATH", value.c_str(), 1); }
  ~Path() { ::setenv("PATH", old_.c_str(), 1); }
  Path(const Path&) = delete;
  Path& operator=(const Path&) = delete;

 private:
  std::string old_;
};

bool gnuplot_is_here() {
  try {
    (void)detail::run_gnuplot("");
    return true;
  } catch (const GnuplotMissing&) {
    return false;
  }
}

#define NEEDS_GNUPLOT() \
  if (!gnuplot_is_here()) GTEST_SKIP() << "gnuplot is not installed"

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t n = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + what.size())) ++n;
  return n;
}

Figure one(Panel panel) { return {.rows = {{.panels = {std::move(panel)}}}}; }

template <class Function>
std::string message(Function function) {
  try {
    function();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "nothing thrown";
}

std::uint32_t big_endian(const std::string& bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes.at(at + i));
  return value;
}

TEST_F(PlotTest, WritesSvgAndPngByEnding) {
  NEEDS_GNUPLOT();
  Panel panel{.x_label = "time (ms)", .y_label = "membrane U (V)"};
  panel.line(std::vector<float>{0, 0.5F, 0.25F}, {.label = "U"})
      .horizontal(1, {.label = "threshold"})
      .vertical(1);
  save(one(panel), folder_ / "a.svg");
  save(one(panel), folder_ / "a.PNG");

  const std::string svg = contents(folder_ / "a.svg"), png = contents(folder_ / "a.PNG");
  EXPECT_TRUE(svg.starts_with("<?xml"));
  EXPECT_NE(svg.find("</svg>"), std::string::npos);
  for (const char* text : {"time (ms)", "membrane U (V)", ">U<", ">threshold<"}) {
    EXPECT_NE(svg.find(text), std::string::npos) << text;
  }
  EXPECT_TRUE(png.starts_with("\x89PNG\r\n"));
  EXPECT_EQ(big_endian(png, 16), 1440U);  // two pixels per pixel of the figure
  EXPECT_EQ(big_endian(png, 20), 800U);
  EXPECT_EQ(files().size(), 2U) << "temporaries left behind";
}

TEST_F(PlotTest, SvgCanStandBesideOthersInOnePage) {
  NEEDS_GNUPLOT();
  Panel panel;
  panel.line(std::vector<float>{0, 1});
  Figure figure = one(panel);
  figure.title = "R & C < tau";
  const std::string svg = to_svg(figure);
  EXPECT_EQ(count(svg, " id="), 0U) << "names would clash";
  EXPECT_EQ(count(svg, "<title>"), 1U);
  EXPECT_NE(svg.find("<title>R &amp; C &lt; tau</title>"), std::string::npos);
  EXPECT_EQ(count(svg, "Gnuplot"), 0U);
}

TEST_F(PlotTest, ALegendIsOneRowHoweverNarrowTheFigure) {
  NEEDS_GNUPLOT();
  Panel panel;
  panel.line(std::vector<float>{0.98, 0.99}, {.label = "train"})
      .line(std::vector<float>{0.99, 0.985}, {.label = "validation"});
  Figure figure = one(panel);
  figure.width = 460;
  const std::string svg = to_svg(figure);
  const auto height_of = [&](const std::string& label) {
    const auto text = svg.find(">" + label + "<");
    const auto place = svg.rfind("translate(", text);
    return svg.substr(svg.find(',', place), svg.find(')', place) - svg.find(',', place));
  };
  ASSERT_NE(svg.find(">train<"), std::string::npos);
  ASSERT_NE(svg.find(">validation<"), std::string::npos);
  EXPECT_EQ(height_of("train"), height_of("validation"));
}

TEST_F(PlotTest, EveryLabelIsShownHoweverLong) {
  NEEDS_GNUPLOT();
  for (const std::size_t length : {8, 12, 13, 14, 15, 16, 17, 18, 20, 24, 60}) {
    Panel panel;
    for (const char letter : {'k', 'm', 'w'}) {
      panel.line(std::vector<float>{0, 1}, {.label = std::string(length, letter)});
    }
    const std::string svg = to_svg(one(panel));
    for (const char letter : {'k', 'm', 'w'}) {
      EXPECT_EQ(count(svg, ">" + std::string(length, letter) + "<"), 1U) << length;
    }
  }
}

TEST_F(PlotTest, HostileTextIsShownAsItIs) {
  NEEDS_GNUPLOT();
  const std::string mark = (folder_ / "mark").string();
  const std::string hostile = "`touch " + mark + "` @x 'q' \"d\" \\n {/Bold b}^2_3 & <b> %g $1 #";
  Panel panel{.title = hostile, .x_label = hostile, .y_label = hostile};
  panel.line(std::vector<float>{0, 1}, {.label = hostile + "'; system('touch " + mark + "')"});
  panel.horizontal(0.5, {.label = hostile});
  Figure figure = one(panel);
  figure.title = hostile + "\nsystem('touch " + mark + "')\n";
  const std::string svg = to_svg(figure);
  EXPECT_FALSE(fs::exists(mark)) << "a label was run as a command";
  // gnuplot escapes & and < itself.
  const std::string shown = "` @x 'q' \"d\" \\n {/Bold b}^2_3 &amp; &lt;b> %g $1 #";
  EXPECT_EQ(count(svg, shown), 6U) << svg;
  EXPECT_FALSE(to_png(figure).empty());
}

TEST_F(PlotTest, BadUtf8AndControlCharactersDoNotReachTheFile) {
  EXPECT_EQ(detail::clean_text("a\nb\tc\x01"), "a b c ");
  EXPECT_EQ(detail::clean_text("\xc2\xb5V \xe2\x89\xa4 \xf0\x9f\xa7\xa0"),
            "\xc2\xb5V \xe2\x89\xa4 \xf0\x9f\xa7\xa0");
  EXPECT_EQ(detail::clean_text("\xff\xc0\xaf|\xe2\x89"), "???|??");       // never a lead byte; cut short
  EXPECT_EQ(detail::clean_text("\xed\xa0\x80|\xef\xbf\xbf"), "???|???");  // surrogate; U+FFFF
  EXPECT_EQ(detail::clean_text("\xe0\x80\x80|\xf4\x90\x80\x80"), "???|????");
  EXPECT_EQ(detail::gnuplot_string("it's"), "'it''s'");
  EXPECT_EQ(detail::xml_escaped("<a & \"b's\">"), "&lt;a &amp; &quot;b&#39;s&quot;&gt;");
}

TEST_F(PlotTest, ValuesThatAreNotFiniteLeaveGaps) {
  NEEDS_GNUPLOT();
  Panel panel;
  panel.line(std::vector<double>{0, 1, nan, 1, 0, infinity, -infinity, 0, 1}, {.colour = Colour{0x123456}});
  panel.line(std::vector<double>{nan, nan}, {.label = "only NaN"});
  const std::string svg = to_svg(one(panel));
  EXPECT_EQ(count(svg, "nan"), 0U);
  EXPECT_EQ(count(svg, "inf"), 0U);
  const std::size_t path = svg.find("rgb( 18,  52,  86)");
  ASSERT_NE(path, std::string::npos);
  const std::string drawn = svg.substr(path, svg.find("/>", path) - path);
  EXPECT_EQ(count(drawn, "M"), 3U) << drawn;  // three pieces
  EXPECT_NE(svg.find(">only NaN<"), std::string::npos) << "its legend entry stays";
}

TEST_F(PlotTest, EmptyAndFlatDataStillMakeAFigure) {
  NEEDS_GNUPLOT();
  const std::vector<double> none;
  EXPECT_NO_THROW((void)to_svg(one({})));
  EXPECT_NO_THROW((void)to_svg(one(Panel{}.line(none).spikes(none))));
  EXPECT_NO_THROW((void)to_svg(one(Panel{}.raster(std::vector<float>(10, 0.F)))));
  EXPECT_NO_THROW((void)to_svg(one(Panel{}.line(std::vector<double>{3}))));
  EXPECT_NO_THROW((void)to_svg(one(Panel{}.line(std::vector<double>(5, 1e-30)))));
  EXPECT_NO_THROW((void)to_svg(one(Panel{}.line(std::vector<double>{1e299, -1e299, 1e300}))));
  EXPECT_NO_THROW((void)to_svg(one(Panel{}.line(std::vector<double>{1, 1 + 1e-15}))));
  EXPECT_NO_THROW((void)to_svg(one(Panel{}.line(std::vector<double>{1e17, 1e17 + 1e9}))));
  EXPECT_NO_THROW((void)to_svg(one({.x_range = Range{1e15, 1e15 + 1e7}, .y_range = Range{-1e-300, 1e-300}})));
}

TEST_F(PlotTest, StepsHoldEachValue) {
  const std::string commands =
      detail::script(one(Panel{}.line(std::vector<double>{0, 0, 2, 2, 1}, {.steps = true})), {});
  EXPECT_NE(commands.find("\n0 0\n2 0\n2 2\n4 2\n4 1\n5 1\n"), std::string::npos) << commands;
}

TEST_F(PlotTest, RasterDrawsOneMarkPerSpike) {
  NEEDS_GNUPLOT();
  const std::vector<float> spk = {0, 1, 0, /**/ 0, 0, 0, /**/ 1, 0, 0.5F};  // [3, 3]
  Panel panel;
  panel.raster(spk, 3, {.colour = Colour{0x123456}});
  ASSERT_EQ(panel.rasters.size(), 1U);
  EXPECT_EQ(panel.rasters[0].x, (std::vector<double>{0, 2, 2}));
  EXPECT_EQ(panel.rasters[0].row, (std::vector<double>{1, 0, 2}));
  EXPECT_NE(to_svg(one(panel)).find("rgb( 18,  52,  86)"), std::string::npos);
}

TEST_F(PlotTest, GuidesOutsideTheRangeAreNotDrawn) {
  Panel panel{.x_range = Range{0, 10}, .y_range = Range{0, 1}};
  const auto arrows = [](const Panel& p) { return count(detail::script(one(p), {}), "set arrow from"); };
  EXPECT_EQ(arrows(Panel(panel).horizontal(2).vertical(-1).vertical(nan)), 0U);
  EXPECT_EQ(arrows(Panel(panel).horizontal(1).vertical(0)), 2U);
}

TEST_F(PlotTest, SharedAxesShowTheirNumbersOnce) {
  Panel panel{.x_label = "step"};
  panel.line(std::vector<double>{0, 1, 2});
  Figure figure{.rows = {{.panels = {panel}}, {.panels = {panel}, .height = 0.4}}};
  EXPECT_EQ(count(detail::script(figure, {}), "'step'"), 1U);
  figure.share_x = false;
  EXPECT_EQ(count(detail::script(figure, {}), "'step'"), 2U);
}

TEST_F(PlotTest, TicsAreRoundNumbers) {
  EXPECT_DOUBLE_EQ(detail::tic_step({0, 200}, 8), 50);
  EXPECT_DOUBLE_EQ(detail::tic_step({0, 1}, 5), 0.2);
  EXPECT_DOUBLE_EQ(detail::tic_step({0, 1.25}, 5), 0.5);
  EXPECT_DOUBLE_EQ(detail::tic_step({-3e-5, 3e-5}, 6), 1e-5);
}

TEST_F(PlotTest, FiguresThatMakeNoSenseAreRejected) {
  const auto rejected = [](const Figure& figure) {
    return message([&] { (void)detail::script(figure, {}); });
  };
  const std::vector<double> two = {0, 1}, three = {0, 1, 2};
  EXPECT_EQ(rejected(one(Panel{}.line(two, three))), "[plot] a line must have as many x as y, got 2 and 3");
  Panel raster;
  raster.rasters.push_back({.x = two, .row = three});
  EXPECT_EQ(rejected(one(raster)), "[plot] a raster must have as many times as rows, got 2 and 3");
  EXPECT_EQ(message([] { Panel{}.raster(std::vector<float>(7), 3); }),
            "[plot] raster must hold whole rows of 3 neurons, got 7 values");
  EXPECT_NE(message([] { Panel{}.raster(std::vector<float>(7), 0); }), "nothing thrown");
  EXPECT_EQ(rejected(one({.y_range = Range{1, 1}})), "[plot] y range must go from low to high, got 1 to 1");
  EXPECT_EQ(rejected(one({.x_range = Range{nan, 1}})),
            "[plot] x range must go from low to high, got nan to 1");
  EXPECT_EQ(rejected(one({.y_range = Range{5, 5 + 1e-12}})),
            "[plot] y range must be wider than a billionth of its ends, got 5 to 5.000000000001");
  EXPECT_EQ(rejected({}), "[plot] figure must have a row, got none");
  EXPECT_EQ(rejected({.rows = {{}}}), "[plot] row must have a panel, got none");
  EXPECT_EQ(rejected({.rows = {{.panels = {Panel{}}, .height = -1}}}),
            "[plot] row height must be positive, got -1");
  EXPECT_EQ(rejected(one(Panel{}.line(two, {.width = 0}))), "[plot] line width must be in (0, 100], got 0");
  EXPECT_EQ(rejected({.rows = {{.panels = {Panel{}}}}, .width = 0}),
            "[plot] figure size must be 1 to 20000 pixels, got 0 x 400");
  EXPECT_EQ(rejected({.rows = {{.panels = {Panel{}}}}, .height = 40}),
            "[plot] figure of 720 x 40 pixels is too small for its panels");
  EXPECT_THROW((void)to_png(one({}), 0), std::invalid_argument);
  EXPECT_EQ(message([&] { save(one({}), folder_ / "a.pdf"); }).substr(0, 46),
            "[plot] file name must end in .svg or .png, got");
  EXPECT_TRUE(files().empty());
}

TEST_F(PlotTest, MissingGnuplotIsOneSentence) {
  const Path empty(folder_.string());
  EXPECT_THROW((void)to_svg(one({})), GnuplotMissing);
  EXPECT_EQ(message([&] { save(one({}), folder_ / "a.svg"); }),
            "[plot] gnuplot is missing: install the package gnuplot-nox to get figures");
  EXPECT_TRUE(files().empty());
}

// A gnuplot that reads nothing and ends at once must not kill us by SIGPIPE; one that says nothing useful, or
// dies half-way, must not leave a file.
TEST_F(PlotTest, FailingGnuplotIsAnErrorAndLeavesNothing) {
  const fs::path fake = folder_ / "bin";
  fs::create_directories(fake);
  const auto with_fake = [&](const std::string& body) {
    std::ofstream(fake / "gnuplot") << "#!/bin/sh\n" << body << "\n";
    fs::permissions(fake / "gnuplot", fs::perms::owner_all);
    const Path path(fake.string() + ":/usr/bin:/bin");
    return message([&] { save(one(Panel{}.line(std::vector<double>(100000, 1.0))), folder_ / "a.svg"); });
  };
  EXPECT_EQ(with_fake("exit 0"), "[plot] gnuplot left an unfinished drawing");
  EXPECT_EQ(with_fake("echo '<svg>'"), "[plot] gnuplot left an unfinished drawing");
  EXPECT_EQ(with_fake("echo 'no  such' >&2; echo terminal >&2; exit 3"),
            "[plot] gnuplot failed with status 3: no such terminal");
  EXPECT_EQ(with_fake("kill -9 $$"), "[plot] gnuplot was killed by signal 9");
  EXPECT_EQ(files(), std::vector<std::string>{"bin"});
}

TEST_F(PlotTest, SyntaxErrorsAreReported) {
  NEEDS_GNUPLOT();
  const std::string text = message([] { (void)detail::run_gnuplot("plot foo(\n"); });
  EXPECT_NE(text.find("gnuplot failed with status 1"), std::string::npos) << text;
  EXPECT_NE(text.find("invalid expression"), std::string::npos) << text;
}

TEST_F(PlotTest, FoldersThatCannotBeWrittenAreOneError) {
  NEEDS_GNUPLOT();
  const fs::path missing = folder_ / "missing" / "a.svg";
  EXPECT_EQ(message([&] { save(one({}), missing); }),
            "[plot] cannot write '" + missing.string() + "': No such file or directory");
  std::ofstream(folder_ / "file") << "x";
  EXPECT_THROW(save(one({}), folder_ / "file" / "a.svg"), Error);
  fs::create_directories(folder_ / "taken.svg" / "inside");
  EXPECT_THROW(save(one({}), folder_ / "taken.svg"), Error);
  EXPECT_EQ(files().size(), 2U) << "temporaries left behind";
}

TEST_F(PlotTest, AnOlderFileIsReplaced) {
  NEEDS_GNUPLOT();
  std::ofstream(folder_ / "a.svg") << "old";
  save(one({}), folder_ / "a.svg");
  EXPECT_TRUE(contents(folder_ / "a.svg").starts_with("<?xml"));
}

}  // namespace
