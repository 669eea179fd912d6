// The program as a user meets it: the built binary, run by a shell, in a folder of its own. What it says on
// stdout and on stderr, what it returns, and which files it leaves.
#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "tests/app/program.hpp"

namespace fs = std::filesystem;

namespace {

using rheo::test::contents;
using rheo::test::Result;

class Cli : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "rheobase-cli-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override {
    fs::remove_all(folder_);
    fs::remove_all(folder_.string() + ".log");
  }

  /// `arguments` go through the shell: quote what it would change.
  Result run(const std::string& arguments, const std::string& environment = "") const {
    return rheo::test::run_program(folder_, folder_.string() + ".log", environment, arguments);
  }

  /// One line on stderr that holds `message`, exit code `code`, nothing on stdout, no new file.
  void expect_error(const std::string& arguments, int code, const std::string& message) const {
    const auto before = files();
    const Result result = run(arguments);
    EXPECT_EQ(result.code, code) << arguments << "\n" << result.err;
    EXPECT_EQ(result.out, "") << arguments;
    EXPECT_TRUE(result.err.starts_with("rheobase: error: ")) << arguments << "\n" << result.err;
    EXPECT_NE(result.err.find(message), std::string::npos) << arguments << "\n" << result.err;
    EXPECT_EQ(result.err.find('\n'), result.err.size() - 1) << "one line: " << result.err;
    EXPECT_EQ(files(), before) << arguments;
  }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
  }
  [[nodiscard]] std::string read(const std::string& name) const { return contents(folder_ / name); }
  [[nodiscard]] bool exists(const std::string& name) const { return fs::exists(folder_ / name); }

  [[nodiscard]] std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(folder_))
      names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }

  fs::path folder_;
};

std::vector<std::vector<std::string>> table(const std::string& csv) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(csv);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    rows.emplace_back();
    for (std::string field; std::getline(fields, field, ',');) rows.back().push_back(field);
  }
  return rows;
}

constexpr int usage = 2;
constexpr int failure = 1;

// --- the program as a whole ---

TEST_F(Cli, VersionAndHelp) {
  EXPECT_EQ(run("--version").out, "rheobase " RHEO_VERSION_TEXT "\n");
  for (const char* arguments : {"", "--help", "-h"}) {
    const Result help = run(arguments);
    EXPECT_EQ(help.code, 0);
    EXPECT_NE(help.out.find("simulate"), std::string::npos);
    EXPECT_NE(help.out.find("Exit codes: 0 done; 1 failed"), std::string::npos);
    EXPECT_EQ(help.err, "");
  }
  const Result simulate = run("simulate --help");
  EXPECT_EQ(simulate.code, 0);
  for (const char* option :
       {"--set", "--input", "--steps", "--init", "--csv", "--plot", "--seed", "Exit codes"}) {
    EXPECT_NE(simulate.out.find(option), std::string::npos) << option;
  }
}

TEST_F(Cli, TyposGetASuggestion) {
  expect_error("simulat Leaky", usage, "unknown subcommand simulat; did you mean simulate?");
  expect_error("ifno", usage, "did you mean info?");
  expect_error("xyzzy", usage, "unknown subcommand xyzzy; see rheobase --help");
  expect_error("--vresion", usage, "unknown option --vresion; did you mean --version?");
  expect_error("simulate Leaky --stpes 10", usage,
               "unknown option --stpes for simulate; did you mean --steps?");
  expect_error("simulate --stpes=10 Leaky", usage, "did you mean --steps?");
  expect_error("simulate Lapiqe", usage, "unknown neuron \"Lapiqe\"; did you mean Lapicque?");
  expect_error("simulate Leaky --set bta=0.5", usage,
               "unknown parameter \"bta\" of Leaky; did you mean beta?");
  expect_error("simulate Leaky --set treshold=0.5", usage, "did you mean threshold?");
  expect_error("simulate Leaky --init men=0.5", usage, "unknown state \"men\" of Leaky; did you mean mem?");
  expect_error("simulate Leaky --reset-mechanism zeor", usage, "did you mean zero?");
  expect_error("simulate Leaky --input stpe:0.2@10", usage, "did you mean step:?");
}

