// rheobase predict RUN: a trained network answers.
#include "app/command.hpp"
#include "app/exit_code.hpp"
#include "app/output.hpp"
#include "app/train/config.hpp"
#include "app/train/progress.hpp"
#include "app/train/run.hpp"
#include "app/train/task.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

namespace rheo::app {
namespace {

struct PredictArguments {
  std::string run;
  std::optional<std::string> data, part, csv, threads, device;
  bool confusion = false, force = false;
};

std::string to_csv(const train::Answers& answers) {
  std::string text = "index,label,prediction\n";
  for (std::size_t i = 0; i < answers.index.size(); ++i) {
    text += std::to_string(answers.index[i]) + "," + std::to_string(answers.label[i]) + "," +
            std::to_string(answers.prediction[i]) + "\n";
  }
  return text;
}

/// A row per class, a column per answer.
std::string confusion_table(const train::Answers& answers, std::size_t classes) {
  std::string text = "label \\ prediction\n     ";
  const auto cell = [](std::int64_t number) {
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "%6lld", static_cast<long long>(number));
    return std::string(buffer);
  };
  for (std::size_t said = 0; said < classes; ++said) text += cell(static_cast<std::int64_t>(said));
  text += "\n";
  for (std::size_t label = 0; label < classes; ++label) {
    text += cell(static_cast<std::int64_t>(label)).substr(1);
    for (std::size_t said = 0; said < classes; ++said)
      text += cell(answers.confusion[label * classes + said]);
    text += "\n";
  }
  return text;
}

int run(const PredictArguments& arguments, const Context& context) {
  if (arguments.run.empty()) throw UsageError("predict needs a run: the folder that rheobase train wrote");
  if (arguments.device) train::check_device("--device", *arguments.device);
  if (arguments.threads) train::set_threads(train::read_threads("--threads", *arguments.threads));
  const train::SavedRun saved = train::open_run(arguments.run);
  if (arguments.data && saved.recipe.task == "randman") {
    throw UsageError("--data is for mnist: this run is of randman, which makes its own data");
  }
  const std::string part = arguments.part.value_or(train::judged_part(saved.recipe));
  auto net = train::network_of(saved);
  const train::Data data = train::open_data(saved.recipe, arguments.data.value_or(saved.data));
  const auto& indices = train::part_of(data, part);
  if (indices.empty()) throw UsageError("there is no " + part + " part: no samples were held out");
  if (!data.note.empty()) context.note(data.note);
  const auto& about = saved.checkpoint.about;
  if (const auto then = about.find("data"); then != about.end() && then->second != data.identity) {
    context.note("not the data of the run, some of it may have been learned: " + then->second + " then, " +
                 data.identity + " now");
  }

  std::optional<AtomicFile> csv_file;
  const bool csv_to_stdout = arguments.csv == "-";
  if (arguments.csv && !csv_to_stdout) csv_file.emplace("--csv", *arguments.csv, arguments.force);
  const train::Answers answers = train::ask_all(net, saved.recipe, *data.set, indices);
  if (csv_file) {
    csv_file->write(to_csv(answers));
    csv_file->commit();
    context.note("wrote " + *arguments.csv);
  }
  std::string text = part + " accuracy " + train::percent(answers.accuracy) + ": " +
                     std::to_string(answers.correct) + " of " + std::to_string(answers.index.size()) +
                     " right\n";
  text[0] = static_cast<char>(text[0] - 'a' + 'A');
  if (arguments.confusion) {
    text += confusion_table(answers, static_cast<std::size_t>(train::classes_of(saved.recipe)));
  }
  std::fputs(csv_to_stdout ? to_csv(answers).c_str() : text.c_str(), stdout);
  if (csv_to_stdout && !context.quiet) std::fputs(text.c_str(), stderr);
  return exit_ok;
}

}  // namespace

void add_predict(CLI::App& program, Context& context) {
  CLI::App* command =
      program.add_subcommand("predict", "Let a trained network answer, and count what is right");
  const auto arguments = std::make_shared<PredictArguments>();
  command->add_option("RUN", arguments->run, "Folder that rheobase train wrote, or a checkpoint in it")
      ->type_name("");
  command->add_option("--data", arguments->data, "Folder of MNIST's files; those of the run when not given")
      ->type_name("DIR");
  command
      ->add_option(
          "--part", arguments->part,
          "train, validation or test; when not given test, or\nvalidation where images were held out")
      ->type_name("NAME");
  command
      ->add_option("--csv", arguments->csv,
                   "Write index, label and prediction into this file, or - for stdout")
      ->type_name("FILE");
  command->add_flag("--confusion", arguments->confusion, "Count each answer to each class");
  command->add_option("--threads", arguments->threads, "All cores when not given")->type_name("COUNT");
  command->add_option("--device", arguments->device, "cpu")->type_name("NAME");
  command->add_flag("--force", arguments->force, "Replace a file that exists");
  command->callback(
      [arguments, &context] { context.run = [arguments, &context] { return run(*arguments, context); }; });
}

}  // namespace rheo::app
