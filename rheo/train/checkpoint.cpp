#include "rheo/train/checkpoint.hpp"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <torch/headeronly/version.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <functional>
#include <string_view>

#include "rheo/io/safetensors.hpp"
#include "rheo/nn/registry.hpp"
#include "rheo/ops/error.hpp"
#include "rheo/ops/product.hpp"

namespace rheo::train {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

constexpr std::string_view format = "rheobase checkpoint";
constexpr int newest = 1;
constexpr std::string_view model_prefix = "model.", optimizer_prefix = "optimizer.",
                           random_name = "random.cpu";
constexpr std::string_view about_prefix = "about.", environment_prefix = "environment.";

// JSON has no exact doubles, no infinity and no NaN: the shortest text that reads back as the same bits has.
std::string text(double value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  return {buffer, end};
}

double number(const Json& value) {
  const std::string digits = value.get<std::string>();
  double out = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
  if (error != std::errc() || end != digits.data() + digits.size())
    throw RuntimeError("'" + digits + "' is no number");
  return out;
}

Json to_json(const Metrics& m) {
  Json json{{"epoch", m.epoch},
            {"learning_rate", text(m.learning_rate)},
            {"train_loss", text(m.train_loss)},
            {"train_accuracy", text(m.train_accuracy)}};
  if (m.validation_loss) json["validation_loss"] = text(*m.validation_loss);
  if (m.validation_accuracy) json["validation_accuracy"] = text(*m.validation_accuracy);
  return json;
}

Metrics to_metrics(const Json& json) {
  Metrics m{json.at("epoch").get<std::int64_t>(), number(json.at("learning_rate")),
            number(json.at("train_loss")), number(json.at("train_accuracy"))};
  if (json.contains("validation_loss")) m.validation_loss = number(json["validation_loss"]);
  if (json.contains("validation_accuracy")) m.validation_accuracy = number(json["validation_accuracy"]);
  return m;
}

std::string state_text(const Checkpoint& c) {
  Json history = Json::array(), groups = Json::array();
  for (const Metrics& m : c.history) history.push_back(to_json(m));
  for (const auto& group : c.optimizer.groups) {
    Json options = Json::object();
    for (const auto& [name, value] : group) options[name] = text(value);
    groups.push_back(std::move(options));
  }
  return Json{
      {"epoch", c.epoch},
      {"batch", c.batch},
      {"step", c.step},
      {"loss_sum", text(c.loss_sum)},
      {"correct", c.correct},
      {"samples", c.samples},
      {"history", std::move(history)},
      {"best", {{"value", text(c.best.best)}, {"epoch", c.best.best_epoch}, {"waited", c.best.waited}}},
      {"loader",
       {{"seed", c.loader.seed},
        {"samples", c.loader.samples},
        {"batch_size", c.loader.batch_size},
        {"shuffle", c.loader.shuffle},
        {"drop_last", c.loader.drop_last}}},
      {"optimizer", {{"kind", c.optimizer.kind}, {"groups", std::move(groups)}}}}
      .dump();
}

void read_state(const std::string& state, Checkpoint& c) {
  const Json json = Json::parse(state);
  c.epoch = json.at("epoch").get<std::int64_t>();
  c.batch = json.at("batch").get<std::int64_t>();
  c.step = json.at("step").get<std::int64_t>();
  c.loss_sum = number(json.at("loss_sum"));
  c.correct = json.at("correct").get<std::int64_t>();
  c.samples = json.at("samples").get<std::int64_t>();
  if (c.epoch < 0 || c.batch < 0 || c.step < 0) throw RuntimeError("a counter is negative");
  for (const Json& m : json.at("history")) c.history.push_back(to_metrics(m));
  const Json& best = json.at("best");
  c.best.best = number(best.at("value"));
  c.best.best_epoch = best.at("epoch").get<std::int64_t>();
  c.best.waited = best.at("waited").get<std::int64_t>();
  const Json& loader = json.at("loader");
  c.loader = {loader.at("seed").get<std::uint64_t>(), loader.at("samples").get<std::int64_t>(),
              loader.at("batch_size").get<std::int64_t>(), loader.at("shuffle").get<bool>(),
              loader.at("drop_last").get<bool>()};
  c.optimizer.kind = json.at("optimizer").at("kind").get<std::string>();
  for (const Json& group : json.at("optimizer").at("groups")) {
    auto& options = c.optimizer.groups.emplace_back();
    for (const auto& [name, value] : group.items()) options[name] = number(value);
  }
}

std::string with_prefix(std::string_view prefix, const std::string& name) {
  return std::string(prefix) + name;
}

std::string shape_text(const at::Tensor& tensor) {
  return c10::str(tensor.scalar_type(), " ", tensor.sizes());
}

}  // namespace

