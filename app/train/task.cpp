#include "app/train/task.hpp"

#include "app/exit_code.hpp"
#include "rheo/core/nearest.hpp"
#include "rheo/data/mnist.hpp"
#include "rheo/data/randman.hpp"
#include "rheo/data/split.hpp"
#include "rheo/data/transforms.hpp"
#include "rheo/ops/error.hpp"

namespace rheo::app::train {
namespace {

constexpr std::int64_t evaluated_at_once = 250;

Data open_randman(const Recipe& recipe) {
  auto set = std::make_shared<const data::Randman>(data::RandmanOptions{
      .classes = recipe.classes,
      .units = recipe.units,
      .dimensions = recipe.dimensions,
      .alpha = recipe.alpha,
      .spikes = recipe.spikes,
      .steps = recipe.steps,
      .step_fraction = recipe.step_fraction,
      .samples = recipe.samples,
      .seed = static_cast<std::uint64_t>(recipe.data_seed),
      .spectrum = recipe.spectrum == "torch" ? data::Spectrum::torch : data::Spectrum::numpy});
  data::Split split = set->split();
  return {.set = std::move(set), .split = std::move(split)};
}

Data open_mnist(const Recipe& recipe, const std::string& folder) {
  Data data;
  try {
    data.where = data::find_mnist(folder).string();
  } catch (const RuntimeError& error) {
    throw Failure(error.what() + std::string(folder.empty() ? "; --data names another place" : ""));
  }
  auto set = std::make_shared<const data::Mnist>(data.where);
  data.split = set->split();
  data.note = set->note();
  const auto images = static_cast<std::int64_t>(data.split.train.size());
  if (recipe.validation >= images) {
    throw UsageError("validation must leave some of the " + std::to_string(images) +
                     " training images, got " + std::to_string(recipe.validation));
  }
  if (recipe.validation > 0) data.split = data::hold_out(std::move(data.split), recipe.validation);
  data.set = std::move(set);
  return data;
}

data::Transform augmentation(const Recipe& recipe) {
  const bool whole = recipe.shift == static_cast<double>(static_cast<std::int64_t>(recipe.shift));
  if (recipe.degrees > 0 || recipe.scale > 0 || !whole) {
    return data::random_affine({.degrees = recipe.degrees,
                                .scale_min = 1 - recipe.scale,
                                .scale_max = 1 + recipe.scale,
                                .shift = recipe.shift});
  }
  if (recipe.shift > 0) return data::random_shift(static_cast<std::int64_t>(recipe.shift));
  return {};
}

}  // namespace

Data open_data(const Recipe& recipe, const std::string& folder) {
  Data data = recipe.task == "mnist" ? open_mnist(recipe, folder) : open_randman(recipe);
  data.identity = recipe.task + ": " + std::to_string(data.split.train.size()) + " samples to learn, " +
                  std::to_string(data.split.validation.size()) + " to validate, " +
                  std::to_string(data.split.test.size()) + " to test";
  return data;
}

data::Loader training_loader(const Data& data, const Recipe& recipe) {
  return {data.set,
          data.split.train,
          {.batch_size = recipe.batch,
           .seed = static_cast<std::uint64_t>(recipe.seed),
           .transform = augmentation(recipe)}};
}

data::Loader loader_of(const Data& data, const std::vector<std::int64_t>& indices) {
  return {data.set, indices, {.batch_size = evaluated_at_once, .shuffle = false, .transform = {}}};
}

const char* judged_part(const Recipe& recipe) {
  return recipe.task == "mnist" && recipe.validation > 0 ? "validation" : "test";
}

const std::vector<std::int64_t>& part_of(const Data& data, const std::string& part) {
  if (part == "train") return data.split.train;
  if (part == "validation") return data.split.validation;
  if (part == "test") return data.split.test;
  constexpr std::string_view parts[] = {"train", "validation", "test"};
  const std::string_view guess = nearest_name(part, parts);
  throw UsageError("--part must be train, validation or test, got \"" + part + "\"" +
                   (guess.empty() ? "" : "; did you mean " + std::string(guess) + "?"));
}

}  // namespace rheo::app::train
