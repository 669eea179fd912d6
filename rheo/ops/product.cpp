#include "rheo/ops/product.hpp"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/count_nonzero.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/sum.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <vector>

#include "rheo/kernels/registry.hpp"
#include "rheo/ops/detail/packed_linear.hpp"
#include "rheo/ops/detail/sparse_weight.hpp"
#include "rheo/ops/error.hpp"
#include "rheo/ops/pool.hpp"

namespace rheo::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// ---- which library ---------------------------------------------------------------------------------------------

using OneDnn = at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
                          std::string_view, c10::List<std::optional<at::Scalar>>,
                          std::optional<std::string_view>);

/// libtorch's own name for oneDNN's product; not a promised interface, so it is looked for, never assumed.
const std::optional<c10::TypedOperatorHandle<OneDnn>>& onednn_product() {
  static const auto handle = []() -> std::optional<c10::TypedOperatorHandle<OneDnn>> {
    if (!at::hasMKLDNN()) return std::nullopt;
    const auto schema = c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""});
    if (!schema.has_value()) return std::nullopt;
    try {
      return schema->typed<OneDnn>();
    } catch (const c10::Error&) {  // another signature than the one known here
      return std::nullopt;
    }
  }();
  return handle;
}

std::string cpu_field(const char* field) {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(field)) continue;
    const auto colon = line.find(": ");
    return colon == std::string::npos ? "" : line.substr(colon + 2);
  }
  return "";
}

ProductChoice rule_of_this_cpu() {
  ProductChoice choice;
  const auto vendor = cpu_field("vendor_id");
  if (!has_onednn()) {
    choice.reason = "this libtorch has no oneDNN product";
  } else if (vendor == "GenuineIntel") {
    choice.reason = vendor;
  } else if (!kernels::is_available(kernels::Isa::avx512)) {
    choice.reason = (vendor.empty() ? "unknown CPU" : vendor) + " without AVX-512";
  } else {
    choice.library = ProductLibrary::onednn;
    choice.reason = vendor + " with AVX-512";
  }
  return choice;
}

const char* name_of(ProductLibrary library) {
  return library == ProductLibrary::onednn ? "onednn" : "libtorch";
}

ProductLibrary parse_library(const std::string& word, const std::string& where) {
  if (word == "onednn") return ProductLibrary::onednn;
  if (word == "libtorch") return ProductLibrary::libtorch;
  throw ValueError("[product] " + where + " must be libtorch or onednn, got '" + word + "'");
}

ProductChoice choose() {
  auto choice = rule_of_this_cpu();
  const char* forced = std::getenv("RHEOBASE_PRODUCT");
  if (forced != nullptr && *forced != '\0') {
    choice.library = parse_library(forced, "RHEOBASE_PRODUCT");
    choice.reason = "RHEOBASE_PRODUCT";
  } else if (const auto file = tuning_file(); !file.empty() && std::filesystem::exists(file)) {
    choice = read_tuning(file, choice);
  }
  if (choice.library == ProductLibrary::onednn && !has_onednn()) {
    choice.library = ProductLibrary::libtorch;
    choice.reason = "this libtorch has no oneDNN product";
  }
  return choice;
}

/// Floating-point operations below which no choice is worth its cost.
constexpr std::int64_t smallest_sparse = 1'000'000;

// ---- the product -----------------------------------------------------------------------------------------------

/// x [rows, in] transposed, with a long inner dimension and a small result: the gradient of a weight over many time steps.
/// oneDNN repacks such an x, which costs more than the product.
bool is_long_transposed(const at::Tensor& x, const at::Tensor& weight) {
  return x.stride(1) != 1 && x.size(0) > 32 && x.size(1) > 32 * weight.size(0);
}

bool suits_onednn(const at::Tensor& x, const at::Tensor& weight, const ProductChoice& choice) {
  if (choice.library != ProductLibrary::onednn || x.scalar_type() != at::kFloat || !x.is_cpu()) return false;
  const auto rows = x.size(0), inner = x.size(1), out = weight.size(0);
  if (2 * rows * inner * out < choice.smallest) return false;
  return !is_long_transposed(x, weight);
}

/// The share of x that is not zero, from rows spread over it.
double density(const at::Tensor& x) {
  const auto rows = x.size(0);
  const auto sample = x.slice(0, 0, rows, std::max<std::int64_t>(1, rows / 64));
  return static_cast<double>(at::count_nonzero(sample).item<std::int64_t>()) /
         static_cast<double>(sample.numel());
}

