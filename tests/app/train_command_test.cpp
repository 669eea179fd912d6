// `rheobase train`, `predict` and `inspect` as a user meets them: runs that repeat, stop, go on and fail well.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/app/idx_files.hpp"
#include "tests/app/process.hpp"
#include "tests/app/program.hpp"

namespace {

namespace fs = std::filesystem;

constexpr int failure = 1, usage = 2;
// A network that learns in a second. Without gnuplot on the path, figures do not slow the tests down.
const std::string small = " --threads 1 --set samples=40 --set hidden=16 --epochs 2 --batch 32";
const std::string no_gnuplot = "PATH=/nonexistent";

using rheo::test::Background;
using rheo::test::contents;
using rheo::test::Result;

class TrainCommand : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "rheobase-train-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    fs::create_directories(work());
  }
  void TearDown() override { fs::remove_all(folder_); }

  [[nodiscard]] fs::path work() const { return folder_ / "work"; }
  [[nodiscard]] Result run(const std::string& arguments, const std::string& environment = no_gnuplot) const {
    return rheo::test::run_program(work(), folder_ / "log", environment, arguments);
  }
  [[nodiscard]] std::string read(const std::string& name) const { return contents(work() / name); }
  [[nodiscard]] std::set<std::string> files(const std::string& where) const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(work() / where))
      names.insert(entry.path().filename().string());
    return names;
  }

  /// One line on stderr that holds `message`, nothing on stdout, no new file or folder.
  void expect_error(const std::string& arguments, int code, const std::string& message) const {
    const auto before = files("");
    const Result result = run(arguments);
    EXPECT_EQ(result.code, code) << arguments << "\n" << result.err;
    EXPECT_EQ(result.out, "") << arguments;
    EXPECT_TRUE(result.err.starts_with("rheobase: error: ")) << arguments << "\n" << result.err;
    EXPECT_NE(result.err.find(message), std::string::npos) << arguments << "\n" << result.err;
    EXPECT_EQ(result.err.find('\n'), result.err.size() - 1) << result.err;
    EXPECT_EQ(files(""), before) << arguments;
  }

  fs::path folder_;
};

// --- what a run leaves ---

TEST_F(TrainCommand, RandmanTwiceIsTheSame) {
  const Result first = run("train randman --out a" + small), second = run("train randman --out b" + small);
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_TRUE(first.out.starts_with("Test accuracy ")) << first.out;
  EXPECT_NE(first.out.find("lif1 "), std::string::npos) << first.out;
  EXPECT_EQ(first.out.substr(0, first.out.find("Written")), second.out.substr(0, second.out.find("Written")));
  EXPECT_EQ(read("a/metrics.csv"), read("b/metrics.csv"));
  EXPECT_EQ(read("a/result.json"), read("b/result.json"));
  EXPECT_EQ(read("a/config.toml"), read("b/config.toml"));
  EXPECT_EQ(read("a/checkpoint.safetensors"), read("b/checkpoint.safetensors"));
  const std::string metrics = read("a/metrics.csv");
  EXPECT_EQ(std::count(metrics.begin(), metrics.end(), '\n'), 3) << metrics;
  EXPECT_EQ(metrics.find("seconds"), std::string::npos) << "times belong to timing.csv";
  EXPECT_NE(read("a/timing.csv").find("\n2,"), std::string::npos) << read("a/timing.csv");

  const Result other = run("train randman --seed 1 --out c" + small);
  EXPECT_EQ(other.code, 0) << other.err;
  EXPECT_NE(read("a/metrics.csv"), read("c/metrics.csv"));
  // What a run says it used is what it takes to have it again.
  EXPECT_EQ(run("train --config a/config.toml --out d").code, 0);
  EXPECT_EQ(read("a/metrics.csv"), read("d/metrics.csv"));
  EXPECT_EQ(run("train --config a/config.toml --seed 1 --out e").code, 0) << "the command line wins";
  EXPECT_EQ(read("c/metrics.csv"), read("e/metrics.csv"));
}

