// Index lists: which samples are for training, for validation and for the test.
//   auto split = rheo::data::random_split(set.size(), {0.8, 0.1, 0.1}, 7);
//   rheo::data::write_split("split.json", split);   // Python: json.load(open("split.json"))["train"]
//   rheo::data::Loader train(set, split.train);
#pragma once

#include "rheo/core/export.hpp"
#include "rheo/data/dataset.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <vector>

namespace rheo::data {

/// 0 .. size - 1 in an order that depends on (size, seed, stream) only: the same on every machine.
/// Fisher and Yates' shuffle from the last place down: place i changes with place r_i mod (i + 1), where r_i is the
/// 64-bit number of the Philox words 2i (low) and 2i + 1 (high) of step `stream` under key `seed`.
[[nodiscard]] RHEO_API std::vector<std::int64_t> permutation(std::int64_t size, std::uint64_t seed,
                                                             std::uint64_t stream = 0);

/// A random split; parts are the shares of train, validation and test, at least 0, and add up to 1.
/// Train and validation are rounded to whole samples, test is what is left. Every sample is in one list.
[[nodiscard]] RHEO_API Split random_split(std::int64_t size, std::array<double, 3> parts, std::uint64_t seed);

/// Moves `count` samples of split.train, drawn by `seed`, to the end of split.validation. The others keep their order.
[[nodiscard]] RHEO_API Split hold_out(Split split, std::int64_t count, std::uint64_t seed = 0);

/// Samples n idx ... n (idx + 1) - 1 of a list, n = its size / subset without the remainder: part idx = 0 ... subset - 1 of
/// as many parts of the same size. Beyond the list's end there are none. A subset of 1 or less keeps all.
/// As snntorch.utils.data_subset. Errors: ValueError for an idx below 0.
[[nodiscard]] RHEO_API std::vector<std::int64_t> data_subset(std::vector<std::int64_t> samples,
                                                             std::int64_t subset, std::int64_t idx = 0);
/// Of the samples 0 .. size - 1. ValueError for a size below 0.
[[nodiscard]] RHEO_API std::vector<std::int64_t> data_subset(std::int64_t size, std::int64_t subset,
                                                             std::int64_t idx = 0);

/// The samples that snntorch.utils.valid_split draws: the whole part of size * split for validation, ascending; the
/// others for training, in the order of numpy.random.default_rng(seed).choice without replacement.
/// Errors: ValueError for a size not within 0 ... 2^32 - 1, a split not within [0, 1].
[[nodiscard]] RHEO_API Split valid_split(std::int64_t size, double split, std::uint64_t seed = 0);

/// The file is JSON: {"train": [3, 0, ...], "validation": [...], "test": [...]}; an absent list is empty.
/// Errors: RuntimeError naming the file where it cannot be read or written, is no such JSON, or names a sample twice.
[[nodiscard]] RHEO_API Split read_split(const std::filesystem::path& file);
/// Written beside its name and renamed when complete. Leaves out empty lists.
RHEO_API void write_split(const std::filesystem::path& file, const Split& split);

}  // namespace rheo::data