/// Where skipping zeros was measured to win: benchmarks/ops/sparse_product_bench.cpp.
bool suits_sparse(const at::Tensor& x, const at::Tensor& weight) {
  if (!x.is_cpu() || !x.is_contiguous() || 2 * x.numel() * weight.size(0) < smallest_sparse) return false;
  return density(x) < (weight.size(0) <= kernels::sparse_padding ? 0.1 : 0.2);
}

/// A result this large is made of fresh pages by the libraries, which takes longer than a tenth of the product; ours
/// goes into memory that is recycled.
bool suits_packed(const at::Tensor& x, const at::Tensor& weight) {
  constexpr std::int64_t large_bytes = std::int64_t{32} << 20;
  return x.stride(1) == 1 && x.size(0) * weight.size(0) * 4 >= large_bytes;
}

/// Where oneDNN would serve, and our own kernel stands beside it.
bool may_be_packed(const at::Tensor& x, const at::Tensor& weight, const ProductChoice& choice) {
  return choice.library == ProductLibrary::onednn && x.scalar_type() == at::kFloat && x.is_cpu() &&
         2 * x.numel() * weight.size(0) >= choice.smallest && kernels::chosen_isa() == kernels::Isa::avx512;
}

at::Tensor product(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, Operand x_holds) {
  if (x_holds == Operand::spikes && suits_sparse(x, weight)) {
    if (auto y = sparse_linear(x, weight, bias); y.defined()) return y;
  }
  if (may_be_packed(x, weight, product_choice())) {
    if (suits_packed(x, weight)) return detail::packed_linear(x, weight, bias);
    if (!bias.defined() && x.stride(0) == 1 && is_long_transposed(x, weight))
      return detail::packed_transposed(x, weight);
  }
  const bool onednn = suits_onednn(x, weight, product_choice());
  return linear_with(onednn ? ProductLibrary::onednn : ProductLibrary::libtorch, x, weight, bias);
}

struct LinearFunction : torch::autograd::Function<LinearFunction> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias, Operand x_holds) {
    ctx->save_for_backward({x, weight});
    ctx->saved_data["biased"] = bias.has_value();
    const at::AutoDispatchBelowADInplaceOrView below;
    return product(x, weight, bias.value_or(at::Tensor()), x_holds);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const auto saved = ctx->get_saved_variables();
    const auto& g = grads[0];
    variable_list out(4);
    if (!g.defined()) return out;
    // The same function again, so that second derivatives exist.
    if (ctx->needs_input_grad(0)) out[0] = linear(g, saved[1].t());
    if (ctx->needs_input_grad(1)) out[1] = linear(g.t(), saved[0].t());
    if (ctx->saved_data["biased"].toBool() && ctx->needs_input_grad(2)) out[2] = g.sum(0);
    return out;
  }
};

void check(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  if (!x.defined() || !weight.defined())
    throw ValueError("[linear] x and weight must be tensors, got an undefined one");
  if (weight.dim() != 2)
    throw ValueError("[linear] weight must be [out, in], got " + c10::str(weight.sizes()));
  if (x.dim() < 1 || x.size(-1) != weight.size(1)) {
    throw ValueError("[linear] x must have " + std::to_string(weight.size(1)) +
                     " features in its last dimension, got " + c10::str(x.sizes()));
  }
  if (bias.defined() && (bias.dim() != 1 || bias.size(0) != weight.size(0))) {
    throw ValueError("[linear] bias must have " + std::to_string(weight.size(0)) + " elements, got " +
                     c10::str(bias.sizes()));
  }
  const auto same = [&](const at::Tensor& t) {
    return t.scalar_type() == x.scalar_type() && t.device() == x.device();
  };
  if (!same(weight) || (bias.defined() && !same(bias))) {
    const auto& other = same(weight) ? bias : weight;
    throw TypeError(c10::str("[linear] x, weight and bias must have one type and device, got ",
                             x.scalar_type(), " on ", x.device(), " and ", other.scalar_type(), " on ",
                             other.device()));
  }
}

}  // namespace

bool has_onednn() { return onednn_product().has_value(); }

const ProductChoice& product_choice() {
  static const ProductChoice choice = choose();
  return choice;
}

std::string product_library() {
  const auto& choice = product_choice();
  return std::string(name_of(choice.library)) + " (" + choice.reason + ")";
}

