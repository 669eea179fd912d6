// rheobase neurons [NAME]: the neurons there are; of one of them everything it says about itself. --out: all of them as a
// page with pictures. --markdown: the same as docs/neurons.md.
#include "app/command.hpp"
#include "app/exit_code.hpp"
#include "app/neurons/description.hpp"
#include "app/neurons/page.hpp"
#include "app/output.hpp"
#include "rheo/core/nearest.hpp"
#include "rheo/nn/registry.hpp"
#include "rheo/plot/figure.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rheo::app {
namespace {

using namespace neurons;

struct NeuronsArguments {
  std::string name;
  std::optional<std::string> out;
  bool markdown = false;
  bool force = false;
};

/// Rows of words, as wide as the widest of each column.
void print_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t k = 0; k < row.size(); ++k) widths[k] = std::max(widths[k], row[k].size());
  }
  for (const auto& row : rows) {
    std::string line = " ";
    for (std::size_t k = 0; k < row.size(); ++k) {
      line += " " + row[k];
      if (k + 1 < row.size()) line += std::string(widths[k] - row[k].size() + 1, ' ');
    }
    while (line.ends_with(' ')) line.pop_back();
    std::printf("%s\n", line.c_str());
  }
}

std::vector<std::vector<std::string>> parameter_rows(const NeuronDescription& n) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& p : n.params) {
    rows.push_back(
        {p.name, default_of(p), unit_of(p.unit), p.domain, p.learnable ? "learnable" : "", p.meaning});
  }
  return rows;
}

int print_list() {
  std::vector<std::vector<std::string>> rows;
  for (const auto& n : list_neurons()) rows.push_back({n.name, n.brief});
  for (const auto& n : list_layers()) rows.push_back({n.name, n.brief});
  print_table(rows);
  std::printf(
      "\nrheobase neurons NAME says everything about one, --out DIR makes a page of all with pictures.\n");
  return exit_ok;
}

int print_one(const NeuronDescription& n) {
  std::printf("%s\n\n", n.name.c_str());
  std::printf("%s\n", n.text.c_str());
  std::printf("\nParameters\n");
  print_table(parameter_rows(n));
  for (const auto& m : n.modes)
    std::printf("  %s: %s; %s\n", m.name.c_str(), joined(m.choices).c_str(), m.meaning.c_str());
  if (!n.states.empty()) std::printf("\nStates\n");
  std::vector<std::vector<std::string>> states;
  for (const auto& s : n.states) states.push_back({s.name, unit_of(s.unit), s.meaning});
  print_table(states);
  std::printf("\nInput: %s%s\n", n.input.c_str(),
              unit_of(n.input_unit).empty() ? "" : (" in " + n.input_unit).c_str());
  for (const auto& line : remarks(n)) std::printf("%s\n", line.c_str());
  return exit_ok;
}

int find_and_print(const std::string& name) {
  std::vector<std::string> names;
  for (const auto* list : {&list_neurons(), &list_layers()}) {
    for (const auto& n : *list) {
      if (edit_distance(n.name, name) == 0) return print_one(n);  // whatever the case
      names.push_back(n.name);
    }
  }
  const std::string_view guess = nearest_name(name, names);
  throw UsageError("unknown neuron \"" + name + "\"; " +
                   (guess.empty() ? "known: " + joined(names) : "did you mean " + std::string(guess) + "?"));
}

/// index.html; or neurons.md and a picture for each in neurons/. The text, which names the pictures, comes last.
int write_pages(const NeuronsArguments& arguments, const Context& context) {
  OutputFolder folder("--out", *arguments.out, arguments.force);
  context.note("asking the neurons what they do");
  std::vector<Entry> entries = measure();
  context.note("drawing " + std::to_string(entries.size()) + " pictures");
  std::string no_figures;
  try {
    draw(entries);
  } catch (const plot::Error& error) {
    no_figures = error.what();
    for (Entry& entry : entries) entry.picture.clear();
  }
  if (arguments.markdown && !no_figures.empty()) throw Failure(no_figures);
  const std::string text = arguments.markdown ? markdown(entries) : html(entries, RHEO_PROGRAM_VERSION);
  if (arguments.markdown) {
    std::filesystem::create_directories(folder / "neurons");
    for (const Entry& entry : entries) {
      if (entry.response) write_file(folder / picture_path(entry.subject.description.name), entry.picture);
    }
  }
  const auto file = folder / (arguments.markdown ? "neurons.md" : "index.html");
  write_file(file, text);
  context.note("wrote " + file.string());
  if (!no_figures.empty()) throw Failure(no_figures + "; the page is complete but for its pictures");
  return exit_ok;
}

int run(const NeuronsArguments& arguments, const Context& context) {
  const auto for_all = [&](const char* option) {
    if (!arguments.name.empty())
      throw UsageError(std::string(option) + " is for all neurons, not for \"" + arguments.name + "\"");
  };
  if (arguments.markdown) for_all("--markdown");
  if (arguments.out) for_all("--out");
  if (arguments.force && !arguments.out) throw UsageError("--force is for --out, which is not given");
  if (arguments.out) return write_pages(arguments, context);
  if (arguments.markdown) {
    std::fputs(markdown(measure()).c_str(), stdout);
    return exit_ok;
  }
  return arguments.name.empty() ? print_list() : find_and_print(arguments.name);
}

}  // namespace

void add_neurons(CLI::App& program, Context& context) {
  CLI::App* command =
      program.add_subcommand("neurons", "The neurons there are; with a name, its equations and parameters");
  const auto arguments = std::make_shared<NeuronsArguments>();
  command->add_option("NEURON", arguments->name, "Its name")->type_name("");
  command
      ->add_option("--out", arguments->out,
                   "Folder for index.html: all neurons, each with what it does\nduring a pulse and against "
                   "constant input")
      ->type_name("DIR");
  command->add_flag(
      "--markdown", arguments->markdown,
      "The page as Markdown, to stdout; with --out as neurons.md,\nwith the pictures in neurons/");
  command->add_flag("--force", arguments->force, "Write into a folder that holds something");
  command->footer(std::string("Without gnuplot the page comes without pictures; the exit code is then 1.\n") +
                  exit_code_help);
  command->callback(
      [arguments, &context] { context.run = [arguments, &context] { return run(*arguments, context); }; });
}

}  // namespace rheo::app
