#include "rheo/data/loader.hpp"

#include "rheo/data/split.hpp"
#include "rheo/ops/error.hpp"

#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <omp.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace rheo::data {

struct Loader::Plan {
  std::shared_ptr<const Dataset> dataset;
  std::vector<std::int64_t> indices;
  LoaderOptions options;
  std::int64_t batches = 0;
  std::int64_t samples = 0;
};

namespace {

/// What is computed while it lives is computed by the calling thread alone and unseen by autograd, so that a transform
/// neither starts a pool of threads in each worker nor depends on how many there are.
class Alone {
 public:
  Alone() : threads_(at::get_num_threads()) { omp_set_num_threads(1); }
  ~Alone() { omp_set_num_threads(threads_); }
  Alone(const Alone&) = delete;
  Alone& operator=(const Alone&) = delete;

 private:
  int threads_;
  c10::AutoGradMode no_grad_{false};
};

}  // namespace

// Batches are handed out by number; number n goes to slot n mod prefetch, and no number is handed out before its slot
// is free. So the consumer finds them in order, and a slow batch holds up no more than `prefetch` others.
struct Epoch::Pipeline {
  struct Slot {
    bool ready = false;
    Batch batch;
    std::exception_ptr error;
  };

  std::shared_ptr<const Loader::Plan> plan;
  std::vector<std::int64_t> order;  // the samples of the epoch
  DrawKey key;
  Batch current;
  std::int64_t consumed = 0;  // number of the batch the consumer asks for next

  std::mutex mutex;  // guards what follows, and `consumed` where there are workers
  std::condition_variable slot_free, batch_ready;
  std::vector<Slot> slots;
  std::int64_t claimed = 0;  // number of the batch a worker takes next
  bool stopping = false;
  std::vector<std::thread> workers;

  ~Pipeline() { stop(); }

  [[nodiscard]] Batch prepare(std::int64_t number) const {
    const LoaderOptions& o = plan->options;
    const std::span<const std::int64_t> all(order);
    const auto first = static_cast<std::size_t>(number * o.batch_size);
    const auto count = std::min(static_cast<std::size_t>(o.batch_size), all.size() - first);
    Batch batch = plan->dataset->batch(all.subspan(first, count));
    if (o.transform) o.transform(batch, key);
    return batch;
  }

  void start() {
    const LoaderOptions& o = plan->options;
    slots.resize(static_cast<std::size_t>(o.prefetch));
    const std::int64_t useful = std::min<std::int64_t>({o.workers, o.prefetch, plan->batches - consumed});
    for (std::int64_t i = 0; i < useful; ++i) workers.emplace_back([this] { work(); });
  }

  void work() {
    const Alone alone;
    std::unique_lock lock(mutex);
    while (true) {
      slot_free.wait(lock, [&] {
        return stopping || claimed == plan->batches || claimed < consumed + plan->options.prefetch;
      });
      if (stopping || claimed == plan->batches) return;
      const std::int64_t number = claimed++;
      lock.unlock();
      Slot done{.ready = true, .batch = {}, .error = nullptr};
      try {
        done.batch = prepare(number);
      } catch (...) {
        done.error = std::current_exception();
      }
      lock.lock();
      slots[static_cast<std::size_t>(number % plan->options.prefetch)] = std::move(done);
      if (number == consumed) batch_ready.notify_one();
    }
  }

  Batch* next() {
    current = {};
    if (stopping || consumed == plan->batches) return nullptr;
    if (workers.empty()) {
      try {
        const Alone alone;
        current = prepare(consumed++);
      } catch (...) {
        stop();
        throw;
      }
      return &current;
    }
    std::exception_ptr error;
    {
      std::unique_lock lock(mutex);
      Slot& slot = slots[static_cast<std::size_t>(consumed % plan->options.prefetch)];
      batch_ready.wait(lock, [&] { return slot.ready; });
      slot.ready = false;
      current = std::move(slot.batch);
      error = std::exchange(slot.error, nullptr);
      ++consumed;
    }
    if (error) {
      stop();
      std::rethrow_exception(error);
    }
    slot_free.notify_one();
    return &current;
  }

  void stop() {
    {
      const std::scoped_lock lock(mutex);
      stopping = true;
    }
    slot_free.notify_all();
    for (std::thread& worker : workers) worker.join();
    workers.clear();
  }
};

Epoch::Epoch(std::unique_ptr<Pipeline> pipeline) : pipeline_(std::move(pipeline)) {}
Epoch::Epoch(Epoch&&) noexcept = default;
Epoch& Epoch::operator=(Epoch&&) noexcept = default;
Epoch::~Epoch() = default;
Batch* Epoch::next() { return pipeline_->next(); }

Loader::Loader(std::shared_ptr<const Dataset> dataset, std::vector<std::int64_t> indices,
               LoaderOptions options) {
  const auto wants = [](bool holds, const char* rule, std::int64_t value) {
    if (!holds) throw ValueError(std::string("[loader] ") + rule + ", got " + std::to_string(value));
  };
  if (dataset == nullptr) throw ValueError("[loader] dataset must be a data set, got nullptr");
  wants(options.batch_size >= 1, "batch_size must be at least 1", options.batch_size);
  wants(options.workers >= 0, "workers must be at least 0", options.workers);
  wants(options.prefetch >= 1, "prefetch must be at least 1", options.prefetch);
  const std::int64_t size = dataset->size();
  for (const std::int64_t index : indices) {
    if (index < 0 || index >= size) {
      throw ValueError("[loader] indices must be 0 to " + std::to_string(size - 1) + ", got " +
                       std::to_string(index));
    }
  }
  const auto count = static_cast<std::int64_t>(indices.size());
  const std::int64_t full = count / options.batch_size;
  const bool rest = count % options.batch_size != 0 && !options.drop_last;
  const std::int64_t samples = options.drop_last ? full * options.batch_size : count;
  plan_ = std::make_shared<const Plan>(
      Plan{std::move(dataset), std::move(indices), std::move(options), full + (rest ? 1 : 0), samples});
}

std::int64_t Loader::batches() const { return plan_->batches; }
std::int64_t Loader::samples() const { return plan_->samples; }
const Dataset& Loader::dataset() const { return *plan_->dataset; }
const LoaderOptions& Loader::options() const { return plan_->options; }

Epoch Loader::epoch(std::int64_t number, std::int64_t first_batch) const {
  if (number < 0) throw ValueError("[loader] epoch must be at least 0, got " + std::to_string(number));
  if (first_batch < 0 || first_batch > batches()) {
    throw ValueError("[loader] first_batch must be 0 to " + std::to_string(batches()) + ", got " +
                     std::to_string(first_batch));
  }
  auto pipeline = std::make_unique<Epoch::Pipeline>();
  pipeline->plan = plan_;
  pipeline->key = {plan_->options.seed, number};
  pipeline->consumed = pipeline->claimed = first_batch;
  pipeline->order = plan_->indices;
  if (plan_->options.shuffle) {
    const auto count = static_cast<std::int64_t>(plan_->indices.size());
    const std::vector<std::int64_t> places =
        permutation(count, plan_->options.seed, static_cast<std::uint64_t>(number));
    for (std::size_t i = 0; i < places.size(); ++i) {
      pipeline->order[i] = plan_->indices[static_cast<std::size_t>(places[i])];
    }
  }
  pipeline->start();
  return Epoch(std::move(pipeline));
}

}  // namespace rheo::data
