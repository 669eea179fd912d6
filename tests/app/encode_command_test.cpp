// rheobase encode, run as a user runs it: every encoder, what goes in, what comes out, what it refuses.
#include <gtest/gtest.h>

#include <png.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/app/idx_files.hpp"
#include "tests/app/program.hpp"

namespace fs = std::filesystem;

namespace {

using rheo::test::contents;
using rheo::test::Result;

constexpr int usage = 2;
constexpr int failure = 1;

class Encode : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "rheobase-encode-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    write("values.csv", "0.02,0.5,1\n");
    write("signal.csv", "0\n0.3\n0.6\n0.5\n0.1\n0.1\n");
  }
  void TearDown() override {
    fs::remove_all(folder_);
    fs::remove_all(folder_.string() + ".log");
  }

  /// Without gnuplot, unless asked for: figures take longer than the rest.
  [[nodiscard]] Result run(const std::string& arguments, bool figures = false) const {
    return rheo::test::run_program(folder_, folder_.string() + ".log", figures ? "" : "PATH=/nonexistent",
                                   "encode " + arguments);
  }
  /// What `--csv -` writes.
  [[nodiscard]] std::string csv(const std::string& arguments) const {
    const Result result = run("-q " + arguments + " --csv -");
    EXPECT_EQ(result.code, 0) << arguments << '\n' << result.err;
    EXPECT_EQ(result.err, "") << arguments;
    return result.out;
  }
  void expect_error(const std::string& arguments, int code, const std::string& message) const {
    const auto before = files();
    const Result result = run(arguments);
    EXPECT_EQ(result.code, code) << arguments << '\n' << result.err;
    EXPECT_EQ(result.out, "") << arguments;
    EXPECT_EQ(result.err, "rheobase: error: " + message + "\n") << arguments;
    EXPECT_EQ(files(), before) << arguments;
  }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  void write_png(const std::string& name, png_uint_32 format, png_uint_32 width,
                 const std::vector<png_byte>& bytes) const {
    png_image png{};
    png.version = PNG_IMAGE_VERSION;
    png.format = format;
    png.width = width;
    png.height = static_cast<png_uint_32>(bytes.size()) / width / PNG_IMAGE_SAMPLE_CHANNELS(format);
    ASSERT_NE(png_image_write_to_file(&png, (folder_ / name).c_str(), 0, bytes.data(), 0, nullptr), 0);
  }
  [[nodiscard]] std::string read(const std::string& name) const { return contents(folder_ / name); }
  [[nodiscard]] std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(folder_))
      names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }

  fs::path folder_;
};

// --- every encoder ---

TEST_F(Encode, Latency) {
  EXPECT_EQ(csv("latency values.csv --steps 5 --linear --normalize"),
            "step,neuron,spk\n0,2,1\n2,1,1\n4,0,1\n");
  EXPECT_EQ(csv("latency values.csv --steps 5 --linear --normalize --clip --threshold 0.1"),
            "step,neuron,spk\n0,2,1\n2,1,1\n");
  EXPECT_EQ(csv("latency values.csv --steps 3 --linear --tau 4 --bypass"), "step,neuron,spk\n0,2,1\n2,1,1\n");
  EXPECT_EQ(csv("latency values.csv --steps 8 --linear --first-spike-time 3 --tau 4"),
            "step,neuron,spk\n3,2,1\n5,1,1\n7,0,1\n");
}

TEST_F(Encode, Rate) {
  write("certain.csv", "0,1\n");
  EXPECT_EQ(csv("rate certain.csv --steps 3 --first-spike-time 1"), "step,neuron,spk\n1,1,1\n2,1,1\n");
  EXPECT_EQ(csv("rate values.csv --steps 3 --gain 0 --offset 1 --dense"),
            "step,spk_0,spk_1,spk_2\n0,1,1,1\n1,1,1,1\n2,1,1,1\n");
  const auto spikes = csv("rate values.csv --steps 60 --seed 4");
  EXPECT_EQ(spikes, csv("rate values.csv --steps 60 --seed 4"));
  EXPECT_NE(spikes, csv("rate values.csv --steps 60 --seed 5"));
  write("steps.csv", "a,b\n1,0\n0,1\n0,0\n");
  EXPECT_EQ(csv("rate steps.csv --over-time"), "step,neuron,spk\n0,0,1\n1,1,1\n");
  EXPECT_EQ(csv("rate steps.csv --over-time --first-spike-time 2"), "step,neuron,spk\n2,0,1\n3,1,1\n");
}

