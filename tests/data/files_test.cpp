// What comes from files: IDX, MNIST, index lists. The tests make their files, whole and damaged, themselves; those of the
// real MNIST run where $RHEOBASE_DATA/mnist has it.
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "rheo/data/idx.hpp"
#include "rheo/data/mnist.hpp"
#include "rheo/data/split.hpp"
#include "rheo/ops/error.hpp"

namespace {

namespace fs = std::filesystem;
using namespace rheo::data;

class Files : public ::testing::Test {
 protected:
  Files() {
    std::string pattern = (fs::temp_directory_path() / "rheo-data-XXXXXX").string();
    folder = mkdtemp(pattern.data());
  }
  ~Files() override { fs::remove_all(folder); }

  fs::path write(const fs::path& name, const std::string& bytes) const {
    fs::create_directories((folder / name).parent_path());
    std::ofstream(folder / name, std::ios::binary) << bytes;
    return folder / name;
  }

  fs::path folder;
};

std::string text_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

std::string header(std::vector<std::uint32_t> sizes, char type = 8) {
  std::string out{0, 0, type, static_cast<char>(sizes.size())};
  for (const std::uint32_t size : sizes) {
    for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(size >> shift & 0xff);
  }
  return out;
}

/// Elements 0, 1, 2, ... mod `modulus`.
std::string idx(const std::vector<std::uint32_t>& sizes, unsigned modulus = 256) {
  std::string out = header(sizes);
  const auto count = std::accumulate(sizes.begin(), sizes.end(), 1U, std::multiplies<>());
  for (unsigned i = 0; i < count; ++i) out += static_cast<char>(i % modulus);
  return out;
}

std::string gzip(const std::string& bytes) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

/// The text of the rheo::RuntimeError that `f` throws; it names `file` and is one line.
template <class F>
std::string error_of(const fs::path& file, F f) {
  try {
    f();
  } catch (const rheo::RuntimeError& e) {
    const std::string text = e.what();
    EXPECT_NE(text.find(file.string()), std::string::npos) << text;
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
    return text;
  }
  ADD_FAILURE() << file << ": no error";
  return {};
}

void expect_part(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "\"" << part << "\" is not in: " << text;
}

// ---- IDX -------------------------------------------------------------------------------------------------------------

TEST_F(Files, IdxIsReadPlainAndCompressedWhateverItsName) {
  const std::string bytes = idx({3, 5, 2});
  const at::Tensor expected = at::arange(30, at::kByte).reshape({3, 5, 2});
  EXPECT_TRUE(at::equal(read_idx(write("plain", bytes)), expected));
  EXPECT_TRUE(at::equal(read_idx(write("plain.gz", bytes)), expected));
  EXPECT_TRUE(at::equal(read_idx(write("zipped", gzip(bytes))), expected));
  EXPECT_EQ(read_idx(write("nothing", idx({0, 28, 28}))).sizes(), (std::vector<std::int64_t>{0, 28, 28}));
  // More than one chunk of the reader.
  const std::string large = idx({300, 1000}, 251);
  EXPECT_TRUE(at::equal(read_idx(write("large.gz", gzip(large))), read_idx(write("large", large))));
  EXPECT_EQ(read_idx(folder / "large.gz")[299][999].item<int>(), 299999 % 251);
}

TEST_F(Files, IdxOfAnotherKindIsOneClearError) {
  const std::string good = idx({4, 3});
  const std::vector<std::uint32_t> absurd(8, 0xffffffffU);
  std::string wrong_crc = gzip(good);
  wrong_crc[wrong_crc.size() - 6] ^= 1;  // its CRC
  const struct {
    std::string name, bytes, part;
  } cases[] = {
      {"empty", "", "is cut off in its header, ends at byte 0"},
      {"three bytes", good.substr(0, 3), "is cut off in its header"},
      {"half a size", good.substr(0, 10), "is cut off in its header, ends at byte 10"},
      {"cut", good.substr(0, 20),
       "is cut off or damaged: its header promises 4 x 3 elements, more than its 20 bytes can hold"},
      {"zip", "PK\3\4 and more of it", "must be an IDX file"},
      {"text", "<html><body>404</body></html>", "got 3c 68 74 6d"},
      {"no dimensions", std::string("\0\0\10\0", 4), "must be an IDX file"},
      {"nine dimensions", header(std::vector<std::uint32_t>(9, 1)) + "x", "must be an IDX file"},
      {"floats", header({1}, 13) + "abcd", "elements must be unsigned bytes"},
      {"rest", good + "x", "must end after its elements, got more at byte 24"},
      {"absurd", header(absurd), "bytes can hold"},
      {"overflow", header({0x80000000U, 0x80000000U, 4}) + "x", "bytes can hold"},  // the product is 2^64
      {"more than there is", header({0xffffffffU}) + "x", "bytes can hold"},
      {"gzip of text", gzip("<html>"), "must be an IDX file"},
      {"gzip of a cut file", gzip(good.substr(0, 20)), "ends at byte 20 of its decompressed data"},
      {"gzip with a longer file", gzip(good + "x"), "got more at byte 24 of its decompressed data"},
      {"gzip with a rest", gzip(good) + "x", "must end after its gzip data, got more at byte"},
      {"two gzips", gzip(good) + gzip(good), "must end after its gzip data"},
      {"gzip absurd", gzip(header(absurd)), "bytes can hold"},
      {"gzip magic alone", "\x1f\x8b", "gzip data is cut off at byte 2"},
      {"gzip damaged", std::string("\x1f\x8b\x08\0\0\0\0\0\0\0\xff\xff\xff", 13),
       "gzip data is damaged near byte"},
      {"gzip crc", wrong_crc, "gzip data is damaged near byte"},
      {"bomb", gzip(header({1}) + std::string(20'000'000, '\0')),
       "got more at byte 9 of its decompressed data"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const fs::path file = write(c.name, c.bytes);
    expect_part(error_of(file, [&] { (void)read_idx(file); }), c.part);
  }
  expect_part(error_of(folder / "absent", [&] { (void)read_idx(folder / "absent"); }), "does not exist");
  expect_part(error_of(folder, [&] { (void)read_idx(folder); }), "must be a file");
}

TEST_F(Files, IdxCutAnywhereIsAnError) {
  for (const std::string& bytes : {idx({10, 4}), gzip(idx({10, 4}))}) {
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      SCOPED_TRACE(size);
      const fs::path file = write("cut", bytes.substr(0, size));
      error_of(file, [&] { (void)read_idx(file); });
    }
  }
}

// A gzip file has bytes that say nothing about its content (date, system); all others must be noticed.
TEST_F(Files, GzipWithAChangedByteIsAnErrorOrTheSame) {
  const std::string bytes = gzip(idx({10, 4}));
  const at::Tensor expected = read_idx(write("whole", bytes));
  int errors = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      const fs::path file = write("changed", changed);
      try {
        EXPECT_TRUE(at::equal(read_idx(file), expected)) << "byte " << i << ", bit " << bit;
      } catch (const rheo::RuntimeError& e) {
        expect_part(e.what(), file.string());
        ++errors;
      }
    }
  }
  EXPECT_GT(errors, 8 * (static_cast<int>(bytes.size()) - 10));  // of the ten header bytes, six carry nothing
}

