#include "rheo/ops/seed.hpp"

#include <ATen/CPUGeneratorImpl.h>

#include <mutex>

namespace rheo::ops {

std::uint64_t draw_seed() {
  at::Generator generator = at::detail::getDefaultCPUGenerator();
  const std::lock_guard<std::mutex> lock(generator.mutex());
  return at::check_generator<at::CPUGeneratorImpl>(generator)->random64();
}

}  // namespace rheo::ops
