// The loader and the transforms: the same batches for any workers, errors and early ends, and what the images become.
#include "rheo/data/loader.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <memory>
#include <numeric>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "rheo/data/transforms.hpp"
#include "rheo/ops/error.hpp"

namespace {

using namespace rheo::data;

/// Image i is a picture of its own, label i mod 10. Counts the batches it made; throws at sample `bad`.
class Pictures : public Dataset {
 public:
  explicit Pictures(std::int64_t size, std::int64_t side = 4, std::int64_t bad = -1)
      : size_(size), side_(side), bad_(bad) {}
  std::int64_t size() const override { return size_; }
  std::int64_t classes() const override { return 10; }
  std::vector<std::int64_t> sample_shape() const override { return {2, side_, side_ + 1}; }
  bool is_sequence() const override { return false; }
  Batch batch(std::span<const std::int64_t> indices) const override {
    ++made;
    Batch out{at::empty({static_cast<std::int64_t>(indices.size()), 2, side_, side_ + 1}),
              at::empty({static_cast<std::int64_t>(indices.size())}, at::kLong),
              {indices.begin(), indices.end()}};
    const std::int64_t pixels = 2 * side_ * (side_ + 1);
    for (std::size_t b = 0; b < indices.size(); ++b) {
      if (indices[b] == bad_) throw std::out_of_range("sample " + std::to_string(bad_));
      float* x = out.x.mutable_data_ptr<float>() + static_cast<std::int64_t>(b) * pixels;
      for (std::int64_t p = 0; p < pixels; ++p)
        x[p] = static_cast<float>((indices[b] * 37 + p * 11) % 101) / 101.0F;
      out.y[static_cast<std::int64_t>(b)] = indices[b] % 10;
    }
    return out;
  }
  mutable std::atomic<int> made = 0;

 private:
  std::int64_t size_, side_, bad_;
};

std::vector<std::int64_t> first_numbers(std::int64_t count) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

std::vector<Batch> taken(Epoch epoch) {
  std::vector<Batch> out;
  for (Batch& batch : epoch) out.push_back(std::move(batch));
  return out;
}

void expect_same(const std::vector<Batch>& a, const std::vector<Batch>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].indices, b[i].indices);
    EXPECT_TRUE(at::equal(a[i].x, b[i].x)) << "batch " << i;
    EXPECT_TRUE(at::equal(a[i].y, b[i].y)) << "batch " << i;
  }
}

std::vector<std::int64_t> samples_of(const std::vector<Batch>& batches) {
  std::vector<std::int64_t> out;
  for (const Batch& b : batches) out.insert(out.end(), b.indices.begin(), b.indices.end());
  return out;
}

// ---- the loader ------------------------------------------------------------------------------------------------------

TEST(Loader, BatchesAreTheSameForAnyWorkers) {
  const auto set = std::make_shared<Pictures>(103);
  std::vector<std::int64_t> some = first_numbers(103);
  some.erase(some.begin() + 20, some.begin() + 30);
  const auto options = [](int workers, int prefetch) {
    return LoaderOptions{.batch_size = 8,
                         .seed = 5,
                         .workers = workers,
                         .prefetch = prefetch,
                         .transform = chain({random_shift(2), random_affine({.degrees = 20, .shift = 1})})};
  };
  const Loader alone(set, some, options(0, 1));
  EXPECT_EQ(alone.batches(), 12);
  EXPECT_EQ(alone.samples(), 93);
  for (const std::int64_t epoch : {0, 7}) {
    const std::vector<Batch> expected = taken(alone.epoch(epoch));
    ASSERT_EQ(expected.size(), 12U);
    EXPECT_EQ(expected.back().indices.size(), 5U);
    std::vector<std::int64_t> seen = samples_of(expected);
    EXPECT_NE(seen, some);
    std::sort(seen.begin(), seen.end());
    EXPECT_EQ(seen, some);
    for (const int workers : {1, 3}) {
      for (const int prefetch : {1, 2, 5, 100}) {
        SCOPED_TRACE(std::to_string(workers) + " workers, prefetch " + std::to_string(prefetch));
        const Loader loader(set, some, options(workers, prefetch));
        expect_same(taken(loader.epoch(epoch)), expected);
        const std::vector<Batch> rest(expected.begin() + 9, expected.end());
        expect_same(taken(loader.epoch(epoch, 9)), rest);
        EXPECT_TRUE(taken(loader.epoch(epoch, 12)).empty());
      }
    }
  }
}

