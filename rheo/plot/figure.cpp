#include "rheo/plot/figure.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <utility>

#include "rheo/plot/detail/gnuplot.hpp"
#include "rheo/plot/detail/script.hpp"
#include "rheo/plot/detail/svg.hpp"

namespace rheo::plot {
namespace {

std::vector<double> count_from(double first, std::size_t n) {
  std::vector<double> x(n);
  for (std::size_t i = 0; i < n; ++i) x[i] = first + static_cast<double>(i);
  return x;
}

template <class T>
std::vector<double> copy(std::span<const T> values) {
  return {values.begin(), values.end()};
}

[[noreturn]] void fail_writing(const std::filesystem::path& path, int error) {
  throw Error("[plot] cannot write '" + path.string() + "': " + std::strerror(error));
}

void write_when_complete(const std::filesystem::path& path, const std::string& bytes) {
  static std::atomic<unsigned> count{0};
  std::filesystem::path temporary = path;
  temporary.replace_filename("." + path.filename().string() + "." + std::to_string(::getpid()) + "." +
                             std::to_string(count++) + ".part");
  errno = 0;
  std::ofstream file(temporary, std::ios::binary);
  if (!file) fail_writing(path, errno);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file || std::rename(temporary.c_str(), path.c_str()) != 0) {
    const int error = errno;
    std::remove(temporary.c_str());
    fail_writing(path, error);
  }
}

}  // namespace

Panel& Panel::line(std::span<const float> y, LineStyle style, double first_x) {
  lines.push_back({count_from(first_x, y.size()), copy(y), std::move(style)});
  return *this;
}

Panel& Panel::line(std::span<const double> y, LineStyle style, double first_x) {
  lines.push_back({count_from(first_x, y.size()), copy(y), std::move(style)});
  return *this;
}

Panel& Panel::line(std::span<const float> x, std::span<const float> y, LineStyle style) {
  lines.push_back({copy(x), copy(y), std::move(style)});
  return *this;
}

Panel& Panel::line(std::span<const double> x, std::span<const double> y, LineStyle style) {
  lines.push_back({copy(x), copy(y), std::move(style)});
  return *this;
}

Panel& Panel::horizontal(double y, GuideStyle style) {
  guides.push_back({.vertical = false, .at = y, .style = std::move(style)});
  return *this;
}

Panel& Panel::vertical(double x, GuideStyle style) {
  guides.push_back({.vertical = true, .at = x, .style = std::move(style)});
  return *this;
}

Panel& Panel::spikes(std::span<const double> times, double row, RasterStyle style) {
  rasters.push_back({copy(times), std::vector<double>(times.size(), row), std::move(style)});
  return *this;
}

Panel& Panel::raster(std::span<const float> spk, std::size_t neurons, RasterStyle style) {
  if (neurons == 0 || spk.size() % neurons != 0) {
    throw std::invalid_argument("[plot] raster must hold whole rows of " + std::to_string(neurons) +
                                " neurons, got " + std::to_string(spk.size()) + " values");
  }
  Raster marks{{}, {}, std::move(style)};
  for (std::size_t i = 0; i < spk.size(); ++i) {
    if (spk[i] != 0) {
      marks.x.push_back(static_cast<double>(i / neurons));
      marks.row.push_back(static_cast<double>(i % neurons));
    }
  }
  rasters.push_back(std::move(marks));
  return *this;
}

std::string to_svg(const Figure& figure) {
  const std::string drawn = detail::run_gnuplot(detail::script(figure, {.format = detail::Format::svg}));
  if (drawn.find("</svg>") == std::string::npos) throw Error("[plot] gnuplot left an unfinished drawing");
  return detail::tidy_svg(drawn, figure.title);
}

std::string to_png(const Figure& figure, double scale) {
  if (!(scale > 0 && scale <= 16)) {
    throw std::invalid_argument("[plot] scale must be in (0, 16], got " + std::to_string(scale));
  }
  std::string drawn = detail::run_gnuplot(detail::script(figure, {detail::Format::png, scale}));
  // The end chunk closes every whole PNG: its type and its checksum, which is always the same.
  static constexpr std::string_view end_of_png("IEND\xae\x42\x60\x82", 8);
  if (!drawn.ends_with(end_of_png)) throw Error("[plot] gnuplot left an unfinished drawing");
  return drawn;
}

void save(const Figure& figure, const std::filesystem::path& path) {
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (ending != ".svg" && ending != ".png") {
    throw std::invalid_argument("[plot] file name must end in .svg or .png, got '" + path.string() + "'");
  }
  write_when_complete(path, ending == ".svg" ? to_svg(figure) : to_png(figure));
}

}  // namespace rheo::plot
