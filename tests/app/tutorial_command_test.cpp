// `rheobase tutorial` as a user meets it.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "tests/app/program.hpp"

namespace {

namespace fs = std::filesystem;

constexpr int usage = 2, failure = 1;

using rheo::test::contents;
using rheo::test::Result;

class TutorialCommand : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "rheobase-tutorial-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    fs::create_directories(folder_ / "log");
    fs::create_directories(folder_ / "work");
  }
  void TearDown() override { fs::remove_all(folder_); }

  [[nodiscard]] Result run(const std::string& arguments, const std::string& environment = "") const {
    return rheo::test::run_program(work(), folder_ / "log", environment, "tutorial " + arguments);
  }

  [[nodiscard]] fs::path work() const { return folder_ / "work"; }

  [[nodiscard]] std::set<std::string> files(const std::string& where = "") const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(work() / where))
      names.insert(entry.path().filename().string());
    return names;
  }

  /// One line on stderr, nothing on stdout, no new file.
  void expect_error(const std::string& arguments, int code, const std::string& message) const {
    const auto before = files();
    const Result result = run(arguments);
    EXPECT_EQ(result.code, code) << arguments;
    EXPECT_EQ(result.out, "") << arguments;
    EXPECT_NE(result.err.find(message), std::string::npos) << arguments << "\n" << result.err;
    EXPECT_EQ(result.err.find('\n'), result.err.size() - 1) << result.err;
    EXPECT_EQ(files(), before) << arguments;
  }

  fs::path folder_;
};

bool gnuplot_is_here() { return std::system("gnuplot --version >/dev/null 2>&1") == 0; }

TEST_F(TutorialCommand, MakesThePageAndTheFigures) {
  if (!gnuplot_is_here()) GTEST_SKIP() << "gnuplot is not installed";
  const Result result = run("2");
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.out.find("Spike times at 0.3 A (6): 37, 64, 92, 119, 147, 174\n"), std::string::npos);
  EXPECT_NE(result.err.find("wrote tutorial-2/index.html\n"), std::string::npos) << result.err;
  EXPECT_EQ(files(), std::set<std::string>{"tutorial-2"});

  const std::set<std::string> made = files("tutorial-2");
  EXPECT_TRUE(made.contains("index.html"));
  std::size_t svg = 0, png = 0;
  for (const std::string& name : made) {
    svg += name.ends_with(".svg");
    png += name.ends_with(".png");
  }
  EXPECT_EQ(svg, 19U);
  EXPECT_EQ(png, svg);
  EXPECT_EQ(made.size(), svg + png + 1) << "nothing unfinished is left";
  const std::string page = contents(work() / "tutorial-2" / "index.html");
  EXPECT_NE(page.find("</html>"), std::string::npos);
  EXPECT_EQ(page.find("src="), std::string::npos);
  EXPECT_EQ(page.find(" id=\"gnuplot"), std::string::npos);
  std::size_t drawings = 0;
  for (std::size_t at = page.find("viewBox"); at != std::string::npos; at = page.find("viewBox", at + 1))
    ++drawings;
  EXPECT_EQ(drawings, svg + 1);  // and the circuit
  // The opening comes first, and its times are on the page alone: what is printed is the same in every run.
  EXPECT_LT(page.find("<h2 id=\"0\">"), page.find("<h2 id=\"a\">"));
  EXPECT_TRUE(made.contains("0-same-current.svg"));
  EXPECT_NE(page.find("<th>ns</th>"), std::string::npos);
  EXPECT_EQ(result.out.find(" ns\n"), std::string::npos);
}

TEST_F(TutorialCommand, SameSeedSameNumbers) {
  const std::string no_gnuplot = "PATH=/nonexistent";  // quicker
  const Result first = run("2 --out a", no_gnuplot), second = run("2 --out b", no_gnuplot);
  const Result other = run("2 --out c --seed 9", no_gnuplot);
  EXPECT_EQ(first.out, second.out);
  EXPECT_NE(first.out, other.out);
  EXPECT_NE(other.out.find("(seed 9)"), std::string::npos);
}

TEST_F(TutorialCommand, WithoutGnuplotTheNumbersStillCome) {
  const Result result = run("2 --quiet", "PATH=/nonexistent");
  EXPECT_EQ(result.code, failure);
  EXPECT_NE(result.out.find("37, 64, 92, 119, 147, 174"), std::string::npos);
  EXPECT_EQ(result.err,
            "rheobase: error: [plot] gnuplot is missing: install the package gnuplot-nox to get figures; the "
            "numbers "
            "are complete, the page has no figures\n");
  EXPECT_EQ(files("tutorial-2"), std::set<std::string>{"index.html"});
}

TEST_F(TutorialCommand, QuietSaysOnlyTheNumbers) {
  if (!gnuplot_is_here()) GTEST_SKIP() << "gnuplot is not installed";
  const Result result = run("2 --quiet");
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.err, "");
  EXPECT_NE(result.out, "");
}

TEST_F(TutorialCommand, AFolderThatHoldsSomethingIsLeftAlone) {
  fs::create_directories(work() / "full");
  std::ofstream(work() / "full" / "mine.txt") << "mine";
  expect_error("2 --out full", usage, "--force");
  EXPECT_EQ(files("full"), std::set<std::string>{"mine.txt"});

  const Result forced = run("2 --out full --force", "PATH=/nonexistent");
  EXPECT_EQ(forced.code, failure);  // no gnuplot
  EXPECT_EQ(files("full"), (std::set<std::string>{"index.html", "mine.txt"}));
  EXPECT_EQ(contents(work() / "full" / "mine.txt"), "mine");
}

TEST_F(TutorialCommand, BadArgumentsAreOneClearError) {
  expect_error("", usage, "tutorial needs a number: there is 2, the leaky integrate-and-fire neuron");
  expect_error("7", usage, "there is no tutorial 7 yet: there is 2");
  expect_error("two", usage, "there is no tutorial two yet: there is 2");
  expect_error("2 --seed -1", usage, "--seed");
  expect_error("2 --seed x", usage, "--seed");
  expect_error("2 --out ''", usage, "--out");
  std::ofstream(work() / "file") << "x";
  expect_error("2 --out file", usage, "file");
  expect_error("2 --out file/below", failure, "file/below");
  expect_error("2 --out /proc/nothing", failure, "/proc/nothing");
}

}  // namespace