TEST_F(Cli, WhatIsMissingOrTooMuch) {
  expect_error("-q", usage, "a subcommand is needed");
  expect_error("simulate", usage, "simulate needs a neuron: ");
  expect_error("simulate Nothing-like-it", usage, "known: ");
  expect_error("simulate Leaky Leaky", usage, "not expected: Leaky");
  expect_error("simulate Leaky --csv", usage, "--csv");
  expect_error("info extra", usage, "not expected: extra");
}

TEST_F(Cli, OutputThatCannotBeWrittenIsAnError) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full";
  const std::string command =
      std::string("'" RHEO_PROGRAM "' -q simulate Leaky --csv - > /dev/full 2> /dev/null");
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), failure);
}

// --- info ---

TEST_F(Cli, Info) {
  const Result info = run("info");
  EXPECT_EQ(info.code, 0) << info.err;
  EXPECT_EQ(info.err, "");
  for (const char* word : {"rheobase", "libtorch", "instruction set", "threads", "CUDA", "gnuplot",
                           "Lapicque", "Leaky", "HodgkinHuxley", "rheobase neurons NAME"}) {
    EXPECT_NE(info.out.find(word), std::string::npos) << word << "\n" << info.out;
  }
  const Result baseline = run("info", "RHEOBASE_ISA=baseline");
  EXPECT_NE(baseline.out.find("instruction set  baseline ("), std::string::npos) << baseline.out;
  const Result wrong = run("info", "RHEOBASE_ISA=mmx");
  EXPECT_EQ(wrong.code, usage);
  EXPECT_EQ(wrong.out, "");
  EXPECT_NE(wrong.err.find("baseline"), std::string::npos) << wrong.err;
}

// --- neurons ---

TEST_F(Cli, NeuronsSayWhatTheyAre) {
  const Result all = run("neurons");
  EXPECT_EQ(all.code, 0) << all.err;
  for (const char* word : {"Leaky ", "AdEx ", "Izhikevich ", "squid axon"})
    EXPECT_NE(all.out.find(word), std::string::npos) << word << "\n" << all.out;
  const Result one = run("neurons adex");  // whatever the case
  EXPECT_EQ(one.code, 0) << one.err;
  for (const char* word : {"C dU/dt = g_L (E_L - U)", "Brette", "tau_w", "144", "pF", "adaptation current",
                           "Input: input current in pA", "threshold is 20 mV unless given.",
                           "(U - threshold) / 10", "Not taken: reset_mechanism, reset_delay."})
    EXPECT_NE(one.out.find(word), std::string::npos) << word << "\n" << one.out;
  EXPECT_NE(run("neurons LI").out.find("It does not fire"), std::string::npos);
  EXPECT_NE(run("neurons slidingpsn").out.find("U[t] = sum_i w_i X[t-k+1+i] + b"), std::string::npos);
  expect_error("neurons AdExx", usage, "unknown neuron \"AdExx\"; did you mean AdEx?");
  expect_error("neurons SlidingPNS", usage, "did you mean SlidingPSN?");
  expect_error("neurons AdEx --markdown", usage, "--markdown is for all neurons");
  expect_error("neurons AdEx --out page", usage, "--out is for all neurons, not for \"AdEx\"");
  expect_error("neurons --force", usage, "--force is for --out");
  expect_error("neurons --outt page", usage, "unknown option --outt for neurons; did you mean --out?");
}

// Text and pictures; the pictures' bytes depend on gnuplot's version, so that only which there are is compared.
TEST_F(Cli, TheDocumentedNeuronsAreThoseOfTheRegistry) {
  const char* again = "run: build/release/bin/rheobase neurons --markdown --out docs --force";
  const Result page = run("neurons --markdown");
  EXPECT_EQ(page.code, 0) << page.err;
  EXPECT_EQ(page.out, contents(RHEO_DOCS "/neurons.md")) << again;
  std::size_t named = 0;
  for (const auto& picture : fs::directory_iterator(RHEO_DOCS "/neurons")) {
    const std::string name = picture.path().filename().string();
    EXPECT_NE(page.out.find("(neurons/" + name + ")"), std::string::npos)
        << name << " is no neuron; " << again;
    EXPECT_LT(fs::file_size(picture), 30000U) << name;
    ++named;
  }
  std::size_t wanted = 0;
  for (std::size_t at = page.out.find("](neurons/"); at != std::string::npos;
       at = page.out.find("](neurons/", at + 1))
    ++wanted;
  EXPECT_EQ(named, wanted) << again;
  EXPECT_GE(wanted, 20U);
}