void write_checkpoint(const fs::path& path, const Checkpoint& c) {
  io::TensorFile file;
  file.metadata["format"] = std::string(format);
  file.metadata["version"] = std::to_string(newest);
  file.metadata["state"] = state_text(c);
  for (const auto& [key, value] : c.about) file.metadata[with_prefix(about_prefix, key)] = value;
  for (const auto& [key, value] : c.environment) file.metadata[with_prefix(environment_prefix, key)] = value;
  for (const auto& [name, tensor] : c.model)
    file.tensors.emplace_back(with_prefix(model_prefix, name), tensor);
  for (const auto& [name, tensor] : c.optimizer.tensors) {
    file.tensors.emplace_back(with_prefix(optimizer_prefix, name), tensor);
  }
  if (c.random.defined()) file.tensors.emplace_back(std::string(random_name), c.random);
  io::write_tensors(path, file);
}

Checkpoint read_checkpoint(const fs::path& path) {
  io::TensorFile file = io::read_tensors(path);
  const auto fail = [&](const std::string& what) {
    throw RuntimeError("[read_checkpoint] " + path.string() + " " + what);
  };
  if (file.metadata["format"] != format)
    fail("must be a checkpoint of Rheobase, got another safetensors file");
  const std::string& version_text = file.metadata["version"];
  int version_number = 0;
  const auto [end, error] =
      std::from_chars(version_text.data(), version_text.data() + version_text.size(), version_number);
  if (error != std::errc() || end != version_text.data() + version_text.size() || version_number < 1) {
    fail("must say the version of its format, got '" + version_text + "'");
  }
  if (version_number > newest) {
    fail("must be of format version " + std::to_string(newest) + " to be read by Rheobase " + version() +
         ", got the newer version " + version_text);
  }
  Checkpoint c;
  try {
    read_state(file.metadata["state"], c);
  } catch (const std::exception& wrong) {
    fail(std::string("must hold the state of a training run, got something else: ") + wrong.what());
  }
  for (const auto& [key, value] : file.metadata) {
    if (key.starts_with(about_prefix)) c.about[key.substr(about_prefix.size())] = value;
    if (key.starts_with(environment_prefix)) c.environment[key.substr(environment_prefix.size())] = value;
  }
  for (auto& [name, tensor] : file.tensors) {
    if (name.starts_with(model_prefix)) {
      c.model.emplace_back(name.substr(model_prefix.size()), tensor);
    } else if (name.starts_with(optimizer_prefix)) {
      c.optimizer.tensors.emplace_back(name.substr(optimizer_prefix.size()), tensor);
    } else if (name == random_name) {
      c.random = tensor;
    } else {
      fail("must hold model, optimizer and random state, got a tensor '" + name + "'");
    }
  }
  return c;
}

NamedTensors model_tensors(const torch::nn::Module& module) {
  NamedTensors out;
  for (const auto& item : module.named_parameters()) out.emplace_back(item.key(), item.value());
  for (const auto& item : module.named_buffers()) out.emplace_back(item.key(), item.value());
  return out;
}

void load_model(torch::nn::Module& module, const Checkpoint& checkpoint) {
  std::map<std::string_view, at::Tensor> saved(checkpoint.model.begin(), checkpoint.model.end());
  const NamedTensors present = model_tensors(module);
  for (const auto& [name, tensor] : present) {
    const auto found = saved.find(name);
    if (found == saved.end()) {
      throw ValueError("[load_model] '" + name + "' of the module must be in the checkpoint, got none");
    }
    if (found->second.sizes() != tensor.sizes() || found->second.scalar_type() != tensor.scalar_type()) {
      throw ValueError("[load_model] '" + name + "' must be " + shape_text(tensor) +
                       " as in the module, got " + shape_text(found->second));
    }
  }
  for (const auto& [name, tensor] : checkpoint.model) {
    const bool known =
        std::any_of(present.begin(), present.end(), [&, &n = name](const auto& p) { return p.first == n; });
    if (!known)
      throw ValueError("[load_model] '" + name + "' of the checkpoint must be in the module, got none");
  }
  const at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : present) at::Tensor(tensor).copy_(saved.at(name));
}

std::map<std::string, std::string> environment() {
  return {{"rheobase", version()},
          {"libtorch", TORCH_VERSION},
          {"instruction_set", instruction_set()},
          {"threads", std::to_string(at::get_num_threads())},
          {"product", ops::product_library()}};
}

std::vector<std::string> differences(const std::map<std::string, std::string>& saved,
                                     const std::map<std::string, std::string>& present) {
  const auto value = [](const std::map<std::string, std::string>& all, const std::string& name) {
    const auto found = all.find(name);
    return found == all.end() ? std::string("unknown") : found->second;
  };
  std::map<std::string, std::string> names = saved;
  names.insert(present.begin(), present.end());
  std::vector<std::string> lines;
  for (const auto& [name, unused] : names) {
    const std::string then = value(saved, name), now = value(present, name);
    if (then != now) lines.push_back(name + ": " + then + " then, " + now + " now");
  }
  return lines;
}

}  // namespace rheo::train