TEST_F(TrainCommand, LeavesAPageWithFigures) {
  if (std::system("gnuplot --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "gnuplot is not installed";
  const Result result = run("train randman" + small, "");
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(files("runs/randman"),
            (std::set<std::string>{"accuracy.svg", "checkpoint.safetensors", "checkpoint-best.safetensors",
                                   "config.toml", "firing.svg", "index.html", "loss.svg", "metrics.csv",
                                   "raster.svg", "result.json", "timing.csv"}));
  const std::string page = read("runs/randman/index.html");
  EXPECT_TRUE(page.ends_with("</html>\n"));
  EXPECT_EQ(page.find("src="), std::string::npos) << "needs nothing beside it";
  EXPECT_EQ(page.find("No figure"), std::string::npos);
  std::size_t drawings = 0;
  for (std::size_t at = page.find("<svg"); at != std::string::npos; at = page.find("<svg", at + 1))
    ++drawings;
  EXPECT_EQ(drawings, 4U);
  EXPECT_NE(page.find("epoch"), std::string::npos);
  EXPECT_NE(result.err.find("epoch 1/2  loss "), std::string::npos) << result.err;
  EXPECT_EQ(result.err.find('\r'), std::string::npos) << "no bar in a file";
}

TEST_F(TrainCommand, QuietSaysOnlyTheResult) {
  const Result result = run("train randman --quiet --out a --set samples=20 --set hidden=4 --epochs 1");
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.err, "");
  EXPECT_TRUE(result.out.starts_with("Test accuracy ")) << result.out;
}

TEST_F(TrainCommand, AFolderThatHoldsARunIsLeftAlone) {
  ASSERT_EQ(run("train randman --out a" + small).code, 0);
  const std::string checkpoint = read("a/checkpoint.safetensors");
  expect_error("train randman --out a" + small, usage, "--resume goes on with it, --force begins anew");
  EXPECT_EQ(read("a/checkpoint.safetensors"), checkpoint);
  fs::create_directories(work() / "full");
  std::ofstream(work() / "full" / "mine.txt") << "mine";
  expect_error("train randman --out full" + small, usage, "is not empty");
  EXPECT_EQ(run("train randman --out a --force --seed 3" + small).code, 0);
  EXPECT_NE(read("a/checkpoint.safetensors"), checkpoint);
}

// --- stopping and going on ---

// Long enough to be met in the middle by a signal.
const std::vector<std::string> longer{"--threads",   "1",        "--set", "samples=200", "--set",
                                      "dropout=0.1", "--epochs", "6",     "--batch",     "40"};

class Interrupted : public TrainCommand {
 protected:
  static std::vector<std::string> arguments(const std::string& out, bool resume) {
    std::vector<std::string> words{"train", "randman", "--out", out};
    if (resume)
      words.emplace_back("--resume");
    else
      words.insert(words.end(), longer.begin(), longer.end());
    return words;
  }

  std::size_t epochs(const std::string& out) const {
    const std::string text = read(out + "/metrics.csv");
    const auto lines = std::count(text.begin(), text.end(), '\n');
    return lines > 0 ? static_cast<std::size_t>(lines) - 1 : 0;
  }

  /// Runs until `epochs_more` are done and `number` has come; its exit code.
  int stop(const std::string& out, bool resume, std::size_t epochs_more, int number) const {
    const std::size_t before = epochs(out);
    Background run(work(), folder_ / "log", arguments(out, resume));
    EXPECT_TRUE(run.wait_until([&] {
      return fs::exists(work() / out / "config.toml") && epochs(out) >= before + epochs_more;
    })) << contents(folder_ / "log" / "err");
    std::this_thread::sleep_for(std::chrono::milliseconds(40));
    run.signal(number);
    return run.wait();
  }

  void whole(const std::string& out) const {
    Background run(work(), folder_ / "log", arguments(out, false));
    ASSERT_EQ(run.wait(), 0) << contents(folder_ / "log" / "err");
  }

  void expect_same(const std::string& a, const std::string& b) const {
    EXPECT_EQ(read(a + "/metrics.csv"), read(b + "/metrics.csv"));
    EXPECT_EQ(read(a + "/result.json"), read(b + "/result.json"));
    EXPECT_TRUE(read(a + "/checkpoint.safetensors") == read(b + "/checkpoint.safetensors"));
    EXPECT_EQ(files(a), files(b));
  }
};

TEST_F(Interrupted, ByCtrlCAndResumedIsTheSameBitForBit) {
  whole("whole");
  EXPECT_EQ(stop("parts", false, 1, SIGINT), 130);
  const std::string said = contents(folder_ / "log" / "err");
  EXPECT_NE(said.find("stopped after "), std::string::npos) << said;
  EXPECT_NE(said.find("saved in parts/checkpoint.safetensors"), std::string::npos) << said;
  EXPECT_NE(said.find("go on with: rheobase train randman --out parts --resume\n"), std::string::npos)
      << said;
  EXPECT_LT(epochs("parts"), 6U);
  EXPECT_EQ(stop("parts", true, 1, SIGTERM), 128 + SIGTERM);
  const Result rest = run("train randman --out parts --resume");
  EXPECT_EQ(rest.code, 0) << rest.err;
  EXPECT_NE(rest.err.find("going on after epoch "), std::string::npos) << rest.err;
  EXPECT_EQ(rest.err.find("not as it was"), std::string::npos) << rest.err;
  expect_same("whole", "parts");
}

TEST_F(Interrupted, ByKillAndResumedIsTheSameBitForBit) {
  whole("whole");
  EXPECT_EQ(stop("parts", false, 1, SIGKILL), 128 + SIGKILL);
  EXPECT_EQ(stop("parts", true, 1, SIGKILL), 128 + SIGKILL);
  const Result rest = run("train randman --out parts --resume");
  EXPECT_EQ(rest.code, 0) << rest.err;
  expect_same("whole", "parts");
}

TEST_F(Interrupted, BeforeTheFirstCheckpointItBeginsAnew) {
  whole("whole");
  EXPECT_EQ(stop("parts", false, 0, SIGKILL), 128 + SIGKILL);
  fs::remove(work() / "parts" / "checkpoint.safetensors");  // it may have been quicker than the signal
  fs::remove(work() / "parts" / "checkpoint-best.safetensors");
  const Result rest = run("train randman --out parts --resume");
  EXPECT_EQ(rest.code, 0) << rest.err;
  EXPECT_NE(rest.err.find("nothing was saved yet in parts"), std::string::npos) << rest.err;
  expect_same("whole", "parts");
}

TEST_F(TrainCommand, AFullDiskKeepsTheLastCheckpoint) {
  const std::string steady =
      " --threads 1 --set samples=40 --set hidden=128 --batch 32 --set schedule=constant";
  ASSERT_EQ(run("train randman --out whole --epochs 3" + steady).code, 0);
  ASSERT_EQ(run("train randman --out a --epochs 1" + steady).code, 0);
  const std::string checkpoint = read("a/checkpoint.safetensors");
  ASSERT_GT(checkpoint.size(), 32U * 1024);

  // 16 blocks are 8 or 16 KB: enough for all files but the checkpoint.
  const Result full =
      run("train randman --out a --resume --epochs 3", "trap '' XFSZ; ulimit -f 16; " + no_gnuplot);
  EXPECT_EQ(full.code, failure) << full.err;
  EXPECT_EQ(full.out, "");
  const std::string last = full.err.substr(full.err.rfind('\n', full.err.size() - 2) + 1);
  EXPECT_TRUE(last.starts_with("rheobase: error: ")) << full.err;
  EXPECT_NE(last.find("checkpoint.safetensors"), std::string::npos) << last;
  EXPECT_TRUE(read("a/checkpoint.safetensors") == checkpoint) << "the run's last checkpoint is still there";
  for (const std::string& name : files("a")) EXPECT_FALSE(name.ends_with(".partial")) << name;

  const Result rest = run("train randman --out a --resume --epochs 3");
  EXPECT_EQ(rest.code, 0) << rest.err;
  EXPECT_EQ(read("a/metrics.csv"), read("whole/metrics.csv"));
  EXPECT_TRUE(read("a/checkpoint.safetensors") == read("whole/checkpoint.safetensors"));
}

TEST_F(TrainCommand, ResumeSaysWhatDoesNotFit) {
  ASSERT_EQ(run("train randman --out a" + small).code, 0);
  expect_error("train randman --out a --resume --lr 0.1", usage, "lr = 0.005, not 0.1 as --lr says");
  expect_error("train randman --out a --resume --set hidden=17", usage, "hidden = 16, not 17");
  expect_error("train randman --out a --resume --epochs 9", usage, "follows a cosine over its 2 epochs");
  expect_error("train mnist --out a --resume", usage, "is of the task randman, not mnist");
  expect_error("train randman --out a --resume --force", usage, "give one of them");
  expect_error("train randman --out nowhere --resume", failure, "there is no run \"nowhere\"");
  EXPECT_EQ(run("train randman --out a --resume --lr 0.005").code, 0) << "the same again is no contradiction";
  const Result other = run("train --out a --resume --threads 2");
  EXPECT_EQ(other.code, 0) << other.err;
  EXPECT_NE(other.err.find("threads: 1 then, 2 now"), std::string::npos) << other.err;
}

// --- the command line ---

TEST_F(TrainCommand, BadArgumentsAreOneClearError) {
  expect_error("train", usage, "train needs a task: randman, or mnist");
  expect_error("train mnsit", usage, "unknown task \"mnsit\"; did you mean mnist?");
  expect_error("train fashion", usage, "unknown task \"fashion\": there are randman and mnist");
  expect_error("train randman --recipe tutoria", usage,
               "unknown recipe \"tutoria\" of randman: there is default");
  expect_error("train mnist --recipe tutoriel", usage, "did you mean tutorial?");
  expect_error("train randman --epcohs 3", usage,
               "unknown option --epcohs for train; did you mean --epochs?");
  expect_error("train randman --epochs 0", usage, "--epochs must be from 1");
  expect_error("train randman --epochs ten", usage, "--epochs must be a whole number");
  expect_error("train randman --lr fast", usage, "--lr must be a finite number, got \"fast\"");
  expect_error("train randman --batch -4", usage, "--batch");
  expect_error("train randman --beta 1.5", usage, "--beta must be from 0 to 1, got 1.5");
  expect_error("train randman --surrogate atann", usage, "atan");
  expect_error("train randman --surrogate fast_sigmoid:slop=3", usage, "fast_sigmoid has no argument 'slop'");
  expect_error("train randman --threads 0", usage, "--threads must be from 1");
  expect_error("train randman --device cuda", usage, "\"cuda\" is not there: this build runs on cpu");
  expect_error("train randman --set hiden=3", usage,
               "unknown field \"hiden\" of randman; did you mean hidden?");
  expect_error("train randman --set shift=2", usage, "\"shift\" belongs to the task mnist");
  expect_error("train randman --set hidden", usage, "--set needs FIELD=VALUE");
  expect_error("train randman --set optimizer=adma", usage, "did you mean adam?");
  expect_error("train randman --set learn_beta=maybe", usage, "must be true or false");
  expect_error("train randman --validation", usage, "belongs to the task mnist");
  expect_error("train randman --data .", usage, "randman makes its own data");
  expect_error("train randman --out ''", usage, "--out");
  expect_error("train mnist --data nowhere", failure, "nowhere");
  expect_error("predict", usage, "predict needs a run");
  expect_error("predict nowhere", failure, "there is no run \"nowhere\"");
  expect_error("predict .", failure, "holds no checkpoint.safetensors");
  expect_error("inspect nowhere", failure, "there is no run \"nowhere\"");
  expect_error("inspekt nowhere", usage, "did you mean inspect?");
}

TEST_F(TrainCommand, BadConfigFilesAreOneClearError) {
  const auto config = [&](const std::string& text, int code, const std::string& message) {
    std::ofstream(work() / "run.toml") << text;
    expect_error("train randman --config run.toml", code, message);
  };
  config("epohcs = 3\n", usage,
         "--config \"run.toml\": unknown field \"epohcs\" of randman; did you mean epochs?");
  config("thread = 3\n", usage, "did you mean threads?");
  config("epochs = \"ten\"\n", usage, "epochs must be a whole number, got \"ten\"");
  config("lr = true\n", usage, "lr must be a number, got true");
  config("epochs = 2.5\n", usage, "epochs must be a whole number, got 2.5");
  config("optimizer = 3\n", usage, "optimizer must be a word, got 3");
  config("epochs = [1, 2]\n", usage, "line 1: epochs must be a word, a number, true or false");
  config("[train]\nepochs = 2\n", usage, "train must be a word");
  config("epochs = 2\nlr = = 3\n", usage, "line 2 is no TOML");
  config("task = \"mnist\"\n", usage, "is for the task mnist, not for randman");
  config("threads = \"two\"\n", usage, "threads must be a whole number");
  config("device = \"cuda\"\n", usage, "this build runs on cpu");
  expect_error("train randman --config nowhere.toml", failure, "cannot read --config \"nowhere.toml\"");
  expect_error("train randman --config .", usage, "is a folder");
}

TEST_F(TrainCommand, FieldsAreListed) {
  const Result fields = run("train mnist --fields");
  EXPECT_EQ(fields.code, 0) << fields.err;
  for (const char* name : {"\n  lr ", "\n  shift ", "\n  surrogate "}) {
    EXPECT_NE(fields.out.find(name), std::string::npos) << fields.out;
  }
  EXPECT_EQ(fields.out.find("alpha"), std::string::npos) << fields.out;
}

// --- predict and inspect ---

TEST_F(TrainCommand, PredictAndInspect) {
  const Result trained = run("train randman --out a" + small);
  ASSERT_EQ(trained.code, 0);
  const Result predicted = run("predict a --csv p.csv --confusion");
  EXPECT_EQ(predicted.code, 0) << predicted.err;
  const std::string line = trained.out.substr(0, trained.out.find('\n') + 1);
  EXPECT_TRUE(predicted.out.starts_with(line)) << predicted.out << line;
  const std::string csv = read("p.csv");
  EXPECT_TRUE(csv.starts_with("index,label,prediction\n"));
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 41);
  EXPECT_EQ(run("predict a --csv -").out, csv);
  EXPECT_EQ(run("predict a/checkpoint.safetensors --quiet").out, line);
  EXPECT_TRUE(run("predict a --part validation").out.starts_with("Validation accuracy "));
  expect_error("predict a --part tset", usage, "did you mean test?");
  expect_error("predict a --csv p.csv", usage, "exists; --force replaces it");

  const Result inspected = run("inspect a");
  EXPECT_EQ(inspected.code, 0) << inspected.err;
  for (const char* text : {"20-16-10", "2 of 2 epochs", "20 -> 16", "16 -> 10", "506", "lif1",
                           "silent neurons", "SynOps", "MACs", "libtorch", "learn_beta"}) {
    EXPECT_NE(inspected.out.find(text), std::string::npos) << text << "\n" << inspected.out;
  }
}