TEST_F(Cli, NeuronsMakeAPage) {
  const Result page = run("neurons --out page");
  EXPECT_EQ(page.out, "");
  EXPECT_EQ(page.code, 0) << page.err;
  EXPECT_NE(page.err.find("wrote page/index.html\n"), std::string::npos) << page.err;
  EXPECT_EQ(files(), (std::vector<std::string>{"index.html", "page"}));
  const std::string html = read("page/index.html");
  EXPECT_TRUE(html.ends_with("</html>\n"));
  EXPECT_NE(html.find("<h2 id=\"HodgkinHuxley\">"), std::string::npos);
  EXPECT_EQ(html.find("No figure"), std::string::npos);
  expect_error("neurons --out page", usage, "--force");
  write("file", "x");
  expect_error("neurons --out file", usage, "is a file; give a folder");
  expect_error("neurons --out ''", usage, "--out needs a folder name");
  EXPECT_EQ(run("-q neurons --out page --force").err, "");
}

TEST_F(Cli, WithoutGnuplotThePageOfTheNeuronsHasNoPictures) {
  const Result page = run("neurons --out page", "PATH=/nonexistent");
  EXPECT_EQ(page.code, failure);
  EXPECT_NE(page.err.find("gnuplot is missing"), std::string::npos) << page.err;
  EXPECT_NE(read("page/index.html").find("No figure: gnuplot was missing"), std::string::npos);
  const Result markdown = run("neurons --markdown --out docs", "PATH=/nonexistent");
  EXPECT_EQ(markdown.code, failure);
  EXPECT_FALSE(exists("docs")) << "a page that names pictures comes with them or not at all";
}

// --- simulate: results ---

TEST_F(Cli, WithoutOptionsItSpikesAndDraws) {
  for (const char* neuron : {"Alpha", "DeltaLeaky", "Lapicque", "Leaky", "RSynaptic", "AdEx", "Izhikevich",
                             "HodgkinHuxley", "IF", "CubaLIF"}) {
    const Result result = run(std::string("simulate ") + neuron);
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_GE(std::atoi(result.out.c_str()), 3) << result.out;
    EXPECT_NE(result.err.find("wrote simulate-"), std::string::npos) << result.err;
  }
  EXPECT_EQ(files(),
            (std::vector<std::string>{"simulate-adex.svg", "simulate-alpha.svg", "simulate-cubalif.svg",
                                      "simulate-deltaleaky.svg", "simulate-hodgkinhuxley.svg",
                                      "simulate-if.svg", "simulate-izhikevich.svg", "simulate-lapicque.svg",
                                      "simulate-leaky.svg", "simulate-rsynaptic.svg"}));
  EXPECT_NE(read("simulate-leaky.svg").find("</svg>"), std::string::npos);
  EXPECT_EQ(run("simulate Leaky").code, 0) << "a second run replaces the figure the program named itself";
}

// What leaves a leaky integrator is its membrane: no spikes are told, drawn or written.
TEST_F(Cli, SimulateOfANeuronThatDoesNotFire) {
  const Result result = run("simulate LI --csv li.csv --plot li.svg");
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_TRUE(result.out.starts_with("mem at most ")) << result.out;
  EXPECT_EQ(result.out.find("spike"), std::string::npos) << result.out;
  EXPECT_GT(std::atof(result.out.c_str() + std::string("mem at most ").size()), 0.1) << result.out;
  EXPECT_EQ(table(read("li.csv"))[0], (std::vector<std::string>{"step", "input", "mem"}));
  EXPECT_NE(read("li.svg").find("LI: 200 steps"), std::string::npos);
  EXPECT_EQ(read("li.svg").find("threshold"), std::string::npos);
}