// ---- MNIST -----------------------------------------------------------------------------------------------------------

class MnistFiles : public Files {
 protected:
  void put(const std::string& part, std::uint32_t count, const std::string& separator = "-",
           bool zipped = false, const fs::path& inside = {}) const {
    const auto packed = [&](const std::string& bytes) { return zipped ? gzip(bytes) : bytes; };
    const std::string ending = zipped ? ".gz" : "";
    write(inside / (part + "-images" + separator + "idx3-ubyte" + ending), packed(idx({count, 28, 28}, 253)));
    write(inside / (part + "-labels" + separator + "idx1-ubyte" + ending), packed(idx({count}, 10)));
  }
  std::string error() const {
    return error_of(folder, [&] { const Mnist mnist(folder); });
  }
};

TEST_F(MnistFiles, OnlyT10kIsSaidAndSplit) {
  put("t10k", 40, "-", true);
  const Mnist mnist(folder);
  EXPECT_EQ(mnist.size(), 40);
  expect_part(mnist.note(), "Only MNIST's t10k files are in " + folder.string());
  expect_part(mnist.note(), "36 to train and 4 to test");
  EXPECT_EQ(mnist.split().train, mnist_t10k_split(40).train);
  EXPECT_EQ(mnist.split().test, mnist_t10k_split(40).test);
  EXPECT_FALSE(mnist.is_sequence());

  const std::vector<std::int64_t> which{39, 0, 7};
  const Batch batch = mnist.batch(which);
  EXPECT_EQ(batch.indices, which);
  EXPECT_TRUE(at::equal(batch.y, at::tensor({9, 0, 7}, at::kLong)));
  const at::Tensor pixels = at::arange(40 * 784).remainder(253).reshape({40, 1, 28, 28}).to(at::kFloat);
  EXPECT_TRUE(at::equal(batch.x, (pixels / 255).index_select(0, at::tensor(which))));
  for (const std::int64_t wrong : {-1, 40}) {
    EXPECT_THROW((void)mnist.batch(std::vector<std::int64_t>{wrong}), rheo::ValueError);
  }
}

