// The tables of kernels, and the choice of the instruction set; each choice in a process of its own.
#include "rheo/kernels/registry.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace rheo::kernels;

TEST(KernelRegistry, EveryNeuronHasKernelsForEveryAvailableSet) {
  std::set<std::string_view> kinds;
  for (const KernelTable& table : library_kernels()) {
    EXPECT_TRUE(kinds.insert(table.kind).second) << table.kind;
    EXPECT_EQ(find_kernels(table.kind), &table);
    EXPECT_GE(table.states, 1);
    EXPECT_LE(table.states, max_states);
    EXPECT_LE(table.constants + 2, max_constants);
    std::set<const void*> functions;
    int sets = 0;
    for (int i = 0; i < isa_count; ++i) {
      const auto& k = table.isa[i];
      const bool here = is_available(static_cast<Isa>(i));
      sets += here;
      EXPECT_EQ(k.f32.forward != nullptr, here);
      EXPECT_EQ(k.f32.backward != nullptr, here);
      EXPECT_EQ(k.f64.forward != nullptr, here);
      EXPECT_EQ(k.f64.backward != nullptr, here);
      if (here) functions.insert(reinterpret_cast<const void*>(k.f32.forward));
    }
    // Not the same function under another name.
    EXPECT_EQ(functions.size(), static_cast<std::size_t>(sets));
  }
  EXPECT_TRUE(kinds.contains("Lapicque"));
  EXPECT_TRUE(kinds.contains("Leaky"));
  EXPECT_EQ(find_kernels("Liaky"), nullptr);
}

TEST(KernelRegistry, AddingNeurons) {
  const KernelTable& leaky = *find_kernels("Leaky");
  EXPECT_TRUE(add_kernels(leaky));  // the same again is nothing new
  KernelTable other = *find_kernels("Lapicque");
  other.kind = "Leaky";
  EXPECT_FALSE(add_kernels(other));
  other.kind = "AddedByATest";
  EXPECT_TRUE(add_kernels(other));
  EXPECT_TRUE(add_kernels(other));
  const KernelTable* found = find_kernels("AddedByATest");
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->isa[0].f32.forward, other.isa[0].f32.forward);
  KernelTable wrong = leaky;
  wrong.kind = "AddedByATest";
  EXPECT_FALSE(add_kernels(wrong));
  EXPECT_EQ(library_kernels().size(),
            static_cast<std::size_t>(std::distance(library_kernels().begin(), library_kernels().end())));
  for (const auto& table : library_kernels()) EXPECT_NE(table.kind, "AddedByATest");
}

TEST(KernelRegistry, ThreadsThatAddTheSameNeuronAddOne) {
  static const std::string name = "AddedByThreads";
  KernelTable table = *find_kernels("Leaky");
  table.kind = name;
  std::vector<std::thread> threads;
  std::vector<const KernelTable*> found(8);
  for (std::size_t i = 0; i < found.size(); ++i) {
    threads.emplace_back([&, i] {
      EXPECT_TRUE(add_kernels(table));
      found[i] = find_kernels(name);
    });
  }
  for (auto& t : threads) t.join();
  for (const auto* f : found) EXPECT_EQ(f, found[0]);
}

/// In a child process: prints the choice, or the error, and ends.
[[noreturn]] void choose(const char* forced) {
  if (forced == nullptr) {
    unsetenv("RHEOBASE_ISA");
  } else {
    setenv("RHEOBASE_ISA", forced, 1);
  }
  try {
    std::fprintf(stderr, "%s.", std::string(to_string(chosen_isa())).c_str());
    std::exit(0);
  } catch (const std::invalid_argument& e) {
    std::fprintf(stderr, "%s", e.what());
    std::exit(3);
  }
}

TEST(KernelRegistryDeathTest, TheBestSetUnlessOneIsForced) {
  std::string best;
  for (int i = 0; i < isa_count; ++i) {
    const auto isa = static_cast<Isa>(i);
    const std::string name(to_string(isa));
    if (is_available(isa)) {
      best = name;
      EXPECT_EXIT(choose(name.c_str()), ::testing::ExitedWithCode(0), "^" + name + "\\.");
    } else {
      EXPECT_EXIT(choose(name.c_str()), ::testing::ExitedWithCode(3),
                  "must be one of baseline.*got '" + name + "'");
    }
  }
  EXPECT_EXIT(choose(nullptr), ::testing::ExitedWithCode(0), "^" + best + "\\.");
  EXPECT_EXIT(choose(""), ::testing::ExitedWithCode(0), "^" + best + "\\.");
}

TEST(KernelRegistryDeathTest, AnUnknownSetIsAnErrorThatNamesTheOthers) {
  EXPECT_EXIT(choose("avx3"), ::testing::ExitedWithCode(3),
              "RHEOBASE_ISA.*must be one of baseline.*got 'avx3'");
  EXPECT_EXIT(choose("AVX2"), ::testing::ExitedWithCode(3), "got 'AVX2'");
}

}  // namespace