TEST_F(Encode, RateSaysWhatItClamps) {
  write("bytes.csv", "0,7,255\n");
  const Result result = run("rate bytes.csv --steps 2 --csv spikes.csv");
  EXPECT_EQ(read("spikes.csv"), "step,neuron,spk\n0,1,1\n0,2,1\n1,1,1\n1,2,1\n");
  EXPECT_EQ(
      result.err,
      "note: 2 of 3 probabilities are below 0 or above 1 and count as 0 or 1; --rescale fits the values in\n"
      "wrote spikes.csv\n");
  EXPECT_EQ(run("rate values.csv --gain 2 --offset -0.5 --csv more.csv").err.substr(0, 12), "note: 2 of 3");
  EXPECT_EQ(run("rate values.csv --csv none.csv").err, "wrote none.csv\n");
}

TEST_F(Encode, Phase) {
  write("half.csv", "0.75\n");
  EXPECT_EQ(csv("phase half.csv --steps 5 --bits 3"), "step,neuron,spk\n0,0,1\n1,0,1\n3,0,1\n4,0,1\n");
  EXPECT_EQ(csv("phase half.csv --steps 3 --bits 3 --weighted"), "step,neuron,spk\n0,0,0.5\n1,0,0.25\n");
}

TEST_F(Encode, Burst) {
  write("one.csv", "1\n");
  EXPECT_EQ(csv("burst one.csv --steps 4 --weighted --threshold 0.5 --beta 2"),
            "step,neuron,spk\n0,0,0.5\n1,0,1\n3,0,0.5\n");
  EXPECT_EQ(csv("burst one.csv --steps 4 --threshold 2 --beta 1"), "step,neuron,spk\n1,0,1\n3,0,1\n");
}

TEST_F(Encode, Population) {
  write("middle.csv", "0\n");
  // Centres -1, 0, 1 of width 2/3: responses exp(-9/8), 1, exp(-9/8).
  const std::string options = "population middle.csv --neurons 3 --low -0.5 --high 0.5 --steps 11 ";
  EXPECT_EQ(csv(options), "step,neuron,spk\n0,1,1\n7,0,1\n7,2,1\n");
  EXPECT_EQ(csv(options + "--cutoff 0.4"), "step,neuron,spk\n0,1,1\n");
  EXPECT_EQ(csv(options + "--beta 10 --code rate --seed 1").substr(0, 24), "step,neuron,spk\n0,1,1\n1,");
}

TEST_F(Encode, Delta) {
  EXPECT_EQ(csv("delta signal.csv --threshold 0.25"), "step,neuron,spk\n1,0,1\n2,0,1\n");
  EXPECT_EQ(csv("delta signal.csv --threshold 0.25 --off-spike"), "step,neuron,spk\n1,0,1\n2,0,1\n4,0,-1\n");
  write("high.csv", "5\n5\n");
  EXPECT_EQ(csv("delta high.csv"), "step,neuron,spk\n0,0,1\n");
  EXPECT_EQ(csv("delta high.csv --padding"), "step,neuron,spk\n");
}

TEST_F(Encode, DeltaModulationSaysHowNearTheSignalCanBeRebuilt) {
  const Result result = run("-q delta-modulation signal.csv --threshold 0.25 --csv spikes.csv");
  EXPECT_EQ(read("spikes.csv"), "step,neuron,spk\n1,0,1\n2,0,1\n4,0,-1\n");
  EXPECT_EQ(result.out,
            "delta-modulation: 1 neuron, 6 steps, 3 spikes (1 of them negative), 0.5 for each neuron and "
            "step; 0 silent\n"
            "rebuilt from its spikes the input is off by at most 0.15\n");
}

