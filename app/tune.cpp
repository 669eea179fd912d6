// rheobase tune: times both product libraries on this machine and keeps the answer in a file that later runs read.
#include "app/command.hpp"
#include "app/exit_code.hpp"
#include "app/output.hpp"
#include "rheo/ops/product.hpp"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/randn.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>

namespace rheo::app {
namespace {

using ops::ProductLibrary;

struct Shape {
  std::int64_t rows, in, out;
  [[nodiscard]] std::int64_t operations() const { return 2 * rows * in * out; }
};

/// By size. Layers of usual networks over a batch, and over the time steps of one.
constexpr Shape shapes[] = {{16, 32, 32},    {64, 64, 64},     {128, 128, 128},  {3200, 100, 10},
                            {128, 256, 256}, {3200, 1000, 10}, {128, 784, 1000}, {3200, 256, 256}};

double best_milliseconds(ProductLibrary library, const Shape& s) {
  const auto x = at::randn({s.rows, s.in}), weight = at::randn({s.out, s.in}), bias = at::randn({s.out});
  double best = std::numeric_limits<double>::infinity();
  const int rounds = static_cast<int>(std::clamp<std::int64_t>(200'000'000 / s.operations(), 10, 300));
  for (int i = 0; i < rounds; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const auto y = ops::linear_with(library, x, weight, bias);
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    if (i > 2) best = std::min(best, took.count());
  }
  return best;
}

int tune(const Context& context, const std::string& file) {
  const at::NoGradGuard no_grad;
  if (!ops::has_onednn()) throw Failure("this libtorch has no oneDNN product: there is nothing to choose");
  context.note("timing products on " + ops::cpu_name() + "; best on a quiet machine");
  std::printf("%6s %6s %6s %12s %12s %8s\n", "rows", "in", "out", "libtorch ms", "onednn ms", "ratio");
  // oneDNN serves from the size above the largest one at which it does not win.
  ops::ProductChoice choice{ProductLibrary::libtorch, 0, ""};
  std::int64_t lost = 0;
  for (const Shape& s : shapes) {
    const double libtorch = best_milliseconds(ProductLibrary::libtorch, s);
    const double onednn = best_milliseconds(ProductLibrary::onednn, s);
    std::printf("%6lld %6lld %6lld %12.4f %12.4f %8.2f\n", static_cast<long long>(s.rows),
                static_cast<long long>(s.in), static_cast<long long>(s.out), libtorch, onednn,
                libtorch / onednn);
    if (onednn > libtorch) {
      lost = std::max(lost, s.operations());
      choice.library = ProductLibrary::libtorch;
    } else {
      choice.library = ProductLibrary::onednn;
    }
  }
  choice.smallest = lost + 1;
  const auto folder = std::filesystem::path(file).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder);
  write_file(file, ops::tuning_text(choice));
  std::printf("%s, from %lld operations on: %s\n",
              choice.library == ProductLibrary::onednn ? "onednn" : "libtorch",
              static_cast<long long>(choice.smallest), file.c_str());
  return exit_ok;
}

}  // namespace

void add_tune(CLI::App& program, Context& context) {
  CLI::App* command = program.add_subcommand(
      "tune", "Time the libraries for dense products and keep the choice for later runs");
  const auto file = std::make_shared<std::string>();
  command->add_option("--out", *file,
                      "The tuning file (default: RHEOBASE_TUNING, else in the user's configuration)");
  command->callback([&context, file] {
    context.run = [&context, file] {
      return tune(context, file->empty() ? ops::tuning_file().string() : *file);
    };
  });
}

}  // namespace rheo::app
