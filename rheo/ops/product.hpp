// The one dense product of the library: y = x W^T + b and its gradients, through the faster of the libraries inside libtorch.
//   auto y = rheo::ops::linear(x, weight, bias);   // x [..., in], weight [out, in], bias [out] or undefined
// libtorch's own products go through MKL, which on other makers' CPUs takes a slow path; oneDNN does not. Which of
// them serves is a rule (CPU, shape, a saved tuning file), never a timing, so runs are repeatable.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "rheo/core/export.hpp"

namespace rheo::ops {

/// What is known about the left operand. Of spikes most elements are zero, and a product may skip them.
enum class Operand { dense, spikes };

enum class ProductLibrary { libtorch, onednn };

/// What serves the large float32 products on this CPU, and why.
struct ProductChoice {
  ProductLibrary library = ProductLibrary::libtorch;
  std::int64_t smallest = 8'000'000;  // floating-point operations from which on `library` serves
  std::string reason;                 // "AuthenticAMD with AVX-512", "RHEOBASE_PRODUCT", "tuning file ..."
};

/// Made at the first call: RHEOBASE_PRODUCT=libtorch|onednn, else the tuning file, else the CPU. Throws ValueError
/// for another word or a damaged file.
RHEO_API const ProductChoice& product_choice();
/// "onednn (AuthenticAMD with AVX-512)": for `rheobase info` and checkpoints.
RHEO_API std::string product_library();

/// Where a tuning file is looked for: RHEOBASE_TUNING, else rheobase/tuning.txt in the user's configuration folder.
RHEO_API std::filesystem::path tuning_file();
/// "AMD EPYC ..., avx512": tuning holds for the machine it was made on.
RHEO_API std::string cpu_name();
/// The text of a tuning file, as `read_tuning` understands it.
RHEO_API std::string tuning_text(const ProductChoice& choice);
/// Throws ValueError naming the file and the line. A file made on another CPU is ignored: the rule decides.
RHEO_API ProductChoice read_tuning(const std::filesystem::path& file, const ProductChoice& rule);

/// x [..., in] times weight [out, in] transposed, plus bias [out] where defined: [..., out]. Differentiable any number of
/// times. With Operand::spikes the product of CPU tensors skips the zeros of x where that is faster (a narrow weight, or
/// few enough spikes); any x gives the right result. Throws ValueError where the shapes do not fit, TypeError where the
/// types differ.
RHEO_API at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias = {},
                           Operand x_holds = Operand::dense);
/// The product that skips the zeros of x, whatever their share, and no autograd: x [rows, in], weight [out, in].
/// An undefined tensor where it cannot serve: weight is not finite, or the tensors are not float or double on the CPU.
RHEO_API at::Tensor sparse_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias = {});

/// The same product with a given library and no autograd, for comparisons: x [rows, in], weight [out, in].
RHEO_API at::Tensor linear_with(ProductLibrary library, const at::Tensor& x, const at::Tensor& weight,
                                const at::Tensor& bias = {});
/// False where this libtorch has no such product; then libtorch's serves.
RHEO_API bool has_onednn();

}  // namespace rheo::ops
