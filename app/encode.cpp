// rheobase encode ENCODER INPUT: numbers of an image or a CSV file become spikes.
#include "app/command.hpp"
#include "app/csv.hpp"
#include "app/encoder.hpp"
#include "app/encoding.hpp"
#include "app/exit_code.hpp"
#include "app/output.hpp"
#include "rheo/plot/figure.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace rheo::app {
namespace {

struct EncodeArguments {
  std::string encoder, file;
  std::optional<std::string> mnist, data, csv, plot;
  GivenOptions given;
  bool dense = false, force = false;
};

Image read_input(const EncodeArguments& arguments) {
  if (arguments.mnist) {
    if (!arguments.file.empty())
      throw UsageError("encode takes a file or --mnist, got both: \"" + arguments.file + "\"");
    return mnist_image(*arguments.mnist, arguments.data);
  }
  if (arguments.data) throw UsageError("--data is for --mnist");
  if (arguments.file.empty()) throw UsageError("encode needs a PNG image, a CSV file, or --mnist NUMBER");
  if (is_png(arguments.file)) return read_png(arguments.file);
  const Table table = read_csv("file", arguments.file);
  return {
      .height = table.rows(), .width = table.columns, .values = {table.values.begin(), table.values.end()}};
}

std::filesystem::path figure_path(const EncodeArguments& arguments) {
  if (!arguments.plot) return arguments.csv ? "" : "encode-" + arguments.encoder + ".svg";
  const std::string ending = std::filesystem::path(*arguments.plot).extension().string();
  if (ending != ".svg" && ending != ".png")
    throw UsageError("--plot must end in .svg or .png, got \"" + *arguments.plot + "\"");
  if (arguments.plot == arguments.csv)
    throw UsageError("--csv and --plot must be two files, got \"" + *arguments.csv + "\" for both");
  return *arguments.plot;
}

int run(const EncodeArguments& arguments, const Context& context) {
  if (arguments.encoder.empty()) throw UsageError("encode needs an encoder: " + encoder_names());
  check_encoder(arguments.encoder, arguments.given);
  if (arguments.dense && !arguments.csv) throw UsageError("--dense is for --csv");
  const auto figure = figure_path(arguments);
  const Image input = read_input(arguments);

  std::optional<AtomicFile> csv_file, figure_file;
  const bool csv_to_stdout = arguments.csv == "-";
  if (arguments.csv && !csv_to_stdout) csv_file.emplace("--csv", *arguments.csv, arguments.force);
  if (!figure.empty())
    figure_file.emplace(arguments.plot ? "--plot" : "figure", figure, arguments.force || !arguments.plot);

  const Encoded encoded = encode(arguments.encoder, input, arguments.given);
  if (!encoded.note.empty()) context.note("note: " + encoded.note);
  const auto spikes = spikes_of(encoded.spk);
  const std::string text = summary(encoded, spikes);
  if (csv_file) {
    csv_file->write(to_csv(encoded.spk, spikes, arguments.dense));
    csv_file->commit();
    context.note("wrote " + *arguments.csv);
  }
  std::string no_figure;
  if (figure_file) {
    const auto of = arguments.mnist ? "MNIST's image " + *arguments.mnist
                                    : std::filesystem::path(arguments.file).filename().string();
    try {
      const auto drawing = to_figure(encoded, spikes, arguments.encoder + " code of " + of);
      figure_file->write(figure.extension() == ".png" ? plot::to_png(drawing) : plot::to_svg(drawing));
      figure_file->commit();
      context.note("wrote " + figure.string());
    } catch (const plot::Error& error) {  // the numbers still come
      no_figure = error.what();
    }
  }
  std::fputs(csv_to_stdout ? to_csv(encoded.spk, spikes, arguments.dense).c_str() : text.c_str(), stdout);
  if (csv_to_stdout && !context.quiet) std::fputs(text.c_str(), stderr);
  if (!no_figure.empty()) {
    if (arguments.plot) throw Failure(no_figure);
    context.note("no figure: " + no_figure);
  }
  return exit_ok;
}

}  // namespace

void add_encode(CLI::App& program, Context& context) {
  CLI::App* command =
      program.add_subcommand("encode", "Turn an image or a table of numbers into spikes, and draw them");
  const auto arguments = std::make_shared<EncodeArguments>();
  command->add_option("ENCODER", arguments->encoder, encoder_names())->type_name("");
  command
      ->add_option("FILE", arguments->file,
                   "A PNG image, grey values from 0 black to 1 white, or a CSV file.\n"
                   "For delta, delta-modulation and --over-time its rows are steps")
      ->type_name("");
  command->add_option("--mnist", arguments->mnist, "Instead of a file: MNIST's image of this number")
      ->type_name("NUMBER");
  command->add_option("--data", arguments->data, "Folder of MNIST's files")->type_name("DIR");
  for (const EncoderOption& option : encoder_options()) {
    const std::string name(option.name);
    const std::string help =
        (option.encoders == all_encoders() ? "" : "[" + std::string(option.encoders) + "] ") +
        std::string(option.help);
    if (option.type.empty()) {
      command->add_flag_function(
          "--" + name, [arguments, name](std::int64_t) { arguments->given[name]; }, help);
    } else {
      command
          ->add_option_function<std::string>(
              "--" + name, [arguments, name](const std::string& text) { arguments->given[name] = text; },
              help)
          ->type_name(std::string(option.type));
    }
  }
  command
      ->add_option("--csv", arguments->csv,
                   "Write a line step,neuron,spk for every spike into this file, or to\nstdout with -")
      ->type_name("FILE");
  command->add_flag("--dense", arguments->dense, "A row per step and a column per neuron instead");
  command
      ->add_option("--plot", arguments->plot,
                   "Draw into this file, .svg or .png. Without --plot and --csv:\nencode-ENCODER.svg")
      ->type_name("FILE");
  command->add_flag("--force", arguments->force, "Replace files that exist");
  command->footer(
      std::string("Neurons are numbered as the values stand in the input, row by row; population has several "
                  "for each.\n\n"
                  "Examples:\n"
                  "  rheobase encode rate --mnist 7 --gain 0.5 --plot raster.svg\n"
                  "  rheobase encode latency photo.png --linear --normalize --steps 50 --csv spikes.csv\n"
                  "  rheobase encode delta-modulation signal.csv --threshold 0.05 --csv - --dense\n\n") +
      exit_code_help);
  command->callback(
      [arguments, &context] { context.run = [arguments, &context] { return run(*arguments, context); }; });
}

}  // namespace rheo::app