// The tutorial's Lapicque at 0.3 A. Its list counts the first state as entry 0: 37, 64, 92, 119, 147, 174.
TEST_F(Cli, LapicqueOfTheTutorial) {
  const Result result = run(
      "simulate Lapicque --set R=5.1 --set C=5e-3 --set time_step=1e-3 --input step:0.3@10 --csv run.csv");
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.out, "6 spikes at steps 36, 63, 91, 118, 146, 173; mem at most 1.0184 (step 146)\n");
  const auto rows = table(read("run.csv"));
  ASSERT_EQ(rows.size(), 201U);
  EXPECT_EQ(rows[0], (std::vector<std::string>{"step", "input", "mem", "spk"}));
  EXPECT_EQ(rows[10], (std::vector<std::string>{"9", "0", "0", "0"}));
  EXPECT_EQ(rows[11][1], "0.3");
  EXPECT_EQ(rows[37][3], "1");
  EXPECT_EQ(rows[38][3], "0");
}

// The program's numbers against three lines of arithmetic.
TEST_F(Cli, LeakyAgainstAPlainLoop) {
  const Result result =
      run("-q simulate Leaky --set beta=0.8 --set threshold=0.7 --input pulse:0.3@2-30 --steps 40 "
          "--init mem=0.5 --reset-mechanism zero --csv -");
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  const auto rows = table(result.out);
  ASSERT_EQ(rows.size(), 41U);
  float mem = 0.5F;
  for (int t = 0; t < 40; ++t) {
    const float x = t >= 2 && t < 30 ? 0.3F : 0.0F;
    const bool reset = mem > 0.7F;
    mem = 0.8F * (reset ? 0.0F : mem) + x;
    const auto& row = rows[static_cast<std::size_t>(t) + 1];
    EXPECT_EQ(row[0], std::to_string(t));
    EXPECT_EQ(std::stof(row[1]), x);
    EXPECT_NEAR(std::stof(row[2]), mem, 1e-6F) << "step " << t;
    EXPECT_EQ(row[3], mem > 0.7F ? "1" : "0") << "step " << t;
  }
}

TEST_F(Cli, ListsMakeSeveralNeurons) {
  const Result result = run("-q simulate Leaky --set beta=0.5,0.9 --input const:0.3 --steps 20 --csv -");
  const auto rows = table(result.out);
  EXPECT_EQ(rows[0],
            (std::vector<std::string>{"step", "input_0", "input_1", "mem_0", "mem_1", "spk_0", "spk_1"}));
  const auto one = table(run("-q simulate Leaky --set beta=0.9 --input const:0.3 --steps 20 --csv -").out);
  for (std::size_t t = 1; t < rows.size(); ++t) {
    EXPECT_EQ(rows[t][4], one[t][2]) << "neuron 1 is the same as alone, step " << t - 1;
  }
  const auto currents = table(run("-q simulate Leaky --input step:0.1,0.3@3 --steps 20 --csv -").out);
  EXPECT_EQ(currents[5][1], "0.1");
  EXPECT_EQ(currents[5][2], "0.3");
  const Result summary = run("simulate Leaky --set threshold=0.5,1,2 --input const:0.3 --csv t.csv");
  EXPECT_NE(summary.out.find("neuron 2: "), std::string::npos) << summary.out;
}

TEST_F(Cli, SeveralInputsAddUp) {
  const auto rows =
      table(run("-q simulate Leaky --input const:0.1 --input pulse:0.2@1-2 --steps 3 --csv -").out);
  EXPECT_EQ(rows[1][1], "0.1");
  EXPECT_FLOAT_EQ(std::stof(rows[2][1]), 0.3F);
  EXPECT_EQ(rows[3][1], "0.1");
}

