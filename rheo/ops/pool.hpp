// Recycled memory for large results: fresh pages cost more than the kernel that fills them.
// Blocks from 1 MiB on, 64-byte aligned, come from a thread-safe, capped free list and go back when the tensor dies.
// Off with RHEOBASE_POOL=0 and under the address sanitizer; RHEOBASE_POOL=<MiB> sets the cap (default 1024).
#pragma once

#include <ATen/core/Tensor.h>

#include "rheo/core/export.hpp"

namespace rheo {

/// Gives the unused blocks back to the system.
RHEO_API void release_memory();

namespace ops {

/// An uninitialised contiguous CPU tensor, recycled where it is large.
RHEO_API at::Tensor recycled_empty(at::IntArrayRef sizes, at::ScalarType dtype);

/// Scratch memory of the calling thread, 64-byte aligned, kept until the thread ends or asks for more.
void* thread_workspace(std::size_t bytes);

}  // namespace ops
}  // namespace rheo
