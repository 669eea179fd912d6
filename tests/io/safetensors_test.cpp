// Files of tensors: what is written comes back, Python's files are read, and every damage is one clear error.
#include "rheo/io/safetensors.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <torch/torch.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "rheo/io/write_file.hpp"
#include "rheo/ops/error.hpp"
#include "tests/error_of.hpp"

namespace {

namespace fs = std::filesystem;
using rheo::io::read_tensors;
using rheo::io::TensorFile;
using rheo::io::write_file;
using rheo::io::write_tensors;
using rheo::test::error_of;

class Files : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "rheo_io_XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    path_ = folder_ / "net.safetensors";
  }
  void TearDown() override { fs::remove_all(folder_); }

  void put(std::string_view bytes) const {
    std::ofstream(path_, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  std::string get() const {
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  int files_in_folder() const {
    return static_cast<int>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  fs::path folder_, path_;
};
using Safetensors = Files;
using WriteFile = Files;

/// The file with this header, unpadded.
std::string with_header(const std::string& header, const std::string& data = "") {
  const std::uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + data;
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TensorFile sample() {
  torch::manual_seed(2);
  return {.tensors = {{"flag", torch::tensor({true, false, true})},
                      {"0.weight", torch::randn({3, 5})},
                      {"scalar", torch::tensor(0.1, torch::kDouble)},
                      {"none", torch::zeros({0, 4})},
                      {"half", torch::randn({3}).to(torch::kHalf)},
                      {"brain", torch::randn({3}).to(torch::kBFloat16)},
                      {"steps", torch::tensor({int64_t{1} << 40, int64_t{-3}})},
                      {"bytes", torch::arange(7, torch::kByte)},
                      {"signed", torch::arange(3, torch::kChar)},
                      {"short", torch::arange(3, torch::kShort)},
                      {"int", torch::arange(3, torch::kInt)},
                      {"\xc3\xa9 \"quoted\"\n", torch::randn({4, 2}).t()}},
          .metadata = {{"about", "a \"text\"\nof two lines"}, {"empty", ""}}};
}

TEST_F(Safetensors, WhatIsWrittenComesBack) {
  const TensorFile file = sample();
  write_tensors(path_, file);
  const TensorFile back = read_tensors(path_);
  EXPECT_EQ(back.metadata, file.metadata);
  ASSERT_EQ(back.tensors.size(), file.tensors.size());
  for (std::size_t i = 0; i < file.tensors.size(); ++i) {
    EXPECT_EQ(back.tensors[i].first, file.tensors[i].first);
    EXPECT_EQ(back.tensors[i].second.scalar_type(), file.tensors[i].second.scalar_type());
    EXPECT_TRUE(torch::equal(back.tensors[i].second, file.tensors[i].second)) << file.tensors[i].first;
    EXPECT_TRUE(back.tensors[i].second.is_contiguous());
  }
  EXPECT_TRUE(back.contains("steps"));
  EXPECT_FALSE(back.contains("step"));
  EXPECT_EQ(back["scalar"].item<double>(), 0.1);
  EXPECT_EQ(error_of<rheo::ValueError>([&] { back["step"]; }),
            "[TensorFile] name must be that of a tensor in the file, got 'step'");
  EXPECT_EQ(files_in_folder(), 1);
}

TEST_F(Safetensors, AnEmptyFileOfTensorsIsOne) {
  write_tensors(path_, {});
  const TensorFile back = read_tensors(path_);
  EXPECT_TRUE(back.tensors.empty());
  EXPECT_TRUE(back.metadata.empty());
}

// Byte for byte: the layout that other readers rely on.
TEST_F(Safetensors, Layout) {
  write_tensors(path_,
                {.tensors = {{"b", torch::tensor({uint8_t{9}})}, {"a", torch::tensor({1.0F, -2.0F})}}});
  const std::string bytes = get();
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  EXPECT_EQ(length % 8, 0U);
  ASSERT_EQ(bytes.size(), 8 + length + 9);
  const std::string header = bytes.substr(8, length);
  EXPECT_EQ(header.substr(0, 16), "{\"__metadata__\":");
  // The wide type lies first, at a multiple of its size; the header keeps the given order.
  EXPECT_TRUE(contains(header, R"("b":{"dtype":"U8","shape":[1],"data_offsets":[8,9]},)"
                               R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})"));
  EXPECT_EQ(bytes.substr(8 + length), std::string("\x00\x00\x80\x3f\x00\x00\x00\xc0\x09", 9));
}

// Written by the Python package, 0.8.
TEST_F(Safetensors, ReadsPythonsFiles) {
  put(with_header(R"({"__metadata__":{"by":"python"},"n":{"dtype":"I64","shape":[],"data_offsets":[0,8]},)"
                  R"("w":{"dtype":"F32","shape":[1,3],"data_offsets":[8,20]},)"
                  R"("e":{"dtype":"U8","shape":[0,2],"data_offsets":[20,20]}}    )",
                  std::string("\x07\0\0\0\0\0\0\0\0\0\x80?\0\0\0\xc0\0\0\0?", 20)));
  const TensorFile file = read_tensors(path_);
  EXPECT_EQ(file.metadata, (std::map<std::string, std::string>{{"by", "python"}}));
  ASSERT_EQ(file.tensors.size(), 3U);
  EXPECT_EQ(file["n"].item<int64_t>(), 7);
  EXPECT_TRUE(torch::equal(file["w"], torch::tensor({{1.0F, -2.0F, 0.5F}})));
  EXPECT_EQ(file["e"].sizes(), (std::vector<int64_t>{0, 2}));
}

TEST_F(Safetensors, CutAnywhere) {
  write_tensors(path_, sample());
  const std::string whole = get();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    put(std::string_view(whole).substr(0, size));
    const std::string error = error_of<rheo::RuntimeError>([&] { read_tensors(path_); });
    ASSERT_TRUE(contains(error, path_.string()) && contains(error, "at byte ")) << size << ": " << error;
  }
  put(whole + "x");
  EXPECT_TRUE(contains(error_of<rheo::RuntimeError>([&] { read_tensors(path_); }), "more data than tensors"));
}

TEST_F(Safetensors, EveryFlippedBit) {
  write_tensors(path_, {.tensors = {{"w", torch::arange(6, torch::kFloat)}, {"n", torch::tensor(3)}},
                        .metadata = {{"epoch", "3"}}});
  const std::string whole = get();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
      put(bytes);
      const std::string error = error_of<rheo::RuntimeError>([&] { read_tensors(path_); });
      ASSERT_TRUE(contains(error, path_.string()) && contains(error, "at byte ")) << at << ": " << error;
    }
  }
}

TEST_F(Safetensors, HeadersThatLie) {
  const auto entry = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return R"({"w":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
  };
  const std::string f32 = R"("F32")";
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "must begin with {"},
      {"[1]", "must begin with {"},
      {"{\"w\":", "not JSON"},
      {"{\"w\":1}", "must have dtype, shape and data_offsets"},
      {"{\"__metadata__\":[]}", "__metadata__ must be an object"},
      {"{\"__metadata__\":{\"a\":1}}", "__metadata__ must hold strings"},
      {"{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", "a key twice"},
      {"{\"__metadata__\":{\"crc32.data\":\"00000000\"}}", "one of two checksums is missing"},
      {"{\"a\":" + std::string(100'000, '['), "nested too deeply"},
      {entry("7", "[1]", "[0,4]"), "dtype must be a string"},
      {entry(R"("F4")", "[1]", "[0,4]"), "dtype \"F4\" is not known here"},
      {entry(f32, "1", "[0,4]"), "shape must be a list"},
      {entry(f32, "[-1]", "[0,4]"), "whole numbers"},
      {entry(f32, "[1.0]", "[0,4]"), "whole numbers"},
      {entry(f32, "[18446744073709551615]", "[0,4]"), "whole numbers"},
      {entry(f32, "[4294967296,4294967296]", "[0,0]"), "shape is too large"},
      {entry(f32, "[0,4611686018427387904,16]", "[0,0]"), "shape is too large"},
      {entry(f32, "[1]", "[0]"), "two numbers"},
      {entry(f32, "[1]", "[0,-4]"), "whole numbers"},
      {entry(f32, "[1]", "[4,0]"), "inside the file"},
      {entry(f32, "[1]", "[0,4000000000000]"), "inside the file"},
      {entry(f32, "[1]", "[0,8]"), "as many bytes"},
      {entry(f32, "[2000000000]", "[0,8]"), "as many bytes"},
      {entry(f32, "[1]", "[4,8]"), "does not follow"},
      {entry(f32, "[1]", "[0,4]"), "more data than tensors"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
       "does not follow"},
  };
  for (const auto& [header, rule] : cases) {
    put(with_header(header, "12345678"));
    const std::string error = error_of<rheo::RuntimeError>([&] { read_tensors(path_); });
    EXPECT_TRUE(contains(error, rule) && contains(error, path_.string()))
        << header.substr(0, 80) << ": " << error;
  }
  std::string bytes = with_header("{}");
  bytes[6] = 1;  // 2^48 bytes of header: refused before memory is taken
  put(bytes);
  EXPECT_TRUE(contains(error_of<rheo::RuntimeError>([&] { read_tensors(path_); }),
                       "goes beyond the file's 10 bytes"));
}

TEST_F(Safetensors, WhatCannotBeReadOrWritten) {
  EXPECT_EQ(error_of<rheo::RuntimeError>([&] { read_tensors(path_); }),
            "[read_tensors] cannot read " + path_.string() + ": No such file or directory");
  EXPECT_EQ(error_of<rheo::RuntimeError>([&] { read_tensors(folder_); }),
            "[read_tensors] " + folder_.string() + " must be a regular file, got another kind");
  const auto w = torch::ones({2});
  EXPECT_EQ(error_of<rheo::ValueError>([&] { write_tensors(path_, {.tensors = {{"w", w}, {"w", w}}}); }),
            "[write_tensors] names must differ from each other and from __metadata__, got 'w' twice");
  EXPECT_EQ(error_of<rheo::ValueError>([&] { write_tensors(path_, {.tensors = {{"w", torch::Tensor()}}}); }),
            "[write_tensors] tensor 'w' must be a tensor, got an undefined one");
  EXPECT_TRUE(contains(error_of<rheo::ValueError>([&] {
                         write_tensors(path_, {.tensors = {{"w", torch::ones({2}, torch::kComplexFloat)}}});
                       }),
                       "tensor 'w' must be dense and of a type the format has"));
  EXPECT_TRUE(contains(error_of<rheo::ValueError>([&] { write_tensors(path_, {.tensors = {{"\xff", w}}}); }),
                       "must be UTF-8"));
  EXPECT_EQ(files_in_folder(), 0);
}

TEST_F(WriteFile, ReplacesWhatWasThere) {
  write_file(path_, "one");
  EXPECT_EQ(get(), "one");
  ASSERT_EQ(::chmod(path_.c_str(), 0600), 0);
  write_file(path_, "two and more");
  EXPECT_EQ(get(), "two and more");
  EXPECT_EQ(fs::status(path_).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  std::ofstream(path_.string() + ".partial") << "left by a run that was killed, and longer than what comes";
  write_file(path_, "three");
  EXPECT_EQ(get(), "three");
  EXPECT_EQ(files_in_folder(), 1);
}

TEST_F(WriteFile, AFolderThatIsNotThere) {
  const fs::path path = folder_ / "nowhere" / "metrics.csv";
  EXPECT_EQ(error_of<rheo::RuntimeError>([&] { write_file(path, "x"); }),
            "[write_file] cannot write " + path.string() + ": No such file or directory");
  EXPECT_EQ(error_of<rheo::RuntimeError>([&] { write_file(folder_, "x"); }),
            "[write_file] cannot write " + folder_.string() + ": Is a directory");
  EXPECT_FALSE(fs::exists(folder_.string() + ".partial"));
}

/// Files of this process may grow to `bytes` while it lives: then writing fails, as on a full disk.
class SizeLimit {
 public:
  explicit SizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit limit{bytes, old_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~SizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit old_{};
  void (*handler_)(int);
};

TEST_F(WriteFile, NoRoomLeft) {
  write_tensors(path_, {.tensors = {{"w", torch::ones({10})}}});
  const std::string old = get();
  for (const rlim_t room : {0, 100, 4096, 399'999}) {
    std::string error;
    {
      const SizeLimit limit(room);
      error = error_of<rheo::RuntimeError>(
          [&] { write_tensors(path_, {.tensors = {{"w", torch::ones({100'000})}}}); });
    }
    EXPECT_EQ(error, "[write_file] cannot write " + path_.string() + ": File too large");
    EXPECT_EQ(get(), old);
    EXPECT_EQ(files_in_folder(), 1);
  }
}

}  // namespace
