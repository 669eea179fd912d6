#include "rheo/data/split.hpp"

#include "rheo/core/random.hpp"
#include "rheo/data/detail/numpy_choice.hpp"
#include "rheo/data/detail/streams.hpp"
#include "rheo/ops/error.hpp"
#include "rheo/ops/refuse.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstddef>
#include <fstream>
#include <numeric>
#include <string>
#include <system_error>
#include <unordered_set>
#include <utility>

namespace rheo::data {
namespace {

constexpr const char* list_names[] = {"train", "validation", "test"};

auto lists_of(auto& split) { return std::array{&split.train, &split.validation, &split.test}; }

[[noreturn]] void fail(const char* op, const std::filesystem::path& file, const std::string& text) {
  throw RuntimeError(std::string("[") + op + "] " + file.string() + ": " + text);
}

void append(std::string& text, const char* name, const std::vector<std::int64_t>& list) {
  constexpr std::size_t per_line = 20;
  text += std::string(text.size() > 1 ? ",\n\"" : "\n\"") + name + "\": [";
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (i > 0) text += i % per_line == 0 ? ",\n" : ", ";
    text += std::to_string(list[i]);
  }
  text += "]";
}

}  // namespace

std::vector<std::int64_t> permutation(std::int64_t size, std::uint64_t seed, std::uint64_t stream) {
  if (size < 0) throw ValueError("[permutation] size must be at least 0, got " + std::to_string(size));
  std::vector<std::int64_t> order(static_cast<std::size_t>(size));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  const CounterRandom random{.seed = seed, .step = stream};
  for (std::size_t i = order.size(); i-- > 1;) {
    const PhiloxBlock words = random.block(i / 2);
    const std::size_t first = i % 2 * 2;
    const std::uint64_t r = words.word[first] | std::uint64_t{words.word[first + 1]} << 32;
    std::swap(order[i], order[r % (i + 1)]);
  }
  return order;
}

Split random_split(std::int64_t size, std::array<double, 3> parts, std::uint64_t seed) {
  double sum = 0;
  for (const double part : parts) {
    if (!(part >= 0)) {
      throw ValueError("[random_split] parts must be at least 0, got " + std::to_string(part));
    }
    sum += part;
  }
  if (!(std::abs(sum - 1) < 1e-9)) {
    throw ValueError("[random_split] parts must add up to 1, got " + std::to_string(sum));
  }
  const std::vector<std::int64_t> order = permutation(size, seed, detail::split_stream);
  const auto whole = [&](double part) { return std::llround(static_cast<double>(size) * part); };
  const auto train = order.begin() + std::min<std::int64_t>(whole(parts[0]), size);
  const auto validation = train + std::min<std::int64_t>(whole(parts[1]), order.end() - train);
  return {{order.begin(), train}, {train, validation}, {validation, order.end()}};
}

Split hold_out(Split split, std::int64_t count, std::uint64_t seed) {
  const auto size = static_cast<std::int64_t>(split.train.size());
  if (count < 0 || count > size) {
    throw ValueError("[hold_out] count must be 0 to " + std::to_string(size) +
                     ", the samples for training, got " + std::to_string(count));
  }
  std::vector<bool> held(split.train.size());
  const std::vector<std::int64_t> order = permutation(size, seed, detail::hold_out_stream);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto place = static_cast<std::size_t>(order[static_cast<std::size_t>(i)]);
    held[place] = true;
    split.validation.push_back(split.train[place]);
  }
  std::vector<std::int64_t> kept;
  kept.reserve(static_cast<std::size_t>(size - count));
  for (std::size_t i = 0; i < held.size(); ++i) {
    if (!held[i]) kept.push_back(split.train[i]);
  }
  split.train = std::move(kept);
  return split;
}

std::vector<std::int64_t> data_subset(std::vector<std::int64_t> samples, std::int64_t subset,
                                      std::int64_t idx) {
  if (idx < 0) ops::refuse("data_subset", "idx must not be negative, got ", idx);
  if (subset <= 1) return samples;
  const auto size = static_cast<std::int64_t>(samples.size());
  const std::int64_t part = size / subset;
  if (part == 0 || idx > size / part) return {};
  const auto first = samples.begin() + part * idx;
  return {first, first + std::min<std::int64_t>(part, samples.end() - first)};
}

