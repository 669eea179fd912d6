#include "rheo/kernels/registry.hpp"

#include <cstdlib>
#include <deque>
#include <mutex>
#include <stdexcept>
#include <string>

// Generated from rheo/neurons/CMakeLists.txt: RHEO_NEURON(Leaky, leaky) ...
#define RHEO_NEURON(Type, stem) \
  namespace rheo::kernels {     \
  KernelTable stem##_kernels(); \
  }
#include "rheo/neurons/list.inc"
#undef RHEO_NEURON

namespace rheo::kernels {
namespace {

constexpr std::string_view names[isa_count] = {"baseline", "avx2", "avx512"};

std::string available_names() {
  std::string text;
  for (int i = 0; i < isa_count; ++i) {
    if (is_available(static_cast<Isa>(i))) text += (text.empty() ? "" : ", ") + std::string(names[i]);
  }
  return text;
}

Isa choose() {
  const char* forced = std::getenv("RHEOBASE_ISA");
  if (forced != nullptr && *forced != '\0') {
    for (int i = 0; i < isa_count; ++i) {
      if (names[i] == forced && is_available(static_cast<Isa>(i))) return static_cast<Isa>(i);
    }
    throw std::invalid_argument("[RHEOBASE_ISA] must be one of " + available_names() +
                                " on this machine, got '" + forced + "'");
  }
  for (int i = isa_count; i-- > 0;) {
    if (is_available(static_cast<Isa>(i))) return static_cast<Isa>(i);
  }
  return Isa::baseline;
}

// Neurons of users' programs. Entries are added, never changed; a deque keeps addresses.
struct Added {
  std::mutex lock;
  std::deque<KernelTable> tables;
};
Added& added() {
  static auto* a = new Added;  // outlives every static destructor that may still run a network
  return *a;
}

}  // namespace

std::string_view to_string(Isa isa) noexcept { return names[static_cast<int>(isa)]; }

bool is_available(Isa isa) noexcept {
  switch (isa) {
    case Isa::baseline:
      return true;
    case Isa::avx2:
#if defined(RHEO_HAVE_X86_KERNELS)
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
      return false;
#endif
    case Isa::avx512:
#if defined(RHEO_HAVE_X86_KERNELS)
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
#else
      return false;
#endif
  }
  return false;
}

Isa chosen_isa() {
  static const Isa isa = choose();
  return isa;
}

std::span<const KernelTable> library_kernels() noexcept {
#define RHEO_NEURON(Type, stem) stem##_kernels(),
  static const KernelTable tables[] = {
#include "rheo/neurons/list.inc"
  };
#undef RHEO_NEURON
  return tables;
}

const KernelTable* find_kernels(std::string_view kind) noexcept {
  for (const KernelTable& table : library_kernels()) {
    if (table.kind == kind) return &table;
  }
  const std::scoped_lock hold(added().lock);
  for (const KernelTable& table : added().tables) {
    if (table.kind == kind) return &table;
  }
  return nullptr;
}

bool add_kernels(const KernelTable& table) {
  const auto same = [&](const KernelTable& other) {
    return table.isa[0].f32.forward == other.isa[0].f32.forward &&
           table.isa[0].f32.backward == other.isa[0].f32.backward;
  };
  if (const KernelTable* known = find_kernels(table.kind)) return same(*known);
  const std::scoped_lock hold(added().lock);
  added().tables.push_back(table);
  return true;
}

}  // namespace rheo::kernels