TEST(Loader, OrderIsKeyedBySeedAndEpoch) {
  const auto set = std::make_shared<Pictures>(50);
  const auto order = [&](std::uint64_t seed, std::int64_t epoch, bool shuffle = true) {
    return samples_of(taken(Loader(set, first_numbers(50), {.shuffle = shuffle, .seed = seed}).epoch(epoch)));
  };
  EXPECT_EQ(order(1, 0), order(1, 0));
  EXPECT_NE(order(1, 0), order(1, 1));
  EXPECT_NE(order(1, 0), order(2, 0));
  EXPECT_EQ(order(1, 3, false), first_numbers(50));
}

TEST(Loader, DropLastAndSmallSets) {
  const auto set = std::make_shared<Pictures>(50);
  const Loader full(set, first_numbers(50), {.batch_size = 16, .drop_last = true});
  EXPECT_EQ(full.batches(), 3);
  EXPECT_EQ(full.samples(), 48);
  EXPECT_EQ(samples_of(taken(full.epoch(0))).size(), 48U);
  EXPECT_EQ(Loader(set, first_numbers(50), {.batch_size = 25}).batches(), 2);
  EXPECT_EQ(Loader(set, first_numbers(3), {.drop_last = true}).batches(), 0);
  for (const int workers : {0, 2}) {
    EXPECT_TRUE(taken(Loader(set, {}, {.workers = workers}).epoch(0)).empty());
    EXPECT_EQ(taken(Loader(set, {4, 4, 9}, {.shuffle = false, .workers = workers}).epoch(0)).at(0).indices,
              (std::vector<std::int64_t>{4, 4, 9}));
  }
}

TEST(Loader, ErrorsOfWorkersComeWhereTheirBatchWouldBe) {
  for (const int workers : {0, 1, 3}) {
    SCOPED_TRACE(workers);
    const Loader loader(std::make_shared<Pictures>(40, 4, 22), first_numbers(40),
                        {.batch_size = 4, .shuffle = false, .workers = workers, .prefetch = 4});
    Epoch epoch = loader.epoch(0);
    for (int i = 0; i < 5; ++i) EXPECT_NE(epoch.next(), nullptr);
    EXPECT_THROW(
        {
          try {
            epoch.next();
          } catch (const std::out_of_range& e) {
            EXPECT_STREQ(e.what(), "sample 22");
            throw;
          }
        },
        std::out_of_range);
    EXPECT_EQ(epoch.next(), nullptr);
    // An error that is never reached harms nobody.
    Epoch left = loader.epoch(1);
    left.next();
  }
}

