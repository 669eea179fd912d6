// rheobase tutorial NUMBER: every experiment of a tutorial, as numbers on stdout and as a page with figures.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "app/command.hpp"
#include "app/exit_code.hpp"
#include "app/numbers.hpp"
#include "app/output.hpp"
#include "app/tutorial/costs.hpp"
#include "app/tutorial/figures.hpp"
#include "app/tutorial/page.hpp"
#include "app/tutorial/report.hpp"

namespace rheo::app {
namespace {

struct TutorialArguments {
  std::string number;
  std::string out = "tutorial-2";
  std::string seed = "0";
  bool force = false;
};

constexpr const char* which = "there is 2, the leaky integrate-and-fire neuron";

struct Drawing {
  std::string name, svg, png;
};

/// All figures, or none and the reason.
std::pair<std::vector<Drawing>, std::string> draw(const tutorial::Experiments& all, const Context& context) {
  std::vector<Drawing> drawings;
  const std::vector<tutorial::NamedFigure> figures = tutorial::figures(all);
  context.note("drawing " + std::to_string(figures.size()) + " figures");
  try {
    for (const auto& [name, figure] : figures) {
      auto png = std::async(std::launch::async, [&figure = figure] { return plot::to_png(figure); });
      std::string svg = plot::to_svg(figure);
      drawings.push_back({name, std::move(svg), png.get()});
    }
  } catch (const plot::Error& error) {
    return {{}, error.what()};
  }
  return {std::move(drawings), ""};
}

int run(const TutorialArguments& arguments, const Context& context) {
  if (arguments.number.empty()) throw UsageError(std::string("tutorial needs a number: ") + which);
  if (arguments.number != "2") {
    throw UsageError("there is no tutorial " + arguments.number + " yet: " + which);
  }
  if (arguments.out.empty()) throw UsageError("--out must name a folder, got \"\"");
  const std::uint64_t seed = whole_number("--seed", arguments.seed);
  OutputFolder folder("--out", arguments.out, arguments.force);

  context.note("running the experiments");
  const tutorial::Experiments all = tutorial::run_experiments({.seed = seed});
  const std::vector<tutorial::Section> sections = tutorial::report(all);
  std::fputs(tutorial::to_text(sections, seed).c_str(), stdout);
  std::fflush(stdout);  // before the notes that follow

  // Everything is made before anything is written, and the page, which needs nothing beside it, comes last.
  const auto [drawings, no_figures] = draw(all, context);
  const auto& input = all.random_subtract.input;
  tutorial::PageParts parts{
      .sections = sections,
      .svg = {},
      .nanoseconds = tutorial::measured_times(),
      .seed = seed,
      .input_spikes = input.size() - static_cast<std::size_t>(std::count(input.begin(), input.end(), 0.0F)),
      .version = RHEO_PROGRAM_VERSION};
  for (const Drawing& drawing : drawings) parts.svg[drawing.name] = drawing.svg;
  const std::string page = tutorial::page(parts);
  for (const Drawing& drawing : drawings) {
    write_file(folder / (drawing.name + ".svg"), drawing.svg);
    write_file(folder / (drawing.name + ".png"), drawing.png);
  }
  write_file(folder / "index.html", page);
  context.note("wrote " + (folder / "index.html").string());
  if (!no_figures.empty()) throw Failure(no_figures + "; the numbers are complete, the page has no figures");
  return exit_ok;
}

}  // namespace

void add_tutorial(CLI::App& program, Context& context) {
  CLI::App* command =
      program.add_subcommand("tutorial", "Every experiment of a tutorial: numbers, figures, one HTML page");
  const auto arguments = std::make_shared<TutorialArguments>();
  command->add_option("number", arguments->number, std::string("Which tutorial: ") + which)
      ->type_name("NUMBER");
  command->add_option("--out", arguments->out, "Folder for index.html and the figures as SVG and PNG")
      ->type_name("DIR")
      ->capture_default_str();
  command->add_option("--seed", arguments->seed, "Draws the random input spikes")
      ->type_name("N")
      ->capture_default_str();
  command->add_flag("--force", arguments->force, "Write into a folder that holds something");
  command->footer(
      std::string(
          "Without gnuplot the numbers and the page still come, the page without figures; the exit code is "
          "then 1.\n") +
      exit_code_help);
  command->callback(
      [arguments, &context] { context.run = [arguments, &context] { return run(*arguments, context); }; });
}

}  // namespace rheo::app