TEST_F(Cli, RandomSpikesFollowTheSeed) {
  const std::string command = "-q simulate Leaky --input spikes:p=0.4 --csv - --seed ";
  const std::string seven = run(command + "7").out;
  EXPECT_EQ(run(command + "7").out, seven);
  EXPECT_EQ(run(command + "7", "OMP_NUM_THREADS=1").out, seven);
  EXPECT_NE(run(command + "8").out, seven);
  int spikes = 0;
  for (const auto& row : table(seven)) spikes += row[1] == "1" ? 1 : 0;
  EXPECT_NEAR(spikes, 80, 35);
}

TEST_F(Cli, InputFromAFile) {
  write("plain.csv", "0.1\n0.2\n0.3\n");
  EXPECT_EQ(table(run("-q simulate Leaky --input plain.csv --csv -").out)[3][1], "0.3");
  write("named.csv", "a,b\n0.1,1\n0.2,2\n");
  EXPECT_EQ(table(run("-q simulate Leaky --input named.csv --csv -").out)[2][2], "2");
  write("dos.csv", "\xEF\xBB\xBF\"a\";\"b\"\r\n0.1;+1e0\r\n\r\n");
  EXPECT_EQ(table(run("-q simulate Leaky --input dos.csv --csv -").out)[1][2], "1");
  EXPECT_EQ(table(run("-q simulate Leaky --input plain.csv --steps 2 --csv -").out).size(), 3U);

  // What the program wrote, it reads: only the input columns.
  EXPECT_EQ(run("simulate Leaky --input spikes:p=0.3 --csv first.csv").code, 0);
  EXPECT_EQ(run("simulate Leaky --input first.csv --csv again.csv").code, 0);
  EXPECT_EQ(read("first.csv"), read("again.csv"));
}

TEST_F(Cli, FiguresAreDrawn) {
  EXPECT_EQ(run("simulate Leaky --plot a.svg").code, 0);
  EXPECT_NE(read("a.svg").find("<svg"), std::string::npos);
  EXPECT_EQ(run("simulate Leaky --set beta=0.5,0.7,0.9 --input spikes:p=0.5 --plot b.png").code, 0);
  EXPECT_EQ(read("b.png").substr(1, 3), "PNG");
  EXPECT_EQ(run("simulate Leaky --steps 1 --plot one.svg").code, 0);
  EXPECT_EQ(run("simulate Leaky --input const:0 --plot silent.svg").code, 0);
  EXPECT_EQ(run("simulate Leaky --steps 20000 --plot long.svg").code, 0);
}

TEST_F(Cli, WithoutGnuplotTheNumbersStillCome) {
  const Result plain = run("simulate Leaky", "PATH=/nonexistent");
  EXPECT_EQ(plain.code, 0) << plain.err;
  EXPECT_NE(plain.out.find("spikes at steps"), std::string::npos);
  EXPECT_NE(plain.err.find("gnuplot"), std::string::npos) << plain.err;
  const Result asked = run("simulate Leaky --plot a.svg --csv a.csv", "PATH=/nonexistent");
  EXPECT_EQ(asked.code, failure);
  EXPECT_NE(asked.out.find("spikes at steps"), std::string::npos);
  EXPECT_NE(asked.err.find("rheobase: error: "), std::string::npos) << asked.err;
  EXPECT_EQ(files(), (std::vector<std::string>{"a.csv"}));
}

TEST_F(Cli, NoStepsIsAnEmptyTable) {
  const Result result = run("-q simulate Leaky --steps 0 --csv -");
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.out, "step,input,mem,spk\n");
}

TEST_F(Cli, NeuronsAreFoundWhateverTheCase) { EXPECT_EQ(run("simulate leaky --csv -").code, 0); }

TEST_F(Cli, InstructionSetsAgree) {
  const std::string command =
      "-q simulate Lapicque --set R=1,2,3,4,5,6,7,8,9,10,11 --input step:0.3@10 --csv -";
  const std::string best = run(command).out;
  EXPECT_EQ(run(command, "RHEOBASE_ISA=baseline").out, best);
}

// --- simulate: bad input, one clear error each ---

