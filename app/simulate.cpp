// rheobase simulate NEURON: any neuron of the registry, on a current or on spikes described in a few letters.
#include "app/command.hpp"
#include "app/exit_code.hpp"
#include "app/numbers.hpp"
#include "app/output.hpp"
#include "app/recording.hpp"
#include "app/setup.hpp"
#include "rheo/spikegen/rate_conv.hpp"

#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <CLI/CLI.hpp>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace rheo::app {
namespace {

constexpr std::uint64_t default_steps = 200;
constexpr std::uint64_t default_seed = 0;
constexpr std::uint64_t most_values = 1ULL << 26;  // steps x neurons x traces
constexpr std::uint64_t step_begin = 10;           // of the input the program chooses itself

std::uint64_t count_steps(const SimulateArguments& arguments, const Setup& setup) {
  std::optional<std::uint64_t> rows;
  for (const InputSpec& input : setup.inputs) {
    if (input.kind != InputSpec::Kind::table) continue;
    rows = std::min<std::uint64_t>(rows.value_or(UINT64_MAX), input.table.rows());
  }
  const std::uint64_t traces = setup.neuron->states.size() + 2;
  const std::uint64_t most = most_values / (traces * setup.neurons);
  const std::string what =
      setup.neurons == 1 ? "--steps" : "--steps with " + std::to_string(setup.neurons) + " neurons";
  const std::uint64_t steps =
      arguments.steps ? whole_number(what, *arguments.steps, most) : rows.value_or(default_steps);
  if (steps > most) {
    throw UsageError(std::to_string(setup.neurons) + " neurons can run at most " + std::to_string(most) +
                     " steps, got " + std::to_string(steps) + "; see --steps");
  }
  if (rows && steps > *rows) {
    throw UsageError("--steps must be at most the " + std::to_string(*rows) + " rows of the CSV file, got " +
                     std::to_string(steps));
  }
  return steps;
}

at::Tensor realise(const InputSpec& input, std::int64_t steps, std::int64_t neurons, std::uint64_t seed) {
  if (input.kind == InputSpec::Kind::spikes) {
    return spikegen::rate_conv(at::full({steps, neurons}, input.values.front(), at::kFloat), seed);
  }
  if (input.kind == InputSpec::Kind::table) {
    const auto count = static_cast<std::size_t>(steps) * input.table.columns;
    const at::Tensor table = at::tensor(at::ArrayRef<double>(input.table.values.data(), count), at::kFloat);
    return table.view({steps, static_cast<std::int64_t>(input.table.columns)}).expand({steps, neurons});
  }
  at::Tensor x = at::zeros({steps, neurons}, at::kFloat);
  const auto clipped = [&](std::uint64_t step) {
    return static_cast<std::int64_t>(std::min(step, static_cast<std::uint64_t>(steps)));
  };
  x.slice(0, clipped(input.begin), clipped(input.end))
      .copy_(at::tensor(at::ArrayRef<double>(input.values), at::kFloat));
  return x;
}

/// The lowest step current of 1, 2, 3, 5 x 10^k that makes the first neuron spike three times in 200 steps,
/// else once; for one that does not fire, the top of its usual input. Any neuron, in any units, then shows something.
std::string fitting_input(const NeuronDescription& described, nn::Neuron& neuron, std::int64_t neurons) {
  if (!described.fires) return "step:" + rounded(described.drive.high) + "@" + std::to_string(step_begin);
  std::string once;
  for (int exponent = -3; exponent <= 4; ++exponent) {
    for (const int digit : {1, 2, 3, 5}) {
      const double current = digit * std::pow(10.0, exponent);
      at::Tensor x = at::zeros({static_cast<std::int64_t>(default_steps), neurons}, at::kFloat);
      x.slice(0, step_begin).fill_(current);
      const auto spikes = neuron->forward(x, State{}).spk.select(1, 0).count_nonzero().item<std::int64_t>();
      const std::string text = "step:" + rounded(current) + "@" + std::to_string(step_begin);
      if (spikes >= 3) return text;
      if (spikes > 0 && once.empty()) once = text;
    }
  }
  return once.empty() ? "step:1@" + std::to_string(step_begin) : once;
}

std::vector<float> plain(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.contiguous();
  const float* data = flat.const_data_ptr<float>();
  return {data, data + flat.numel()};
}

Recording simulate(Setup& setup, std::uint64_t steps, std::uint64_t seed, const Context& context) {
  const c10::InferenceMode no_gradients;
  nn::Neuron neuron = setup.make();
  const auto rows = static_cast<std::int64_t>(steps);
  const auto columns = static_cast<std::int64_t>(setup.neurons);
  for (const InputSpec& input : setup.inputs) {
    if (input.kind != InputSpec::Kind::level || input.begin < steps || steps == 0) continue;
    context.note("note: --input " + input.text + " begins after the last of the " + std::to_string(steps) +
                 " steps");
  }
  if (setup.inputs.empty())
    setup.inputs.push_back(parse_input(fitting_input(*setup.neuron, neuron, columns)));

  at::Tensor x = at::zeros({rows, columns}, at::kFloat);
  std::string inputs;
  for (const InputSpec& input : setup.inputs) {
    x += realise(input, rows, columns, seed++);  // each its own spikes
    inputs += (inputs.empty() ? "" : " + ") + input.text;
  }
  context.note(setup.neuron->name + " " + setup.describe() + "; input " + inputs + "; " +
               std::to_string(steps) + " steps");

  const auto out = neuron->record(x, setup.first_state());
  Recording recording{.neuron = setup.neuron->name, .steps = steps, .neurons = setup.neurons};
  recording.input = {"input", setup.neuron->input_unit, plain(x)};
  recording.input_is_spikes =
      setup.inputs.size() == 1 && setup.inputs.front().kind == InputSpec::Kind::spikes;
  for (const auto& state : setup.neuron->states) {
    if (state.name != "spk") recording.states.push_back({state.name, state.unit, plain(out[state.name])});
  }
  recording.spk = plain(out.spk);
  recording.fires = setup.neuron->fires;
  if (recording.fires) recording.threshold = setup.threshold;
  return recording;
}

std::filesystem::path figure_path(const SimulateArguments& arguments, const Setup& setup) {
  if (arguments.plot) {
    const std::string ending = std::filesystem::path(*arguments.plot).extension().string();
    if (ending != ".svg" && ending != ".png") {
      throw UsageError("--plot must end in .svg or .png, got \"" + *arguments.plot + "\"");
    }
    return *arguments.plot;
  }
  if (arguments.csv) return {};
  std::string name(setup.neuron->name);
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return "simulate-" + name + ".svg";
}

int run(const SimulateArguments& arguments, const Context& context) {
  Setup setup = read_setup(arguments);
  const std::uint64_t steps = count_steps(arguments, setup);
  const std::uint64_t seed = arguments.seed ? whole_number("--seed", *arguments.seed) : default_seed;
  const std::filesystem::path figure = figure_path(arguments, setup);
  const bool asked_for_figure = arguments.plot.has_value();
  if (steps == 0 && asked_for_figure) throw UsageError("--plot needs at least one step, got --steps 0");
  if (asked_for_figure && arguments.plot == arguments.csv) {
    throw UsageError("--csv and --plot must be two files, got \"" + *arguments.csv + "\" for both");
  }

  // Both files are opened before the work begins: a bad name should not cost a long run.
  std::optional<AtomicFile> csv_file;
  std::optional<AtomicFile> figure_file;
  const bool csv_to_stdout = arguments.csv == "-";
  if (arguments.csv && !csv_to_stdout) csv_file.emplace("--csv", *arguments.csv, arguments.force);
  if (!figure.empty() && steps > 0) {
    figure_file.emplace(asked_for_figure ? "--plot" : "figure", figure, arguments.force || !asked_for_figure);
  }

  const Recording recording = simulate(setup, steps, seed, context);
  if (csv_file) csv_file->write(to_csv(recording));
  std::string no_figure;
  if (figure_file) {
    try {
      const plot::Figure drawing = to_figure(recording);
      figure_file->write(figure.extension() == ".png" ? plot::to_png(drawing) : plot::to_svg(drawing));
    } catch (const plot::Error& error) {  // the numbers still come
      no_figure = error.what();
    }
  }

  if (csv_file) {
    csv_file->commit();
    context.note("wrote " + *arguments.csv);
  }
  if (figure_file && no_figure.empty()) {
    figure_file->commit();
    context.note("wrote " + figure.string());
  }
  const std::string text = summary(recording);
  std::fputs(csv_to_stdout ? to_csv(recording).c_str() : text.c_str(), stdout);
  if (csv_to_stdout && !context.quiet) std::fputs(text.c_str(), stderr);
  if (!no_figure.empty()) {
    if (asked_for_figure) throw Failure(no_figure);
    context.note("no figure: " + no_figure);
  }
  return exit_ok;
}

}  // namespace