TEST_F(MnistFiles, TrainAndT10kAreTwoParts) {
  put("train", 60);
  put("t10k", 10, ".", true);
  const Mnist mnist(folder);
  EXPECT_EQ(mnist.note(), "");
  EXPECT_EQ(mnist.size(), 70);
  std::vector<std::int64_t> all = mnist.split().train;
  EXPECT_EQ(all.size(), 60U);
  all.insert(all.end(), mnist.split().test.begin(), mnist.split().test.end());
  std::vector<std::int64_t> expected(70);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(all, expected);
  EXPECT_TRUE(mnist.split().validation.empty());
  // Sample 61 is the second of t10k.
  const Batch batch = mnist.batch(std::vector<std::int64_t>{61});
  EXPECT_EQ(batch.y.item<int>(), 1);
  EXPECT_FLOAT_EQ(batch.x.flatten()[0].item<float>(), static_cast<float>(784 % 253) / 255);
}

TEST_F(MnistFiles, IsFoundWhereItLies) {
  const char* before = std::getenv("RHEOBASE_DATA");
  const std::optional<std::string> kept =
      before != nullptr ? std::optional<std::string>(before) : std::nullopt;
  put("t10k", 10, "-", false, "root/mnist");
  put("t10k", 10, ".", true, "torchvision/MNIST/raw");
  EXPECT_EQ(find_mnist(folder / "root"), folder / "root/mnist");
  EXPECT_EQ(find_mnist(folder / "root/mnist"), folder / "root/mnist");
  EXPECT_EQ(find_mnist(folder / "torchvision"), folder / "torchvision/MNIST/raw");
  EXPECT_EQ(Mnist(find_mnist(folder / "torchvision")).size(), 10);
  setenv("RHEOBASE_DATA", (folder / "root").c_str(), 1);
  EXPECT_EQ(find_mnist(), folder / "root/mnist");
  setenv("RHEOBASE_DATA", (folder / "nowhere").c_str(), 1);
  fs::create_directory(folder / "bare");
  expect_part(error_of(folder / "nowhere/mnist", [] { (void)find_mnist(); }), "data/mnist");
  expect_part(error_of(folder / "bare", [&] { (void)find_mnist(folder / "bare"); }), "(has no such file)");
  expect_part(error_of(folder / "no", [&] { (void)find_mnist(folder / "no"); }), "(does not exist)");
  kept ? setenv("RHEOBASE_DATA", kept->c_str(), 1) : unsetenv("RHEOBASE_DATA");
}

TEST_F(MnistFiles, AnythingWrongIsOneClearError) {
  expect_part(error(), "holds no t10k-images-idx3-ubyte[.gz]");
  expect_part(error_of(folder / "no", [&] { const Mnist mnist(folder / "no"); }), "does not exist");
  const fs::path file = write("file", "");
  expect_part(error_of(file, [&] { const Mnist mnist(file); }), "must be a folder");

  put("t10k", 20);
  const fs::path labels = write("t10k-labels-idx1-ubyte", idx({19}, 10));
  expect_part(error(), labels.string() + ": must hold a label for each of the 20 images in ");
  write("t10k-labels-idx1-ubyte", idx({20}, 11));
  expect_part(error(), labels.string() + ": labels must be 0 to 9, got 10 at sample 10");
}