TEST_F(Encode, RescaleStretchesTheValues) {
  write("bytes.csv", "10\n60\n110\n");
  EXPECT_EQ(csv("latency bytes.csv --rescale --steps 5 --linear --normalize"),
            csv("latency values.csv --steps 5 --linear --normalize"));
  write("flat.csv", "3\n3\n");
  expect_error("phase flat.csv --rescale", usage, "--rescale needs two different values, got only 3");
}

// --- what goes in ---

TEST_F(Encode, ImagesOfAnyColourArePixelsRowByRow) {
  write_png("grey", PNG_FORMAT_GRAY, 2, {0, 255, 128, 1});  // the name does not matter
  EXPECT_EQ(csv("phase grey --steps 8"),
            "step,neuron,spk\n0,1,1\n0,2,1\n1,1,1\n2,1,1\n3,1,1\n4,1,1\n5,1,1\n6,1,1\n7,1,1\n7,3,1\n");
  write_png("colour.png", PNG_FORMAT_RGBA, 3, {255, 255, 255, 255, 0, 0, 0, 255, 255, 255, 255, 0});
  EXPECT_EQ(csv("rate colour.png --steps 2"), "step,neuron,spk\n0,0,1\n1,0,1\n");
}

TEST_F(Encode, ImagesOfMnist) {
  rheo::test::write_idx_folder(folder_ / "mnist", 12);
  // A bar of two columns and twenty rows: one at 255, the other at 103.
  const Result result = run("-q phase --mnist 3 --data mnist --steps 8 --csv spikes.csv");
  EXPECT_EQ(result.out,
            "phase: 784 neurons, 8 steps, 260 spikes, 0.0414541 for each neuron and step; 744 silent\n");
  expect_error("rate --mnist 12 --data mnist", usage, "--mnist must be at most 11, got \"12\"");
  expect_error("rate values.csv --mnist 1 --data mnist", usage,
               "encode takes a file or --mnist, got both: \"values.csv\"");
  expect_error("rate values.csv --data mnist", usage, "--data is for --mnist");
}

TEST_F(Encode, APipeIsReadOnceAsCsv) {
  ASSERT_EQ(std::system(("cd '" + folder_.string() + "' && mkfifo pipe").c_str()), 0);
  ASSERT_EQ(std::system(("cd '" + folder_.string() + "' && (cat values.csv > pipe) &").c_str()), 0);
  EXPECT_EQ(csv("phase pipe --steps 2"), csv("phase values.csv --steps 2"));
}

TEST_F(Encode, FilesThatCannotBeRead) {
  expect_error("rate", usage, "encode needs a PNG image, a CSV file, or --mnist NUMBER");
  expect_error("rate nowhere.png", failure, "cannot read \"nowhere.png\": No such file or directory");
  expect_error("rate .", usage, "\".\" is a folder; give an image or a CSV file");
  write("photo.jpg", "\xFF\xD8\xFF\xE0 and so on");
  expect_error("rate photo.jpg", usage, "\"photo.jpg\" is neither a PNG image nor a CSV file");
  write_png("whole.png", PNG_FORMAT_GRAY, 2, std::vector<png_byte>(2000, 7));
  const auto bytes = read("whole.png");
  write("cut.png", bytes.substr(0, bytes.size() / 2));
  const Result result = run("rate cut.png");
  EXPECT_EQ(result.code, usage);
  EXPECT_TRUE(result.err.starts_with("rheobase: error: \"cut.png\" is no good PNG image: ")) << result.err;
  write("words.csv", "1,2\n3,x\n");
  expect_error("rate words.csv", usage, "file \"words.csv\" line 2: must be finite numbers, got \"x\"");
  write("nan.csv", "0.5,nan\n");
  expect_error("rate nan.csv", usage, "file \"nan.csv\" line 1: must be finite numbers, got \"nan\"");
  write("empty.csv", "");
  expect_error("rate empty.csv", usage, "file \"empty.csv\" holds no numbers");
}

TEST_F(Encode, FilesThatCannotBeWritten) {
  expect_error("rate values.csv --csv nowhere/a.csv", failure,
               "cannot write --csv \"nowhere/a.csv\": No such file or directory");
  expect_error("rate values.csv --plot nowhere/a.svg", failure,
               "cannot write --plot \"nowhere/a.svg\": No such file or directory");
  expect_error("rate values.csv --csv /dev/full", failure,
               "cannot write \"/dev/full\": No space left on device");
}