TEST_F(Cli, BadValues) {
  expect_error("simulate Leaky --steps -5", usage, "--steps must be a whole number, 0 or more, got \"-5\"");
  expect_error("simulate Leaky --steps 2.5", usage, "got \"2.5\"");
  expect_error("simulate Leaky --steps many", usage, "got \"many\"");
  expect_error("simulate Leaky --steps 4000000000", usage, "--steps must be at most ");
  expect_error("simulate Leaky --steps 99999999999999999999999", usage, "--steps must be at most ");
  expect_error("simulate Leaky --seed -1", usage, "--seed must be a whole number");
  expect_error("simulate Lapicque --set R=0 --set C=1", usage, "R");
  expect_error("simulate Lapicque --set R=-1 --set C=1", usage, "R");
  expect_error("simulate Lapicque --set C=0", usage, "C");
  expect_error("simulate Lapicque --set R=5,0", usage, "R");
  expect_error("simulate Leaky --set threshold=nan", usage, "threshold must be a finite number");
  expect_error("simulate Leaky --set beta=1e99", usage, "beta must be a finite number");
  expect_error("simulate Leaky --set beta=abc", usage, "got \"abc\"");
  expect_error("simulate Leaky --set beta", usage, "--set must be name=value, got \"beta\"");
  expect_error("simulate Leaky --set =1", usage, "--set must be name=value, got \"=1\"");
  expect_error("simulate Leaky --set beta=0.5 --set beta=0.6", usage, "beta was given twice");
  expect_error("simulate Leaky --set beta=0.5,0.6 --set threshold=1,2,3", usage,
               "is for 3 neurons, but --set beta=0.5,0.6 for 2");
  expect_error("simulate Leaky --set beta=0.5,0.6 --init mem=1,2,3", usage, "is for 3 neurons");
  expect_error("simulate Leaky --init mem=nan", usage, "mem must be a finite number");
  expect_error("simulate Leaky --set reset_delay=perhaps", usage, "must be true or false, got \"perhaps\"");
  expect_error("simulate Lapicque --set integration=rk4", usage, "rk4");
}

TEST_F(Cli, BadInputs) {
  for (const char* input : {"const:",       "const:x",      "step:0.2",     "step:0.2@",     "step:0.2@-3",
                            "step:0.2@1.5", "step:@3",      "pulse:0.1@10", "pulse:0.1@10-", "pulse:0.1@-10",
                            "pulse:1@a-b",  "spikes:0.4",   "spikes:p=",    "spikes:p=x",    "spikes:p=-0.1",
                            "spikes:p=1.1", "spikes:p=nan", "sine:3",       "const:0.2,",    ""}) {
    expect_error("simulate Leaky --input '" + std::string(input) + "'", usage, "--input");
  }
  expect_error("simulate Leaky --input sine:3", usage,
               "const:V, step:V@S, pulse:V@A-B, spikes:p=P or a CSV file");
  expect_error("simulate Leaky --input pulse:0.1@30-10", usage,
               "must end after it begins, got steps 30 to 10");
  expect_error("simulate Leaky --input const:1,2 --set beta=0.1,0.2,0.3", usage,
               "--input const:1,2 is for 2 neurons");
}

TEST_F(Cli, BadFiles) {
  write("empty.csv", "");
  write("header.csv", "a,b\n");
  write("ragged.csv", "0.1,0.2\n0.3\n");
  write("word.csv", "a,b\n1,2\n3,x\n");
  write("nan.csv", "nan\n0.1\n");
  write("hole.csv", "0.1\n\n0.2\n");
  write("short.csv", "0.1\n0.2\n");
  expect_error("simulate Leaky --input nothere.csv", usage, "got \"nothere.csv\"");
  expect_error("simulate Leaky --input .", usage, "is a folder");
  expect_error("simulate Leaky --input empty.csv", usage, "holds no numbers");
  expect_error("simulate Leaky --input header.csv", usage, "holds no numbers");
  expect_error("simulate Leaky --input ragged.csv", usage, "\"ragged.csv\" line 2: must have 2 columns");
  expect_error("simulate Leaky --input word.csv", usage,
               "\"word.csv\" line 3: must be finite numbers, got \"x\"");
  expect_error("simulate Leaky --input nan.csv", usage,
               "\"nan.csv\" line 1: must be finite numbers, got \"nan\"");
  expect_error("simulate Leaky --input hole.csv", usage, "\"hole.csv\" line 2: empty");
  expect_error("simulate Leaky --input short.csv --steps 3", usage, "at most the 2 rows");
  if (geteuid() != 0) {
    write("secret.csv", "1\n");
    fs::permissions(folder_ / "secret.csv", fs::perms::none);
    expect_error("simulate Leaky --input secret.csv", failure, "cannot read");
  }
}