TEST_F(MnistFiles, ShapesAndPartnersAreChecked) {
  put("t10k", 10);
  const fs::path labels = folder / "t10k-labels-idx1-ubyte";
  write(labels.filename(), idx({10, 1}, 10));
  expect_part(error(), labels.string() + ": must hold labels, one dimension, got [10, 1]");
  fs::remove(labels);
  expect_part(error(), "holds t10k's images but no t10k-labels-idx1-ubyte[.gz]");
  put("t10k", 10);
  const fs::path images = write("t10k-images-idx3-ubyte", idx({10, 27, 28}));
  expect_part(error(), images.string() + ": must hold images, N x 28 x 28, got [10, 27, 28]");
  write(images.filename(), idx({0, 28, 28}));
  expect_part(error(), images.string() + ": must hold images");
  write(images.filename(), idx({10}, 10));
  expect_part(error(), images.string() + ": must hold images");
  fs::remove(images);
  expect_part(error(), "holds t10k's labels but no t10k-images-idx3-ubyte[.gz]");
  fs::remove(labels);
  put("train", 10);
  expect_part(error(), "holds no t10k-images-idx3-ubyte[.gz]");
}

TEST(RealMnist, TheT10kFilesAreThere) {
  const char* root = std::getenv("RHEOBASE_DATA");
  if (root == nullptr || !fs::exists(fs::path(root) / "mnist")) {
    GTEST_SKIP() << "the real MNIST is read where RHEOBASE_DATA names a folder with mnist in it";
  }
  const Mnist mnist(find_mnist());
  std::vector<std::int64_t> t10k(10000);
  std::iota(t10k.begin(), t10k.end(), mnist.size() - 10000);
  const Batch batch = mnist.batch(t10k);
  // Counts of the digits in the published test file.
  EXPECT_TRUE(at::equal(at::bincount(batch.y),
                        at::tensor({980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009}, at::kLong)));
  EXPECT_EQ(batch.y[0].item<int>(), 7);
  EXPECT_EQ(batch.x.max().item<float>(), 1.0F);
  EXPECT_NEAR(batch.x.mean().item<double>(), 0.1325, 1e-4);
}

// ---- index lists -----------------------------------------------------------------------------------------------------

void expect_each_once(const Split& split, std::int64_t size) {
  std::set<std::int64_t> seen;
  for (const auto* list : {&split.train, &split.validation, &split.test}) {
    for (const std::int64_t i : *list) EXPECT_TRUE(i >= 0 && i < size && seen.insert(i).second) << i;
  }
  EXPECT_EQ(static_cast<std::int64_t>(seen.size()), size);
}

TEST_F(Files, TheT10kSplitIsTheFile) {
  const Split split = mnist_t10k_split();
  EXPECT_EQ(split.train.size(), 9000U);
  EXPECT_EQ(split.test.size(), 1000U);
  expect_each_once(split, 10000);
  write_split(folder / "split.json", split);
  EXPECT_EQ(text_of(folder / "split.json"), text_of(RHEO_T10K_SPLIT));
  const Split read = read_split(RHEO_T10K_SPLIT);
  EXPECT_EQ(read.train, split.train);
  EXPECT_EQ(read.test, split.test);
}

TEST(Permutation, IsOneAndDependsOnItsKeys) {
  for (const std::int64_t size : {0, 1, 2, 3, 1000}) expect_each_once({permutation(size, 3), {}, {}}, size);
  EXPECT_EQ(permutation(1000, 3), permutation(1000, 3, 0));
  EXPECT_NE(permutation(1000, 3), permutation(1000, 4));
  EXPECT_NE(permutation(1000, 3), permutation(1000, 3, 1));
  EXPECT_THROW((void)permutation(-1, 0), rheo::ValueError);
  // Every order of four is as likely as any other: 24 orders, 1000 of each expected, deviation 31.
  std::map<std::vector<std::int64_t>, int> count;
  for (std::uint64_t seed = 0; seed < 24000; ++seed) ++count[permutation(4, seed)];
  ASSERT_EQ(count.size(), 24U);
  for (const auto& [order, times] : count) EXPECT_NEAR(times, 1000, 150);
}