TEST_F(TrainCommand, MnistFromFilesOfItsFormat) {
  rheo::test::write_idx_folder(work() / "mnist", 200);
  const std::string options =
      " --data mnist --threads 1 --set hidden=32 --set steps=8 --lr 5e-3 --batch 20 --epochs 6";
  const Result result = run("train mnist --recipe tutorial --out a" + options);
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.err.find("t10k"), std::string::npos) << "it says which files there are: " << result.err;
  EXPECT_TRUE(result.out.ends_with("Written: a/index.html\n")) << result.out;
  EXPECT_NE(result.out.find(" of 20 right"), std::string::npos) << result.out;
  EXPECT_TRUE(result.out.starts_with("Test accuracy 100.00 %")) << "bars are easy: " << result.out;
  // The folder of the data is remembered.
  EXPECT_TRUE(run("predict a").out.starts_with("Test accuracy 100.00 %: 20 of 20 right\n"));
  EXPECT_NE(run("inspect a").out.find("Firing, on 20 test samples"), std::string::npos);

  const Result held = run("train mnist --out b --set validation=40" + options);
  EXPECT_EQ(held.code, 0) << held.err;
  EXPECT_TRUE(held.out.starts_with("Validation accuracy ")) << held.out;
  EXPECT_NE(held.out.find(" of 40 right"), std::string::npos)
      << "the test images are not looked at: " << held.out;
  expect_error("train mnist --out c --set validation=180" + options, usage, "validation must leave some");

  rheo::test::write_idx_folder(work() / "other", 100);
  expect_error("train mnist --out a --resume --data other", usage, "learned from other data");
  const Result other = run("predict a --data other");
  EXPECT_EQ(other.code, 0) << other.err;
  EXPECT_NE(other.err.find("not the data of the run"), std::string::npos) << other.err;
}

TEST_F(TrainCommand, MnistOfTheRealFiles) {
  const char* data = std::getenv("RHEOBASE_DATA");
  if (data == nullptr || !fs::exists(fs::path(data) / "mnist")) GTEST_SKIP() << "RHEOBASE_DATA has no mnist";
  const Result result = run("train mnist --recipe tutorial --epochs 1 --set hidden=100 --set steps=10");
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_GT(std::atof(result.out.c_str() + std::string("Test accuracy ").size()), 60) << result.out;
}

}  // namespace
