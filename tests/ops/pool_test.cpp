// The recycling pool: which blocks come back, how much is kept, several threads, switched off.
// Run as `ops_pool_test keeps COUNT`, it says how many blocks the pool holds: the environment is read once
// per process, so what RHEOBASE_POOL does is asked of a child.
#include "rheo/ops/pool.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "rheo/nn/neurons.hpp"

namespace {

using rheo::ops::recycled_empty;

#if defined(__SANITIZE_ADDRESS__)
constexpr bool pooled = false;  // every block must stay visible to the sanitizer
#else
constexpr bool pooled = true;
#endif

constexpr std::int64_t mib = std::int64_t{1} << 20;

torch::Tensor block(std::int64_t mebibytes) { return recycled_empty({mebibytes * mib}, torch::kByte); }

/// Resident memory of this process, in MiB.
double resident() {
  std::ifstream statm("/proc/self/statm");
  double total = 0, pages = 0;
  statm >> total >> pages;
  return pages * static_cast<double>(sysconf(_SC_PAGESIZE)) / static_cast<double>(mib);
}

TEST(Pool, GivesAContiguousTensorOfTheAskedKind) {
  for (const auto type : {torch::kFloat, torch::kDouble}) {
    for (const std::vector<std::int64_t>& sizes :
         {std::vector<std::int64_t>{}, {0}, {3, 0, 5}, {7}, {33, 1000, 17}}) {
      const auto t = recycled_empty(sizes, type);
      EXPECT_EQ(t.sizes(), sizes);
      EXPECT_EQ(t.scalar_type(), type);
      EXPECT_TRUE(t.is_contiguous());
      EXPECT_FALSE(t.requires_grad());
      EXPECT_TRUE(t.numel() == 0 || reinterpret_cast<std::uintptr_t>(t.data_ptr()) % 64 == 0);
      t.fill_(3);
      EXPECT_EQ(t.sum().item<double>(), 3.0 * static_cast<double>(t.numel()));
    }
  }
}

TEST(Pool, ABlockComesBackWhenItsTensorDies) {
  if (!pooled) GTEST_SKIP() << "no pool under the address sanitizer";
  rheo::release_memory();
  const void* first = nullptr;
  {
    const auto t = block(8);
    first = t.data_ptr();
    // While the tensor, or a view of it, lives, the block is not given out again.
    EXPECT_NE(block(8).data_ptr(), first);
    const auto view = t.slice(0, 5, 10);
    EXPECT_NE(block(8).data_ptr(), view.storage().data());
  }
  const auto a = block(8), b = block(8);
  EXPECT_TRUE(a.data_ptr() == first || b.data_ptr() == first);
  EXPECT_NE(a.data_ptr(), b.data_ptr());
}

TEST(Pool, AViewKeepsTheBlock) {
  if (!pooled) GTEST_SKIP() << "no pool under the address sanitizer";
  rheo::release_memory();
  auto view = block(4).fill_(7).slice(0, 0, 100);
  const auto other = block(4).fill_(9);
  EXPECT_TRUE(view.eq(7).all().item<bool>());
}

TEST(Pool, SizesShareABlockWhenTheyRoundAlike) {
  if (!pooled) GTEST_SKIP() << "no pool under the address sanitizer";
  rheo::release_memory();
  const void* first =
      recycled_empty({1500, 1000}, torch::kFloat).data_ptr();  // 5.7 MiB, 6 with the rest of the page
  EXPECT_EQ(recycled_empty({750, 1001}, torch::kDouble).data_ptr(), first);
  EXPECT_NE(recycled_empty({3000, 1000}, torch::kFloat).data_ptr(), first);
}

TEST(Pool, ReleaseGivesUnusedMemoryBack) {
  if (!pooled) GTEST_SKIP() << "no pool under the address sanitizer";
  rheo::release_memory();
  const double before = resident();
  auto used = block(64).fill_(1);
  block(128).fill_(1);
  EXPECT_GT(resident() - before, 180);  // kept, though its tensor is dead
  rheo::release_memory();
  EXPECT_LT(resident() - before, 80);
  EXPECT_TRUE(used.eq(1).all().item<bool>());  // what is in use stays
}

TEST(Pool, ThreadsShareIt) {
  rheo::release_memory();
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int n = 0; n < 4; ++n) {
    threads.emplace_back([n, &wrong] {
      for (int i = 0; i < 50; ++i) {
        auto a = block(2 + (i + n) % 3), b = block(2);
        a.fill_(n);
        b.fill_(n + 10);
        if (i % 10 == 0) rheo::release_memory();
        if (!a.eq(n).all().item<bool>() || !b.eq(n + 10).all().item<bool>()) ++wrong;
      }
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Pool, TensorsMayDieInAnotherThread) {
  auto t = block(4);
  std::thread([moved = std::move(t)]() mutable { moved.reset(); }).join();
  block(4).fill_(1);
}

TEST(Pool, LargeResultsOfANeuronComeFromIt) {
  if (!pooled) GTEST_SKIP() << "no pool under the address sanitizer";
  rheo::nn::Leaky lif({.beta = 0.9});
  const auto x = torch::rand({64, 32, 512});  // 4 MiB
  const torch::NoGradGuard no_grad;
  rheo::release_memory();
  const void* first = lif->forward(x).spk.data_ptr();
  EXPECT_EQ(lif->forward(x).spk.data_ptr(), first);
  const auto held = lif->forward(x);
  EXPECT_NE(lif->forward(x).spk.data_ptr(), held.spk.data_ptr());
}

// ---- RHEOBASE_POOL ----------------------------------------------------------------------------------------

std::string program;

/// How many of `count` blocks of 8 MiB a child with this environment still holds when all are dead.
std::string kept_by_a_child(const std::string& environment, int count) {
  const auto command = "env " + environment + " '" + program + "' keeps " + std::to_string(count);
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return "no child";
  std::array<char, 64> text{};
  const char* line = std::fgets(text.data(), static_cast<int>(text.size()), pipe);
  const std::string said = line == nullptr ? "" : line;
  return pclose(pipe) == 0 ? said : "failed";
}

TEST(Pool, TheEnvironmentSwitchesItOffOrSetsTheCap) {
  if (!pooled) GTEST_SKIP() << "no pool under the address sanitizer";
  EXPECT_EQ(kept_by_a_child("RHEOBASE_POOL=", 4), "4 blocks\n");
  EXPECT_EQ(kept_by_a_child("RHEOBASE_POOL=0", 4), "0 blocks\n");
  EXPECT_EQ(kept_by_a_child("RHEOBASE_POOL=7", 4), "0 blocks\n");
  EXPECT_EQ(kept_by_a_child("RHEOBASE_POOL=20", 4), "2 blocks\n");
}

int report(int count) {
  const double before = resident();
  {
    std::vector<torch::Tensor> all;
    for (int i = 0; i < count; ++i) all.push_back(block(8).fill_(1));
  }
  std::cout << std::lround((resident() - before) / 8) << " blocks\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  program = argv[0];
  if (argc == 3 && std::string(argv[1]) == "keeps") return report(std::atoi(argv[2]));
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
