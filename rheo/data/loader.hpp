// Batches of a data set, shuffled, transformed and prepared ahead by worker threads.
//   rheo::data::Loader loader(set, split.train, {.batch_size = 250, .seed = 7});
//   for (rheo::data::Batch& batch : loader.epoch(3)) { ... }         // all batches of epoch 3
//   for (rheo::data::Batch& batch : loader.epoch(3, 17)) { ... }     // the same ones, from batch 17 on
// What a batch holds depends on (data set, indices, options but workers and prefetch, epoch, number of the batch).
#pragma once

#include "rheo/core/export.hpp"
#include "rheo/data/dataset.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <vector>

namespace rheo::data {

/// With the number of a sample (batch.indices), the key of a transform's random draws.
struct DrawKey {
  std::uint64_t seed = 0;
  std::int64_t epoch = 0;
};

/// Changes a batch. Runs in the workers, several at a time, each with one thread of its own and without autograd.
/// Its draws are keyed by (seed, epoch, sample), never taken from a generator with a state.
using Transform = std::function<void(Batch&, const DrawKey&)>;

struct LoaderOptions {
  std::int64_t batch_size = 128;
  bool shuffle = true;     ///< a new order every epoch; else the order of the index list
  std::uint64_t seed = 0;  ///< of the orders and of the transform's draws
  int workers = 1;         ///< threads that prepare batches; 0: the caller prepares them
  int prefetch = 2;        ///< batches ready or under way beyond the one in use, at least 1
  bool drop_last = false;  ///< leave out a last batch that is not full
  Transform transform = {};
};

/// One pass over the batches. Belongs to one thread. The next batch replaces the one before.
/// An error in a worker (data set or transform) is thrown where its batch would have come, and ends the epoch.
/// Leaving early is fine: the destructor waits for the batches under way and joins the workers.
class RHEO_API Epoch {
 public:
  class Iterator {
   public:
    using value_type = Batch;
    using difference_type = std::ptrdiff_t;
    using reference = Batch&;
    using pointer = Batch*;
    using iterator_category = std::input_iterator_tag;

    Iterator() = default;
    explicit Iterator(Epoch* epoch) : epoch_(epoch) { ++*this; }
    Batch& operator*() const { return *batch_; }
    Batch* operator->() const { return batch_; }
    Iterator& operator++() {
      batch_ = epoch_->next();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& a, std::default_sentinel_t) { return a.batch_ == nullptr; }

   private:
    Epoch* epoch_ = nullptr;
    Batch* batch_ = nullptr;
  };

  Epoch(Epoch&&) noexcept;
  Epoch& operator=(Epoch&&) noexcept;
  ~Epoch();

  /// The next batch, or nullptr at the end. Belongs to the epoch and may be changed or moved from.
  Batch* next();
  /// Goes on from where the epoch is.
  Iterator begin() { return Iterator(this); }
  static std::default_sentinel_t end() { return {}; }

 private:
  friend class Loader;
  struct Pipeline;
  explicit Epoch(std::unique_ptr<Pipeline> pipeline);
  std::unique_ptr<Pipeline> pipeline_;
};

/// Does not change once it is made: several epochs may run at a time, also after the loader is gone.
class RHEO_API Loader {
 public:
  /// Errors: ValueError for an index outside the data set, an empty data set pointer, or options out of range.
  Loader(std::shared_ptr<const Dataset> dataset, std::vector<std::int64_t> indices,
         LoaderOptions options = {});

  /// Batches and samples of an epoch.
  [[nodiscard]] std::int64_t batches() const;
  [[nodiscard]] std::int64_t samples() const;
  [[nodiscard]] const Dataset& dataset() const;
  [[nodiscard]] const LoaderOptions& options() const;

  /// The batches first_batch .. batches() - 1 of epoch `number` (0, 1, ...). Starts the workers.
  [[nodiscard]] Epoch epoch(std::int64_t number, std::int64_t first_batch = 0) const;

 private:
  struct Plan;
  friend class Epoch;
  std::shared_ptr<const Plan> plan_;
};

}  // namespace rheo::data