TEST(RandomSplit, PartsAreDisjointAndComplete) {
  const Split split = random_split(1003, {0.8, 0.1, 0.1}, 5);
  EXPECT_EQ(split.train.size(), 802U);
  EXPECT_EQ(split.validation.size(), 100U);
  EXPECT_EQ(split.test.size(), 101U);
  expect_each_once(split, 1003);
  EXPECT_NE(split.train, random_split(1003, {0.8, 0.1, 0.1}, 6).train);
  EXPECT_EQ(random_split(3, {0.5, 0.5, 0}, 0).train.size(),
            2U);  // 1.5 and 1.5, rounded up while there is any
  expect_each_once(random_split(3, {0.5, 0.5, 0}, 0), 3);
  expect_each_once(random_split(0, {1, 0, 0}, 0), 0);
  for (const std::array<double, 3> parts :
       {std::array{0.8, 0.1, 0.2}, {1.1, -0.1, 0.0}, {std::nan(""), 0.5, 0.5}}) {
    EXPECT_THROW((void)random_split(10, parts, 0), rheo::ValueError);
  }
}

TEST(HoldOut, MovesSamplesOfTheTrainingPart) {
  const Split split = mnist_t10k_split(100);
  const Split held = hold_out(split, 20, 3);
  EXPECT_EQ(held.train.size(), 70U);
  EXPECT_EQ(held.validation.size(), 20U);
  EXPECT_EQ(held.test, split.test);
  expect_each_once(held, 100);
  EXPECT_NE(hold_out(split, 20, 4).validation, held.validation);
  EXPECT_TRUE(hold_out(split, 90).train.empty());
  for (const std::int64_t count : {-1, 91}) EXPECT_THROW((void)hold_out(split, count), rheo::ValueError);
}

TEST_F(Files, SplitsAreWrittenAndRead) {
  const Split split = random_split(57, {0.5, 0.25, 0.25}, 1);
  const fs::path file = folder / "split.json";
  write_split(file, split);
  const Split read = read_split(file);
  EXPECT_EQ(read.train, split.train);
  EXPECT_EQ(read.validation, split.validation);
  EXPECT_EQ(read.test, split.test);
  write_split(file, {});
  EXPECT_TRUE(read_split(file).train.empty());
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1);
  const fs::path nowhere = folder / "no" / "split.json";
  expect_part(error_of(nowhere, [&] { write_split(nowhere, split); }), "cannot be written");
  fs::create_directory(folder / "taken");
  expect_part(error_of(folder / "taken", [&] { write_split(folder / "taken", split); }), "cannot be written");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 2);
}

TEST_F(Files, AForeignIndexListIsOneClearError) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "must be JSON"},
      {"{\"train\": [1, 2", "must be JSON"},
      {"[1, 2]", "must be a JSON object, got array"},
      {"{\"training\": [1]}", "got \"training\""},
      {"{\"train\": 1}", "must be a list, got number"},
      {"{\"train\": [1, -2]}", "must hold sample numbers, got -2"},
      {"{\"train\": [1.5]}", "must hold sample numbers, got 1.5"},
      {"{\"train\": [18446744073709551615]}", "must hold sample numbers, got 18446744073709551615"},
      {"{\"train\": [\"1\"]}", "must hold sample numbers"},
      {"{\"train\": [1, 2], \"test\": [2]}", "a sample must be named once, got 2"},
  };
  for (const auto& [bytes, part] : cases) {
    const fs::path file = write("list.json", bytes);
    expect_part(error_of(file, [&] { (void)read_split(file); }), part);
  }
  expect_part(error_of(folder / "no", [&] { (void)read_split(folder / "no"); }),
              "must be a file that exists");
}

}  // namespace