// --- what comes out ---

TEST_F(Encode, FiguresAndFiles) {
  if (std::system("gnuplot --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "no gnuplot";
  const Result result = run("rate values.csv --steps 20", true);
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.err, "wrote encode-rate.svg\n");
  EXPECT_NE(read("encode-rate.svg").find("rate code of values.csv"), std::string::npos);
  EXPECT_EQ(run("delta-modulation signal.csv --plot a.svg --csv b.csv", true).code, 0);
  for (const char* label : {"input", "rebuilt", "step", "neuron"})
    EXPECT_NE(read("a.svg").find(label), std::string::npos) << label;
  expect_error("delta signal.csv --csv b.csv", usage, "--csv \"b.csv\" exists; --force replaces it");
  EXPECT_EQ(run("delta signal.csv --csv b.csv --force").code, 0);
  EXPECT_EQ(run("delta signal.csv --plot c.png", true).code, 0);
  EXPECT_EQ(read("c.png").substr(1, 3), "PNG");
}

TEST_F(Encode, WithoutGnuplotTheNumbersStillCome) {
  const Result result = run("phase values.csv --steps 4");
  EXPECT_EQ(result.code, 0);
  EXPECT_TRUE(result.out.starts_with("phase: 3 neurons, 4 steps, 5 spikes")) << result.out;
  EXPECT_TRUE(result.err.starts_with("no figure: ")) << result.err;
  const Result asked = run("phase values.csv --steps 4 --plot a.svg");
  EXPECT_EQ(asked.code, failure);
  EXPECT_FALSE(fs::exists(folder_ / "a.svg"));
}

// --- what it refuses ---

TEST_F(Encode, TyposGetASuggestion) {
  expect_error("", usage,
               "encode needs an encoder: rate, latency, phase, burst, population, delta, delta-modulation");
  expect_error("rtae values.csv", usage, "unknown encoder \"rtae\"; did you mean rate?");
  expect_error("latancy values.csv", usage, "unknown encoder \"latancy\"; did you mean latency?");
  expect_error(
      "morse values.csv", usage,
      "unknown encoder \"morse\"; known: rate, latency, phase, burst, population, delta, delta-modulation");
  expect_error("rate values.csv --stpes 3", usage,
               "unknown option --stpes for encode; did you mean --steps?");
}

TEST_F(Encode, OptionsAndValuesThatMakeNoSense) {
  expect_error("rate values.csv --tau 2", usage, "--tau is for latency, not for rate");
  expect_error("delta signal.csv --steps 2", usage,
               "--steps is for rate, latency, phase, burst, population, not for delta");
  expect_error("phase values.csv --over-time", usage, "--over-time is for rate, not for phase");
  expect_error("rate signal.csv --over-time --gain 2", usage, "--gain is not for --over-time");
  expect_error("rate values.csv --steps 0", usage, "--steps must be at least 1, got 0");
  expect_error("rate values.csv --steps 40000000", usage,
               "3 neurons can have at most 22369621 steps, got 40000000; see --steps");
  expect_error("rate values.csv --gain much", usage, "--gain must be a finite number, got \"much\"");
  expect_error("latency values.csv --tau -1", usage, "[latency] tau must be above 0, got -1");
  expect_error("burst signal.csv --beta 0.5", usage, "[burst] beta must be at least 1 and finite, got 0.5");
  write("large.csv", "3,4\n");
  expect_error("phase large.csv", usage, "[phase] data must be within [0, 1], got 3 to 4");
  expect_error("population values.csv --code words", usage, "--code must be latency or rate, got \"words\"");
  expect_error("population values.csv --seed 1", usage,
               "--seed is for --code rate: latencies are not random");
  expect_error("population values.csv --code rate --cutoff 0.2", usage, "--cutoff is for --code latency");
  expect_error("rate values.csv --dense", usage, "--dense is for --csv");
  expect_error("rate values.csv --plot a.gif", usage, "--plot must end in .svg or .png, got \"a.gif\"");
  expect_error("rate values.csv --plot a.svg --csv a.svg", usage,
               "--csv and --plot must be two files, got \"a.svg\" for both");
}

}  // namespace
