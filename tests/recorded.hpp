// tests/data/cases.json.gz, recorded from snnTorch 1.0.0: reading the cases, and comparing with them.
#pragma once

#include <gtest/gtest.h>
#include <torch/torch.h>
#include <zlib.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

namespace recorded {

using nlohmann::json;
using Tensors = std::map<std::string, torch::Tensor>;

inline std::string unpacked(const char* path) {
  std::string text;
  gzFile file = gzopen(path, "rb");
  char block[1 << 16];
  for (int n = 0; file != nullptr && (n = gzread(file, block, sizeof block)) > 0;)
    text.append(block, static_cast<std::size_t>(n));
  if (file != nullptr) gzclose(file);
  return text;
}

inline const json& cases() {
  static const json all = json::parse(unpacked(RHEO_TEST_DATA "/cases.json.gz")).at("cases");
  return all;
}

inline std::vector<json> of_kind(const std::string& kind) {
  std::vector<json> out;
  for (const auto& c : cases()) {
    if (c.at("kind") == kind) out.push_back(c);
  }
  return out;
}

inline void flatten(const json& data, std::vector<double>& to) {
  if (data.is_array()) {
    for (const auto& item : data) flatten(item, to);
  } else {
    to.push_back(data.get<double>());
  }
}

inline torch::Tensor array(const json& a) {
  std::vector<double> values;
  flatten(a.at("data"), values);
  const auto type = a.at("dtype") == "int64" ? torch::kLong : torch::kFloat;
  return torch::tensor(values, torch::kDouble)
      .to(type)
      .reshape(a.at("shape").get<std::vector<std::int64_t>>());
}

inline Tensors arrays(const json& of) {
  Tensors out;
  for (const auto& [name, a] : of.items()) out[name] = array(a);
  return out;
}

/// Every recorded output must be among ours: marked ones equal in what is zero, numbers to
/// |a - b| <= atol max(1, max|b|) + rtol |b|.
inline void compare(const json& c, const Tensors& ours) {
  const auto exact = c.at("exact").get<std::set<std::string>>();
  for (const auto& [name, recorded] : c.at("outputs").items()) {
    if (!recorded.is_object()) continue;  // Python's None
    SCOPED_TRACE(name);
    ASSERT_TRUE(ours.contains(name));
    ASSERT_TRUE(ours.at(name).defined());
    const auto a = ours.at(name).detach();
    const auto b = array(recorded);
    ASSERT_EQ(a.sizes(), b.sizes());
    EXPECT_TRUE(!exact.contains(name) || a.ne(0).equal(b.ne(0)));
    if (b.scalar_type() == torch::kLong) {  // an index or a count
      EXPECT_TRUE(a.to(torch::kLong).equal(b)) << "ours\n" << a << "\nrecorded\n" << b;
      continue;
    }
    ASSERT_EQ(a.scalar_type(), torch::kFloat);
    if (b.numel() == 0) continue;
    const auto scale = std::max(1.0, b.abs().max().item<double>());
    const auto room = c.at("atol").get<double>() * scale + c.at("rtol").get<double>() * b.abs();
    const auto over = ((a - b).abs() - room).max().item<double>();
    EXPECT_LE(over, 0) << "ours\n" << a << "\nrecorded\n" << b;
    EXPECT_TRUE(a.isfinite().all().item<bool>());
  }
}

}  // namespace recorded