TEST_F(Cli, FilesAreNotReplacedUnasked) {
  write("old.csv", "precious\n");
  expect_error("simulate Leaky --csv old.csv", usage, "--csv \"old.csv\" exists; --force replaces it");
  EXPECT_EQ(read("old.csv"), "precious\n");
  EXPECT_EQ(run("simulate Leaky --csv old.csv --force").code, 0);
  EXPECT_TRUE(read("old.csv").starts_with("step,input,mem,spk\n"));
  write("old.svg", "precious\n");
  expect_error("simulate Leaky --plot old.svg", usage, "exists; --force replaces it");
}

TEST_F(Cli, OutputsThatCannotBeWritten) {
  expect_error("simulate Leaky --csv nowhere/a.csv", failure, "cannot write --csv \"nowhere/a.csv\"");
  expect_error("simulate Leaky --plot nowhere/a.svg", failure, "cannot write --plot");
  expect_error("simulate Leaky --csv .", usage, "is a folder");
  expect_error("simulate Leaky --csv ''", usage, "");
  expect_error("simulate Leaky --plot a.jpg", usage, "--plot must end in .svg or .png, got \"a.jpg\"");
  expect_error("simulate Leaky --csv a.svg --plot a.svg", usage, "must be two files");
  expect_error("simulate Leaky --steps 0 --plot a.svg", usage, "--plot needs at least one step");
  // The first file would be fine: it must not appear either.
  expect_error("simulate Leaky --csv good.csv --plot nowhere/a.svg", failure, "nowhere/a.svg");
}

TEST_F(Cli, AnInterruptedRunLeavesNothing) {
  const pid_t child = fork();
  if (child == 0) {
    if (chdir(folder_.c_str()) != 0) _exit(99);
    execl(RHEO_PROGRAM, RHEO_PROGRAM, "-q", "simulate", "Leaky", "--steps", "20000000", "--csv", "long.csv",
          nullptr);
    _exit(99);
  }
  ASSERT_GT(child, 0);
  for (int i = 0; i < 1000 && files().empty(); ++i) usleep(10000);  // until its temporary file is there
  EXPECT_FALSE(files().empty());
  kill(child, SIGINT);
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 130);
  EXPECT_EQ(files(), std::vector<std::string>{});
}

TEST_F(Cli, TuneWritesWhatLaterRunsRead) {
  const Result tune = run("tune --out new/tuning.txt");
  if (tune.err.find("no oneDNN product") != std::string::npos)
    GTEST_SKIP() << "skipped: nothing to choose from";
  ASSERT_EQ(tune.code, 0) << tune.err;
  EXPECT_TRUE(tune.out.ends_with(": new/tuning.txt\n")) << tune.out;
  EXPECT_TRUE(read("new/tuning.txt").starts_with("rheobase tuning 1\ncpu "));
  const std::string from = "RHEOBASE_TUNING=new/tuning.txt";
  EXPECT_NE(run("info", from).out.find("(tuning file new/tuning.txt)"), std::string::npos);
  EXPECT_NE(run("info", from + " RHEOBASE_PRODUCT=libtorch").out.find("libtorch (RHEOBASE_PRODUCT)"),
            std::string::npos);
  write("new/tuning.txt", "mkl please\n");
  const Result damaged = run("info", from);
  EXPECT_EQ(damaged.code, 2);
  EXPECT_NE(damaged.err.find("tuning file new/tuning.txt, line 1, must be"), std::string::npos)
      << damaged.err;
}

}  // namespace
