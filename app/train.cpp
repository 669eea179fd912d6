// rheobase train TASK: a spiking network learns; its folder says how.
#include "app/command.hpp"
#include "app/exit_code.hpp"
#include "app/numbers.hpp"
#include "app/train/session.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace rheo::app {
namespace {

using train::TrainArguments;

struct Typed {
  TrainArguments arguments;
  // Options that are fields of the recipe by another name.
  std::optional<std::string> epochs, batch, lr, beta, surrogate, seed;
  bool validation = false, fields = false;
};

constexpr const char* held_out = "1000";  // by --validation

int print_fields(const std::string& asked) {
  for (const std::string_view task : train::tasks()) {
    if (!asked.empty() && asked != task) continue;
    const train::Recipe recipe = train::default_recipe(task, "default");
    std::printf("%s\n", std::string(task).c_str());
    for (const train::Field* field : train::fields_of(task)) {
      std::string choices;
      for (const std::string_view choice : split(field->choices, '|'))
        if (!choice.empty()) choices += (choices.empty() ? "" : " | ") + std::string(choice);
      const std::string meaning(field->meaning);
      std::printf("  %-18s %-16s %s%s%s\n", std::string(field->name).c_str(),
                  train::to_text(train::get_field(recipe, *field)).c_str(), meaning.c_str(),
                  meaning.empty() || choices.empty() ? "" : ": ", choices.c_str());
    }
  }
  return exit_ok;
}

std::string firing_line(const train::RunReport& report) {
  std::string line = "Firing:";
  for (const train::Firing& firing : report.firing) {
    line += std::string(line.ends_with(':') ? " " : ", ") + firing.layer + " " + rounded(firing.rate);
  }
  return line + " spikes per neuron and step";
}

int run(const Typed& typed, const Context& context) {
  TrainArguments arguments = typed.arguments;
  if (typed.fields) {
    if (!arguments.task.empty()) (void)train::default_recipe(arguments.task, "default");
    return print_fields(arguments.task);
  }
  const auto add = [&](const char* option, const std::optional<std::string>& value) {
    if (value) arguments.fields.emplace_back(option, *value);
  };
  add("--epochs", typed.epochs);
  add("--batch", typed.batch);
  add("--lr", typed.lr);
  add("--beta", typed.beta);
  add("--surrogate", typed.surrogate);
  add("--seed", typed.seed);
  if (typed.validation) arguments.fields.emplace_back("--validation", held_out);
  if (arguments.resume && arguments.task.empty() && arguments.out) {
    arguments.task = train::open_run(*arguments.out).recipe.task;
  }

  train::Session session(train::read_request(arguments),
                         [&context](std::string_view text) { context.note(text); });
  int signal = 0;
  {
    train::ProgressDisplay display(context.quiet);
    signal = session.learn(display);
  }
  if (signal != 0) {
    context.note("go on with: " + session.how_to_go_on());
    return 128 + signal;
  }
  const train::RunReport report = session.judge();
  session.write(report);
  std::printf("%s\n%s\nWritten: %s\n", train::result_line(report).c_str(), firing_line(report).c_str(),
              (session.folder() / train::file_name::page).c_str());
  return exit_ok;
}

}  // namespace

void add_train(CLI::App& program, Context& context) {
  CLI::App* command = program.add_subcommand("train", "Train a spiking network: randman (no files), mnist");
  const auto typed = std::make_shared<Typed>();
  TrainArguments& to = typed->arguments;
  command->add_option("TASK", to.task, "randman: spike timing, made here; mnist: handwritten digits")
      ->type_name("");
  command->add_option("--recipe", to.recipe, "default, or for mnist tutorial: snnTorch's tutorial 5")
      ->type_name("NAME");
  command->add_option("--epochs", typed->epochs, "Passes over the training samples")->type_name("COUNT");
  command->add_option("--batch", typed->batch, "Samples of a step of the optimizer")->type_name("COUNT");
  command->add_option("--lr", typed->lr, "Learning rate")->type_name("NUMBER");
  command->add_option("--beta", typed->beta, "Decay of the membrane per step")->type_name("NUMBER");
  command->add_option("--surrogate", typed->surrogate, "As atan or fast_sigmoid:slope=10")->type_name("NAME");
  command->add_option("--seed", typed->seed, "Of first weights and order of the samples; 0 when not given")
      ->type_name("NUMBER");
  command
      ->add_option("--set", to.set,
                   "Any field of the recipe, as dropout=0.2. May be repeated;\n--fields lists them")
      ->type_name("FIELD=VALUE")
      ->allow_extra_args(false);
  command->add_flag("--fields", typed->fields, "List the fields of the recipes with their defaults");
  command->add_flag("--validation", typed->validation,
                    "mnist: hold 1000 training images out and score those, never\nthe test images");
  command->add_option("--data", to.data, "Folder of MNIST's files; else $RHEOBASE_DATA/mnist, data/mnist")
      ->type_name("DIR");
  command->add_option("--config", to.config, "TOML file of fields; the command line wins over it")
      ->type_name("FILE");
  command->add_option("--threads", to.threads, "All cores when not given")->type_name("COUNT");
  command->add_option("--device", to.device, "cpu")->type_name("NAME");
  command->add_option("--out", to.out, "Folder of the run; runs/TASK when not given")->type_name("DIR");
  command->add_flag("--resume", to.resume, "Go on with the run in the folder, bit for bit");
  command->add_flag("--force", to.force, "Begin anew in a folder that holds a run");
  command->footer(
      std::string("Ctrl-C stops after the batch and saves; a second one stops at once.\n\n"
                  "Examples:\n"
                  "  rheobase train randman\n"
                  "  rheobase train mnist --recipe tutorial --epochs 1 --out runs/tutorial\n"
                  "  rheobase train mnist --resume\n"
                  "  rheobase train --config runs/mnist/config.toml --seed 1 --out runs/mnist-1\n\n") +
      exit_code_help);
  command->callback([typed, &context] { context.run = [typed, &context] { return run(*typed, context); }; });
}

}  // namespace rheo::app