std::filesystem::path tuning_file() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::filesystem::path(value == nullptr ? "" : value);
  };
  if (const auto named = variable("RHEOBASE_TUNING"); !named.empty()) return named;
  if (const auto folder = variable("XDG_CONFIG_HOME"); !folder.empty())
    return folder / "rheobase" / "tuning.txt";
  if (const auto home = variable("HOME"); !home.empty()) return home / ".config" / "rheobase" / "tuning.txt";
  return {};
}

std::string cpu_name() {
  return cpu_field("model name") + ", " + std::string(kernels::to_string(kernels::chosen_isa()));
}

std::string tuning_text(const ProductChoice& choice) {
  return "rheobase tuning 1\ncpu " + cpu_name() + "\nproduct " + name_of(choice.library) + "\nsmallest " +
         std::to_string(choice.smallest) + "\n";
}

ProductChoice read_tuning(const std::filesystem::path& file, const ProductChoice& rule) {
  std::ifstream in(file);
  int number = 0;
  const auto refuse = [&](const std::string& wanted, const std::string& got) {
    throw ValueError("[product] tuning file " + file.string() + ", line " + std::to_string(number) +
                     ", must be " + wanted + ", got '" + got.substr(0, 60) + "'");
  };
  const auto value = [&](const std::string& key) {
    std::string line;
    std::getline(in, line);
    ++number;
    if (!line.starts_with(key + " ")) refuse("'" + key + " ...'", line);
    return line.substr(key.size() + 1);
  };
  if (const auto version = value("rheobase tuning"); version != "1") refuse("of version 1", version);
  const auto cpu = value("cpu");
  ProductChoice choice;
  choice.library = parse_library(value("product"), "tuning file " + file.string() + ": product");
  const auto smallest = value("smallest");
  if (smallest.empty() || smallest.size() > 15 ||
      smallest.find_first_not_of("0123456789") != std::string::npos) {
    refuse("a count of operations", smallest);
  }
  choice.smallest = std::stoll(smallest);
  choice.reason = "tuning file " + file.string();
  return cpu == cpu_name() ? choice : rule;
}

at::Tensor sparse_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const auto type = x.scalar_type();
  if (!x.is_cpu() || (type != at::kFloat && type != at::kDouble)) return {};
  const at::AutoDispatchBelowADInplaceOrView below;
  const detail::SparseWeight packed(weight, bias);
  if (!packed.finite) return {};
  const auto xc = x.contiguous();
  auto y = recycled_empty({x.size(0), packed.out}, type);
  const auto run = [&]<class T>(T) {
    auto call = packed.call<T>();
    call.x = xc.const_data_ptr<T>();
    call.y = y.mutable_data_ptr<T>();
    const auto grain = std::max<std::int64_t>(1, 32768 / std::max<std::int64_t>(1, packed.in));
    at::parallel_for(0, x.size(0), grain, [&](std::int64_t begin, std::int64_t end) {
      std::vector<std::int32_t> positions(static_cast<std::size_t>(kernels::sparse_workspace(packed.in)));
      kernels::sparse_product(call, begin, end, positions.data());
    });
  };
  type == at::kFloat ? run(float{}) : run(double{});
  return y;
}

at::Tensor linear_with(ProductLibrary library, const at::Tensor& x, const at::Tensor& weight,
                       const at::Tensor& bias) {
  if (library == ProductLibrary::onednn && has_onednn() && x.numel() > 0 && weight.numel() > 0) {
    return onednn_product()->call(x, weight, bias.defined() ? std::optional(bias) : std::nullopt, "none",
                                  c10::List<std::optional<at::Scalar>>(), "");
  }
  return bias.defined() ? at::addmm(bias, x, weight.t()) : at::mm(x, weight.t());
}

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, Operand x_holds) {
  check(x, weight, bias);
  const auto in = weight.size(1);
  const auto rows = c10::multiply_integers(x.sizes().slice(0, static_cast<std::size_t>(x.dim()) - 1));
  const auto flat = x.dim() == 2 ? x : x.reshape({rows, in});
  const bool recorded = at::GradMode::is_enabled() && (x.requires_grad() || weight.requires_grad() ||
                                                       (bias.defined() && bias.requires_grad()));
  const auto given = bias.defined() ? std::optional(bias) : std::nullopt;
  const auto y =
      recorded ? LinearFunction::apply(flat, weight, given, x_holds) : product(flat, weight, bias, x_holds);
  if (x.dim() == 2) return y;
  auto shape = x.sizes().vec();
  shape.back() = weight.size(0);
  return y.view(shape);
}

}  // namespace rheo::ops
