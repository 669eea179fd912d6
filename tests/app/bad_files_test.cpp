// Files that are cut, foreign or damaged: one clear error each, whatever is wrong with them.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "app/train/run.hpp"
#include "rheo/ops/error.hpp"
#include "tests/app/idx_files.hpp"
#include "tests/app/program.hpp"

namespace {

namespace fs = std::filesystem;

using rheo::test::contents;
using rheo::test::idx_images;
using rheo::test::idx_labels;
using rheo::test::Result;
using rheo::test::write_bytes;
using rheo::test::write_idx_folder;

class BadFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "rheobase-bad-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  [[nodiscard]] Result run(const std::string& arguments) const {
    return rheo::test::run_program(folder_, folder_ / "log", "PATH=/nonexistent", arguments);
  }

  void expect_error(const std::string& arguments, const std::string& message) const {
    const Result result = run(arguments);
    EXPECT_TRUE(result.code == 1 || result.code == 2) << arguments << ": " << result.code << "\n"
                                                      << result.err;
    EXPECT_EQ(result.out, "");
    EXPECT_TRUE(result.err.starts_with("rheobase: error: ")) << result.err;
    EXPECT_NE(result.err.find(message), std::string::npos) << result.err;
    EXPECT_EQ(result.err.find('\n'), result.err.size() - 1) << "one line: " << result.err;
    EXPECT_FALSE(fs::exists(folder_ / "runs")) << "no run is begun: " << arguments;
  }

  fs::path folder_;
};

TEST_F(BadFiles, OfMnist) {
  constexpr std::uint32_t count = 50;
  const std::string images = idx_images(count), labels = idx_labels(count);
  const fs::path data = folder_ / "data", image_file = data / "t10k-images-idx3-ubyte";
  const auto expect = [&](const std::string& message) { expect_error("train mnist --data data", message); };
  const auto with = [&](const std::string& bytes) {
    fs::remove_all(data);
    write_idx_folder(data, count);
    write_bytes(image_file, bytes);
  };

  fs::create_directories(data);
  expect("data");  // an empty folder
  with(images.substr(0, images.size() / 2));
  expect("t10k-images-idx3-ubyte");
  with(images.substr(0, 7));
  expect("t10k-images-idx3-ubyte");
  with("");
  expect("t10k-images-idx3-ubyte");
  with("GIF89a" + std::string(2000, 'x'));
  expect("t10k-images-idx3-ubyte");
  with(labels);  // the wrong magic: one dimension
  expect("t10k-images-idx3-ubyte");
  with(std::string("\0\0\x0D\3", 4) + images.substr(4));  // floats
  expect("t10k-images-idx3-ubyte");
  with(images + "more");
  expect("t10k-images-idx3-ubyte");
  with(idx_images(count - 1));
  expect("49");  // labels and images of different counts
  with(images);
  fs::remove(data / "t10k-labels-idx1-ubyte");
  expect("labels");
  with(images);
  write_bytes(data / "t10k-labels-idx1-ubyte", labels.substr(0, labels.size() - 1) + '\x0B');
  expect("t10k-labels-idx1-ubyte");

  // A gzip file, damaged in the middle and cut.
  with(images);
  if (std::system(("gzip " + image_file.string()).c_str()) != 0) GTEST_SKIP() << "no gzip";
  const fs::path zipped = image_file.string() + ".gz";
  const std::string whole = contents(zipped);
  std::string damaged = whole;
  for (std::size_t i = whole.size() / 2; i < whole.size() / 2 + 8; ++i)
    damaged[i] = static_cast<char>(~damaged[i]);
  write_bytes(zipped, damaged);
  expect("t10k-images-idx3-ubyte.gz");
  write_bytes(zipped, whole.substr(0, whole.size() / 2));
  expect("t10k-images-idx3-ubyte.gz");
}

TEST_F(BadFiles, CheckpointCutAnywhere) {
  ASSERT_EQ(run("train randman -q --out run --threads 1 --set samples=20 --set hidden=8 --epochs 1").code, 0);
  const std::string whole = contents(folder_ / "run" / "checkpoint.safetensors");
  const fs::path cut = folder_ / "cut.safetensors";
  EXPECT_NO_THROW((void)rheo::app::train::open_run(folder_ / "run"));
  for (std::size_t i = 0; i < 200; ++i) {
    write_bytes(cut, whole.substr(0, whole.size() * i / 200));
    try {
      (void)rheo::app::train::open_run(cut);
      FAIL() << "cut to " << i << "/200";
    } catch (const rheo::RuntimeError& error) {
      EXPECT_NE(std::string(error.what()).find(cut.string()), std::string::npos) << error.what();
    }
  }
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{5}, std::size_t{100}, whole.size() / 2, whole.size() - 1}) {
    write_bytes(cut, whole.substr(0, size));
    expect_error("predict cut.safetensors", "cut.safetensors");
  }
  std::string flipped = whole;
  flipped[whole.size() - 100] = static_cast<char>(flipped[whole.size() - 100] ^ 1);
  write_bytes(cut, flipped);
  expect_error("predict cut.safetensors", "cut.safetensors");
  expect_error("inspect cut.safetensors", "cut.safetensors");
  write_bytes(cut, "a text that is no checkpoint at all");
  expect_error("predict cut.safetensors", "cut.safetensors");
  write_bytes(folder_ / "run" / "checkpoint.safetensors", whole.substr(0, whole.size() / 3));
  expect_error("train randman --out run --resume", "checkpoint.safetensors");
}

}  // namespace
