// Which kernels there are, and which instruction set runs. One table per neuron; the instruction set is chosen once, on
// first use: the best the machine has, or what RHEOBASE_ISA=baseline|avx2|avx512 names.
#pragma once

#include <span>
#include <string_view>

#include "rheo/core/export.hpp"
#include "rheo/kernels/neuron_call.hpp"

namespace rheo::kernels {

enum class Isa { baseline, avx2, avx512 };
inline constexpr int isa_count = 3;

/// One neuron's kernels, an entry per instruction set; without functions where that set was not compiled.
struct KernelTable {
  std::string_view kind;
  int states = 0;
  int constants = 0;  // without threshold and graded_spikes_factor
  NeuronKernels isa[isa_count];
  const NeuronInfo* info = nullptr;
};

RHEO_API std::string_view to_string(Isa isa) noexcept;

/// Whether machine and build both have it.
RHEO_API bool is_available(Isa isa) noexcept;

/// The instruction set in use. Throws std::invalid_argument if RHEOBASE_ISA names none of the available ones.
RHEO_API Isa chosen_isa();

/// nullptr if there is no such kind.
RHEO_API const KernelTable* find_kernels(std::string_view kind) noexcept;

/// Adds a neuron from outside the library; false if the kind exists with other kernels. Thread-safe; the table must
/// live as long as the process.
RHEO_API bool add_kernels(const KernelTable& table);

/// The neurons of the library, in the order of rheo/neurons/CMakeLists.txt.
RHEO_API std::span<const KernelTable> library_kernels() noexcept;

}  // namespace rheo::kernels