void add_simulate(CLI::App& program, Context& context) {
  CLI::App* command = program.add_subcommand(
      "simulate", "Run one neuron, or several with different parameters, and record what it does");
  auto arguments = std::make_shared<SimulateArguments>();
  // Without this, CLI11 would take the words after the first value, NEURON among them, as more values.
  const auto repeated = [](CLI::Option* option) { return option->allow_extra_args(false); };
  command->add_option("NEURON", arguments->neuron, "Its name, as rheobase info lists them")->type_name("");
  repeated(command->add_option("--set", arguments->set,
                               "A parameter, threshold, reset_mechanism, ... May be repeated;\n"
                               "a list, as R=5,10,20, makes several neurons"))
      ->type_name("NAME=VALUE");
  repeated(command->add_option("--input", arguments->input, input_help))->type_name("INPUT");
  command->add_option("--steps", arguments->steps, "200, or the rows of the CSV file, when not given")
      ->type_name("COUNT");
  repeated(command->add_option("--init", arguments->init,
                               "A state before the first step, as mem=0.5. May be repeated"))
      ->type_name("STATE=VALUE");
  command->add_option("--reset-mechanism", arguments->reset_mechanism, "subtract, zero or none")
      ->type_name("NAME");
  command->add_option("--seed", arguments->seed, "Of random input; 0 when not given")->type_name("NUMBER");
  command->add_option("--csv", arguments->csv, "Write a row per step into this file, or to stdout with -")
      ->type_name("FILE");
  command
      ->add_option("--plot", arguments->plot,
                   "Draw into this file, .svg or .png. Without --plot and --csv:\nsimulate-NEURON.svg")
      ->type_name("FILE");
  command->add_flag("--force", arguments->force, "Replace files that exist");
  command->footer(
      std::string("Steps count from 0; what is said of a step is its input and the state after it.\n\n"
                  "Examples:\n"
                  "  rheobase simulate Leaky\n"
                  "  rheobase simulate Lapicque --set R=5.1 --set C=5e-3 --input step:0.2@10 --plot lif.svg\n"
                  "  rheobase simulate Leaky --set beta=0.8,0.9,0.95 --input spikes:p=0.4 --csv -\n\n") +
      exit_code_help);
  command->callback(
      [arguments, &context] { context.run = [arguments, &context] { return run(*arguments, context); }; });
}

}  // namespace rheo::app
