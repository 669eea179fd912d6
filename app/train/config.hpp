// What a run is told: by its recipe, a TOML file, and the command line, which wins.
//   Request request = read_request(arguments);
#pragma once

#include "app/train/recipe.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace rheo::app::train {

/// A field as somebody gave it, with what to call it in an error: "--lr", "--config run.toml".
struct GivenField {
  std::string where, name;
  FieldValue value;
};

/// The command line as it was typed.
struct TrainArguments {
  std::string task = {};
  std::optional<std::string> recipe = {}, out = {}, data = {}, device = {}, threads = {}, config = {};
  std::vector<std::pair<std::string, std::string>> fields = {};  // ("--lr", "1e-3"), in order
  std::vector<std::string> set = {};                             // "lr=1e-3"
  bool force = false, resume = false;
};

/// A run before its data is opened. File and command line are merged.
struct Request {
  Recipe recipe;
  std::vector<GivenField> given = {};
  std::filesystem::path out = {};
  std::string data = {};
  int threads = 0;  // 0: not given
  bool force = false, resume = false;
};

/// Errors: UsageError for what makes no sense, Failure for a file that cannot be read.
Request read_request(const TrainArguments& arguments);

/// Of an option of the commands that run a network.
void set_threads(int threads);
int read_threads(std::string_view where, const std::string& text);
/// UsageError for anything but "cpu".
void check_device(std::string_view where, const std::string& device);

}  // namespace rheo::app::train