std::vector<std::int64_t> data_subset(std::int64_t size, std::int64_t subset, std::int64_t idx) {
  if (size < 0) ops::refuse("data_subset", "size must not be negative, got ", size);
  std::vector<std::int64_t> samples(static_cast<std::size_t>(size));
  std::iota(samples.begin(), samples.end(), std::int64_t{0});
  return data_subset(std::move(samples), subset, idx);
}

Split valid_split(std::int64_t size, double split, std::uint64_t seed) {
  constexpr auto op = "valid_split";
  if (size < 0 || size > UINT32_MAX) ops::refuse(op, "size must be from 0 to ", UINT32_MAX, ", got ", size);
  if (!(split >= 0 && split <= 1)) ops::refuse(op, "split must be within [0, 1], got ", split);
  const auto held = static_cast<std::int64_t>(static_cast<double>(size) * split);
  Split out{.train = detail::numpy_choice(size, size - held, seed), .validation = {}, .test = {}};
  std::vector<bool> trains(static_cast<std::size_t>(size));
  for (const std::int64_t i : out.train) trains[static_cast<std::size_t>(i)] = true;
  for (std::int64_t i = 0; i < size; ++i) {
    if (!trains[static_cast<std::size_t>(i)]) out.validation.push_back(i);
  }
  return out;
}

Split read_split(const std::filesystem::path& file) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) {
    fail("read_split", file, "must be a file that exists");
  }
  std::ifstream stream(file, std::ios::binary);
  if (!stream) fail("read_split", file, "cannot be read: " + std::generic_category().message(errno));
  nlohmann::json json;
  try {
    json = nlohmann::json::parse(stream);
  } catch (const nlohmann::json::exception& e) {
    fail("read_split", file, std::string("must be JSON, got ") + e.what());
  }
  if (!json.is_object())
    fail("read_split", file, "must be a JSON object, got " + std::string(json.type_name()));

  Split split;
  std::unordered_set<std::int64_t> seen;
  for (const auto& [name, list] : json.items()) {
    const auto known = std::find(std::begin(list_names), std::end(list_names), name);
    if (known == std::end(list_names)) {
      fail("read_split", file, "names must be train, validation or test, got \"" + name + "\"");
    }
    if (!list.is_array()) {
      fail("read_split", file, "\"" + name + "\" must be a list, got " + list.type_name());
    }
    auto& indices = *lists_of(split)[static_cast<std::size_t>(known - std::begin(list_names))];
    for (const auto& element : list) {
      const bool fits = element.is_number_integer() && element <= INT64_MAX && element >= 0;
      if (!fits) fail("read_split", file, "\"" + name + "\" must hold sample numbers, got " + element.dump());
      indices.push_back(element.get<std::int64_t>());
      if (!seen.insert(indices.back()).second) {
        fail("read_split", file, "a sample must be named once, got " + element.dump() + " twice");
      }
    }
  }
  return split;
}

void write_split(const std::filesystem::path& file, const Split& split) {
  std::string text = "{";
  for (std::size_t i = 0; i < std::size(list_names); ++i) {
    if (const auto* list = lists_of(split)[i]; !list->empty()) append(text, list_names[i], *list);
  }
  text += "\n}\n";

  std::filesystem::path unfinished = file;
  unfinished += ".unfinished";
  std::error_code error;
  errno = 0;
  std::ofstream stream(unfinished, std::ios::binary);
  stream << text;
  stream.close();
  if (!stream) {
    const std::string reason = std::generic_category().message(errno);
    std::filesystem::remove(unfinished, error);
    fail("write_split", file, "cannot be written: " + reason);
  }
  std::filesystem::rename(unfinished, file, error);
  if (error) {
    std::error_code ignored;
    std::filesystem::remove(unfinished, ignored);
    fail("write_split", file, "cannot be written: " + error.message());
  }
}

}  // namespace rheo::data
