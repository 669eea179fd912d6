#include "rheo/ops/pool.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace rheo {
namespace {

constexpr std::size_t smallest = std::size_t{1} << 20;
constexpr std::size_t huge_page = std::size_t{2} << 20;

#if defined(__SANITIZE_ADDRESS__)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

std::size_t cap_from_environment() {
  if (sanitized) return 0;
  const char* text = std::getenv("RHEOBASE_POOL");
  const std::size_t mebibytes = text != nullptr && *text != '\0' ? std::strtoull(text, nullptr, 10) : 1024;
  return mebibytes << 20;
}

void* fresh_block(std::size_t bytes) {
  void* p = std::aligned_alloc(huge_page, bytes);
  if (p == nullptr) throw std::bad_alloc();
#if defined(__linux__)
  madvise(p, bytes, MADV_HUGEPAGE);
#endif
  return p;
}

class Pool {
 public:
  explicit Pool(std::size_t cap) : cap_(cap) {}

  bool on() const { return cap_ > 0; }

  void* take(std::size_t bytes) {
    {
      const std::scoped_lock hold(lock_);
      if (const auto found = free_.find(bytes); found != free_.end()) {
        void* p = found->second;
        free_.erase(found);
        kept_ -= bytes;
        return p;
      }
    }
    return fresh_block(bytes);
  }

  void give_back(void* p, std::size_t bytes) noexcept {
    {
      const std::scoped_lock hold(lock_);
      if (kept_ + bytes <= cap_) {
        free_.emplace(bytes, p);
        kept_ += bytes;
        return;
      }
    }
    std::free(p);
  }

  void release() noexcept {
    const std::scoped_lock hold(lock_);
    for (const auto& [bytes, p] : free_) std::free(p);
    free_.clear();
    kept_ = 0;
  }

 private:
  std::mutex lock_;
  std::multimap<std::size_t, void*> free_;
  std::size_t kept_ = 0;
  const std::size_t cap_;
};

Pool& pool() {
  static auto* p = new Pool(cap_from_environment());  // tensors may outlive static destructors
  return *p;
}

}  // namespace

void release_memory() { pool().release(); }

namespace ops {

at::Tensor recycled_empty(at::IntArrayRef sizes, at::ScalarType dtype) {
  std::size_t bytes = c10::elementSize(dtype);
  for (const auto s : sizes) bytes *= static_cast<std::size_t>(s);
  const auto options = at::TensorOptions().dtype(dtype);
  if (bytes < smallest || !pool().on()) return at::empty(sizes, options);
  bytes = (bytes + huge_page - 1) / huge_page * huge_page;
  void* p = pool().take(bytes);
  return at::from_blob(p, sizes, [bytes](void* block) { pool().give_back(block, bytes); }, options);
}

void* thread_workspace(std::size_t bytes) {
  struct Free {
    void operator()(void* p) const { std::free(p); }
  };
  thread_local std::unique_ptr<void, Free> block;
  thread_local std::size_t size = 0;
  if (bytes > size) {
    block.reset();
    size = 0;
    const std::size_t rounded = (bytes + 4095) / 4096 * 4096;
    block.reset(std::aligned_alloc(64, rounded));
    if (block == nullptr) throw std::bad_alloc();
    size = rounded;
  }
  return block.get();
}

}  // namespace ops
}  // namespace rheo