TEST(Loader, PreparesAheadAndNoFurther) {
  const auto set = std::make_shared<Pictures>(400);
  const Loader loader(set, first_numbers(400), {.batch_size = 4, .workers = 3, .prefetch = 3});
  Epoch epoch = loader.epoch(0);
  const auto wait_for = [&](int made) {
    for (int i = 0; i < 20000 && set->made < made; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_EQ(set->made, made);
  };
  for (int used = 0; used < 20; ++used) {
    wait_for(used + 3);
    ASSERT_NE(epoch.next(), nullptr);
    EXPECT_LE(set->made, used + 4);
  }
}

TEST(Loader, LeavingEarlyJoinsTheWorkers) {
  const auto set = std::make_shared<Pictures>(64);
  for (int round = 0; round < 1500; ++round) {
    const Loader loader(set, first_numbers(64),
                        {.batch_size = 4,
                         .seed = static_cast<std::uint64_t>(round),
                         .workers = round % 4,
                         .prefetch = 1 + round % 3});
    int left = round % 17;
    for (const Batch& batch : loader.epoch(round)) {
      ASSERT_EQ(batch.x.size(0), 4);
      if (left-- == 0) break;
    }
    if (round % 5 == 0) (void)loader.epoch(0);
  }
  EXPECT_EQ(set.use_count(), 1);
}

TEST(Loader, EpochsStandOnTheirOwn) {
  const auto set = std::make_shared<Pictures>(64);
  auto loader =
      std::make_unique<Loader>(set, first_numbers(64), LoaderOptions{.batch_size = 8, .workers = 2});
  const std::vector<Batch> expected = taken(loader->epoch(4));
  Epoch first = loader->epoch(4);
  Epoch second = loader->epoch(4);
  loader.reset();
  std::vector<Batch> a, b;
  for (int i = 0; i < 3; ++i) a.push_back(*first.next());
  Epoch moved = std::move(first);
  for (Batch& batch : second) {
    b.push_back(std::move(batch));
    if (Batch* next = moved.next()) a.push_back(*next);
  }
  expect_same(a, expected);
  expect_same(b, expected);
}

// A worker neither starts threads of its own nor depends on how many the program uses.
TEST(Loader, PreparesOnOneThreadWithoutAutograd) {
  const int threads = at::get_num_threads();
  at::set_num_threads(2);
  for (const int workers : {0, 1, 3}) {
    std::atomic<int> good = 0;
    const Loader loader(
        std::make_shared<Pictures>(40), first_numbers(40),
        {.batch_size = 4, .workers = workers, .transform = [&good](Batch&, const DrawKey& key) {
           good += at::get_num_threads() == 1 && !c10::GradMode::is_enabled() && key.epoch == 2;
         }});
    for (Batch& batch : loader.epoch(2)) {
      EXPECT_EQ(at::get_num_threads(), 2);
      EXPECT_TRUE(c10::GradMode::is_enabled());
      EXPECT_FALSE(batch.x.requires_grad());
    }
    EXPECT_EQ(good, 10) << workers << " workers";
  }
  at::set_num_threads(threads);
}

TEST(Loader, ArgumentsAreChecked) {
  const auto set = std::make_shared<Pictures>(10);
  const auto error = [&](auto f) {
    try {
      f();
    } catch (const rheo::ValueError& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  const auto made = [&](LoaderOptions options, std::vector<std::int64_t> indices = {0}) {
    return error([&] { const Loader loader(set, indices, options); });
  };
  EXPECT_EQ(made({.batch_size = 0}), "[loader] batch_size must be at least 1, got 0");
  EXPECT_EQ(made({.workers = -1}), "[loader] workers must be at least 0, got -1");
  EXPECT_EQ(made({.prefetch = 0}), "[loader] prefetch must be at least 1, got 0");
  EXPECT_EQ(made({}, {3, 10}), "[loader] indices must be 0 to 9, got 10");
  EXPECT_EQ(made({}, {-1}), "[loader] indices must be 0 to 9, got -1");
  EXPECT_EQ(error([] { const Loader loader(nullptr, {}); }),
            "[loader] dataset must be a data set, got nullptr");
  const Loader loader(set, first_numbers(10), {.batch_size = 5});
  EXPECT_EQ(error([&] { (void)loader.epoch(-1); }), "[loader] epoch must be at least 0, got -1");
  EXPECT_EQ(error([&] { (void)loader.epoch(0, 3); }), "[loader] first_batch must be 0 to 2, got 3");
  EXPECT_EQ(error([&] { (void)loader.epoch(0, -1); }), "[loader] first_batch must be 0 to 2, got -1");
}

// ---- transforms ------------------------------------------------------------------------------------------------------

Batch pictures(std::int64_t count, std::int64_t side = 9) {
  return Pictures(count, side).batch(first_numbers(count));
}

TEST(Transforms, NoChangeIsNoChange) {
  const Batch before = pictures(20);
  for (const Transform& transform : {random_shift(0), random_affine({}), chain({})}) {
    Batch batch = before;
    transform(batch, {.seed = 3, .epoch = 1});
    EXPECT_TRUE(at::equal(batch.x, before.x));
    EXPECT_TRUE(at::equal(batch.y, before.y));
  }
}

TEST(Transforms, ShiftMovesByWholePixels) {
  for (const std::int64_t most : {1, 2, 30}) {  // 30: most pictures leave the frame
    const Batch before = pictures(300);
    Batch batch = before;
    random_shift(most)(batch, {.seed = 3, .epoch = 1});
    std::set<std::pair<std::int64_t, std::int64_t>> moves;
    for (std::int64_t b = 0; b < 300; ++b) {
      bool found = false;
      for (std::int64_t dy = -most; dy <= most && !found; ++dy) {
        for (std::int64_t dx = -most; dx <= most && !found; ++dx) {
          // The picture in a frame of zeros, cut out dx to the left and dy above.
          const at::Tensor framed = at::constant_pad_nd(before.x[b], {most, most, most, most});
          found = at::equal(batch.x[b],
                            framed.slice(1, most - dy, most - dy + 9).slice(2, most - dx, most - dx + 10));
          if (found) moves.emplace(dx, dy);
        }
      }
      EXPECT_TRUE(found) << "picture " << b;
    }
    if (most < 30) {
      EXPECT_EQ(static_cast<std::int64_t>(moves.size()), (2 * most + 1) * (2 * most + 1));
    }
  }
}

TEST(Transforms, DrawsBelongToTheSample) {
  const Transform shift = random_shift(3);
  const Transform affine = random_affine({.degrees = 15, .scale_min = 0.9, .scale_max = 1.1, .shift = 2});
  for (const Transform& transform : {shift, affine}) {
    const auto changed = [&](std::vector<std::int64_t> which, DrawKey key) {
      Batch batch = Pictures(50, 9).batch(which);
      transform(batch, key);
      return batch.x;
    };
    const at::Tensor x = changed({3, 17, 40}, {.seed = 1, .epoch = 2});
    EXPECT_TRUE(at::equal(changed({40, 3}, {.seed = 1, .epoch = 2}),
                          x.index_select(0, at::tensor({2, 0}, at::kLong))));
    EXPECT_FALSE(at::equal(changed({3, 17, 40}, {.seed = 1, .epoch = 3}), x));
    EXPECT_FALSE(at::equal(changed({3, 17, 40}, {.seed = 2, .epoch = 2}), x));
  }
}

TEST(Transforms, ScaleReadsBetweenThePixels) {
  const Batch before = pictures(5, 8);  // 8 x 9
  for (const double scale : {0.5, 1.25, 2.0}) {
    Batch batch = before;
    random_affine({.scale_min = scale, .scale_max = scale})(batch, {});
    const auto pixel = [&](std::int64_t b, std::int64_t c, std::int64_t row, std::int64_t column) {
      const bool inside = row >= 0 && row < 8 && column >= 0 && column < 9;
      return inside ? before.x[b][c][row][column].item<double>() : 0.0;
    };
    double worst = 0;
    for (std::int64_t b = 0; b < 5; ++b) {
      for (std::int64_t c = 0; c < 2; ++c) {
        for (std::int64_t row = 0; row < 8; ++row) {
          for (std::int64_t column = 0; column < 9; ++column) {
            const double y = (static_cast<double>(row) - 3.5) / scale + 3.5;
            const double x = (static_cast<double>(column) - 4.0) / scale + 4.0;
            const double fy = y - std::floor(y);
            const double fx = x - std::floor(x);
            const auto iy = static_cast<std::int64_t>(std::floor(y));
            const auto ix = static_cast<std::int64_t>(std::floor(x));
            const double expected =
                (1 - fy) * ((1 - fx) * pixel(b, c, iy, ix) + fx * pixel(b, c, iy, ix + 1)) +
                fy * ((1 - fx) * pixel(b, c, iy + 1, ix) + fx * pixel(b, c, iy + 1, ix + 1));
            worst = std::max(worst, std::abs(expected - batch.x[b][c][row][column].item<double>()));
          }
        }
      }
    }
    EXPECT_LT(worst, 1e-5) << "scale " << scale;
  }
}

/// A round spot, and where its centre of mass is, from the centre of the picture.
TEST(Transforms, RotationAndShiftMoveASpotAsFarAsAllowed) {
  const std::int64_t count = 400;
  const at::Tensor place = at::arange(28, at::kDouble) - 13.5;
  const at::Tensor column = place.reshape({1, 28});
  const at::Tensor row = place.reshape({28, 1});
  const at::Tensor spot =
      at::exp(-((column - 6).square() + row.square()) / 4).to(at::kFloat);  // 6 to the right
  const auto centres = [&](const AffineOptions& options) {
    Batch batch{spot.expand({count, 1, 28, 28}), at::zeros({count}, at::kLong), first_numbers(count)};
    random_affine(options)(batch, {.seed = 8, .epoch = 0});
    const at::Tensor mass = batch.x.to(at::kDouble).sum({1, 2, 3});
    return std::pair{(batch.x * column).sum({1, 2, 3}) / mass, (batch.x * row).sum({1, 2, 3}) / mass};
  };
  const auto [x, y] = centres({.degrees = 30});
  EXPECT_LT((at::hypot(x, y) - 6).abs().max().item<double>(), 0.05);
  const at::Tensor degrees = at::atan2(y, x) * (180 / std::acos(-1.0));
  EXPECT_LT(degrees.max().item<double>(), 30.5);
  EXPECT_GT(degrees.max().item<double>(), 28);
  EXPECT_GT(degrees.min().item<double>(), -30.5);
  EXPECT_LT(degrees.min().item<double>(), -28);
  const auto [moved_x, moved_y] = centres({.shift = 2});
  for (const at::Tensor& moved : {at::Tensor(moved_x - 6), at::Tensor(moved_y)}) {
    EXPECT_LT(moved.abs().max().item<double>(), 2.05);
    EXPECT_GT(moved.max().item<double>(), 1.9);
    EXPECT_LT(moved.min().item<double>(), -1.9);
    EXPECT_LT(std::abs(moved.mean().item<double>()), 0.25);
  }
}

TEST(Transforms, ChainIsOneAfterTheOther) {
  std::string calls;
  const auto named = [&](char name) { return [&calls, name](Batch&, const DrawKey&) { calls += name; }; };
  Batch batch = pictures(2);
  chain({named('a'), named('b'), named('c')})(batch, {});
  EXPECT_EQ(calls, "abc");
}

TEST(Transforms, ArgumentsAreChecked) {
  EXPECT_THROW((void)random_shift(-1), rheo::ValueError);
  const double nan = std::nan("");
  const AffineOptions wrong[] = {{.degrees = -1},    {.degrees = nan},   {.scale_min = 0},
                                 {.scale_min = 1.2}, {.scale_max = nan}, {.scale_max = 0.5},
                                 {.shift = -1},      {.shift = INFINITY}};
  for (const AffineOptions& options : wrong) EXPECT_THROW((void)random_affine(options), rheo::ValueError);
  EXPECT_THROW((void)chain({random_shift(1), Transform()}), rheo::ValueError);
  for (const Transform& transform : {random_shift(1), random_affine({})}) {
    Batch spikes{at::zeros({10, 3, 4}), at::zeros({3}, at::kLong), {0, 1, 2}};
    EXPECT_THROW(transform(spikes, {}), rheo::ValueError);
    Batch doubles{at::zeros({1, 1, 4, 4}, at::kDouble), at::zeros({1}, at::kLong), {0}};
    EXPECT_THROW(transform(doubles, {}), rheo::ValueError);
    Batch no_indices{at::zeros({1, 1, 4, 4}), at::zeros({1}, at::kLong), {}};
    EXPECT_THROW(transform(no_indices, {}), rheo::ValueError);
    Batch nothing;
    EXPECT_THROW(transform(nothing, {}), rheo::ValueError);
  }
}

}  // namespace
