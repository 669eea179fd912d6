// rheobase inspect RUN: what is in a checkpoint.
#include "app/command.hpp"
#include "app/exit_code.hpp"
#include "app/numbers.hpp"
#include "app/train/progress.hpp"
#include "app/train/report.hpp"
#include "app/train/run.hpp"
#include "app/train/task.hpp"
#include "rheo/train/checkpoint.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace rheo::app {
namespace {

constexpr std::size_t watched_samples = 250;

struct InspectArguments {
  std::string run;
  std::optional<std::string> data;
};

using Rows = std::vector<std::vector<std::string>>;

/// Columns as wide as their widest cell.
std::string columns(const Rows& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line = " ";
    for (std::size_t i = 0; i < row.size(); ++i)
      line += " " + row[i] + std::string(widths[i] - row[i].size() + 1, ' ');
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string bytes(std::uintmax_t count) {
  if (count < 10'000) return std::to_string(count) + " bytes";
  if (count < 10'000'000) return rounded(static_cast<double>(count / 100) / 10) + " kB";
  return rounded(static_cast<double>(count / 100'000) / 10) + " MB";
}

void print_layers(const train::SavedRun& saved, const nn::Sequential& net) {
  Rows rows{{"layer", "what", "shape", "parameters", "size"}};
  std::int64_t parameters = 0, size = 0;
  for (const train::LayerRow& layer : train::layers_of(net, saved.recipe)) {
    const bool any = layer.parameters > 0;
    rows.push_back({layer.name, layer.what, layer.shape, any ? std::to_string(layer.parameters) : "",
                    any ? bytes(static_cast<std::uintmax_t>(layer.bytes)) : ""});
    parameters += layer.parameters;
    size += layer.bytes;
  }
  rows.push_back({"all", "", "", std::to_string(parameters), bytes(static_cast<std::uintmax_t>(size))});
  std::printf("\nLayers\n%s", columns(rows).c_str());
}

void print_cost(const nn::Summary& cost) {
  const auto count = [](double operations) { return operations == 0 ? std::string() : rounded(operations); };
  Rows rows{{"layer", "SynOps", "MACs"}};
  for (const nn::LayerSummary& layer : cost.layers) {
    if (layer.synops > 0 || layer.macs > 0)
      rows.push_back({layer.name, count(layer.synops), count(layer.macs)});
  }
  rows.push_back({"all", rounded(cost.synops()), rounded(cost.macs())});
  std::printf(
      "\nOperations per inference, the mean of these samples: additions for spikes (SynOps), "
      "multiply-accumulates for "
      "other inputs (MACs)\n%s",
      columns(rows).c_str());
}

void print_firing(const InspectArguments& arguments, const train::SavedRun& saved, nn::Sequential& net) {
  std::string why;
  try {
    const train::Data data = train::open_data(saved.recipe, arguments.data.value_or(saved.data));
    const auto& indices = train::part_of(data, train::judged_part(saved.recipe));
    const std::span<const std::int64_t> first(indices.data(), std::min(indices.size(), watched_samples));
    const data::Batch batch = data.set->batch(first);
    const train::Watched watched = train::watch(net, saved.recipe, batch);
    Rows rows{{"layer", "neurons", "spikes per neuron and step", "silent neurons"}};
    for (const train::Firing& firing : train::firing_of(watched.recording, saved.recipe)) {
      rows.push_back({firing.layer, std::to_string(firing.neurons), rounded(firing.rate),
                      train::percent(firing.silent)});
    }
    std::printf("\nFiring, on %zu %s samples\n%s", first.size(), train::judged_part(saved.recipe),
                columns(rows).c_str());
    print_cost(train::cost_of(net, saved.recipe, batch));
    return;
  } catch (const std::runtime_error& error) {
    if (arguments.data) throw;  // asked for
    why = error.what();
  }
  std::printf("\nFiring: not known without the data (--data): %s\n", why.c_str());
}

void print_learned(const train::SavedRun& saved) {
  const auto& at = saved.checkpoint;
  std::printf("%-16s %s\n", "file",
              (saved.file.string() + ", " + bytes(std::filesystem::file_size(saved.file))).c_str());
  std::printf("%-16s %s, recipe %s, network %s, %lld steps\n", "task", saved.recipe.task.c_str(),
              saved.recipe.recipe.c_str(), train::net_name(saved.recipe).c_str(),
              static_cast<long long>(saved.recipe.steps));
  std::string learned = std::to_string(at.epoch) + " of " + std::to_string(saved.recipe.epochs) + " epochs";
  if (at.batch > 0) learned += " and " + std::to_string(at.batch) + " batches";
  std::printf("%-16s %s, %lld steps of %s\n", "learned", learned.c_str(), static_cast<long long>(at.step),
              at.optimizer.kind.c_str());
  if (at.history.empty()) return;
  const auto& last = at.history.back();
  std::printf(
      "%-16s loss %s, accuracy %s%s\n", "last epoch", rounded(last.train_loss).c_str(),
      train::percent(last.train_accuracy).c_str(),
      last.validation_accuracy ? (", validation " + train::percent(*last.validation_accuracy)).c_str() : "");
}

int run(const InspectArguments& arguments) {
  if (arguments.run.empty()) throw UsageError("inspect needs a run: the folder that rheobase train wrote");
  const train::SavedRun saved = train::open_run(arguments.run);
  nn::Sequential net = train::network_of(saved);
  print_learned(saved);
  for (const auto& [name, text] : saved.checkpoint.about) {
    if (name == "data") std::printf("%-16s %s\n", "data", text.c_str());
  }
  print_layers(saved, net);
  print_firing(arguments, saved, net);

  Rows rows;
  for (const train::Field* field : train::fields_of(saved.recipe.task)) {
    rows.push_back({std::string(field->name), train::to_text(train::get_field(saved.recipe, *field))});
  }
  std::printf("\nRecipe\n%s", columns(rows).c_str());
  rows.clear();
  for (const auto& [name, value] : saved.checkpoint.environment) rows.push_back({name, value});
  std::printf("\nMade with\n%s", columns(rows).c_str());
  for (const std::string& line :
       rheo::train::differences(saved.checkpoint.environment, rheo::train::environment())) {
    std::printf("  here otherwise: %s\n", line.c_str());
  }
  return exit_ok;
}

}  // namespace

void add_inspect(CLI::App& program, Context& context) {
  CLI::App* command = program.add_subcommand(
      "inspect", "What a checkpoint holds: layers, parameters, sizes, firing rates, recipe");
  const auto arguments = std::make_shared<InspectArguments>();
  command->add_option("RUN", arguments->run, "Folder that rheobase train wrote, or a checkpoint in it")
      ->type_name("");
  command->add_option("--data", arguments->data, "Folder of MNIST's files; those of the run when not given")
      ->type_name("DIR");
  command->callback([arguments, &context] { context.run = [arguments] { return run(*arguments); }; });
}

}  // namespace rheo::app
