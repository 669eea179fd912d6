#include "app/train/progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace rheo::app::train {
namespace {

using namespace std::chrono_literals;

constexpr auto between_bars = 100ms;  // ten a second
constexpr auto between_lines = 30s;   // where there is no terminal and epochs are long
constexpr std::size_t default_width = 80, bar_cells = 20;

bool is_terminal() {
  const char* kind = std::getenv("TERM");
  return isatty(STDERR_FILENO) != 0 && kind != nullptr && std::string_view(kind) != "dumb";
}

std::size_t terminal_width() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return default_width;
}

std::string formatted(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string counted(std::int64_t number, std::int64_t of) {
  const std::string all = std::to_string(of);
  std::string text = std::to_string(number);
  if (text.size() < all.size()) text.insert(0, all.size() - text.size(), ' ');
  return "epoch " + text + "/" + all;
}

std::string speed(const rheo::train::Progress& progress) {
  return formatted("%.0f samples/s", progress.samples_per_second);
}

/// Two spaces between the parts; those that no longer fit are left out.
std::string joined(const std::vector<std::string>& parts, std::size_t width) {
  std::string line;
  for (const std::string& part : parts) {
    if (part.empty()) continue;
    const std::string more = (line.empty() ? "" : "  ") + part;
    if (line.size() + more.size() > width) break;
    line += more;
  }
  return line;
}

std::string batch_line(const rheo::train::Progress& p) {
  return joined(
      {counted(p.epoch, p.epochs), "batch " + std::to_string(p.batch) + "/" + std::to_string(p.batches),
       "loss " + formatted("%.4f", p.loss), "accuracy " + percent(p.accuracy), speed(p),
       duration(p.seconds_left) + " left"},
      std::string::npos);
}

}  // namespace

std::string percent(double part) { return formatted("%.2f %%", 100 * part); }

std::string duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "?";
  const auto all = static_cast<std::int64_t>(std::llround(seconds));
  if (all < 60) return std::to_string(all) + " s";
  if (all < 3600) return std::to_string(all / 60) + " min " + std::to_string(all % 60) + " s";
  return std::to_string(all / 3600) + " h " + std::to_string(all % 3600 / 60) + " min";
}

std::string bar(const rheo::train::Progress& p, std::size_t width) {
  const double part = p.batches == 0 ? 0 : static_cast<double>(p.batch) / static_cast<double>(p.batches);
  const auto full = std::min(bar_cells, static_cast<std::size_t>(part * bar_cells));
  const std::string cells = "[" + std::string(full, '=') + std::string(bar_cells - full, ' ') + "]";
  return joined({counted(p.epoch, p.epochs), cells, "loss " + formatted("%.4f", p.loss), percent(p.accuracy),
                 duration(p.seconds_left) + " left", speed(p)},
                width);
}

std::string epoch_line(const rheo::train::Metrics& m, const rheo::train::Progress& last) {
  std::string validation;
  if (m.validation_accuracy) validation = "validation " + percent(*m.validation_accuracy);
  return joined({counted(m.epoch, last.epochs), "loss " + formatted("%.4f", m.train_loss),
                 "accuracy " + percent(m.train_accuracy), validation, speed(last),
                 m.epoch < last.epochs ? duration(last.seconds_left) + " left" : ""},
                std::string::npos);
}

ProgressDisplay::ProgressDisplay(bool quiet) : quiet_(quiet), terminal_(is_terminal()), last_(Clock::now()) {
  if (terminal_) last_ -= between_bars;  // the first bar comes at once
}

void ProgressDisplay::batch(const rheo::train::Progress& progress) {
  progress_ = progress;
  if (quiet_) return;
  const auto now = Clock::now();
  if (terminal_) {
    if (now - last_ < between_bars) return;
    std::fprintf(stderr, "\r%s\033[K", bar(progress, terminal_width() - 1).c_str());
    drawn_ = true;
  } else {
    if (now - last_ < between_lines || progress.batch == progress.batches) return;
    std::fprintf(stderr, "%s\n", batch_line(progress).c_str());
  }
  std::fflush(stderr);
  last_ = now;
}

void ProgressDisplay::epoch(const rheo::train::Metrics& metrics) {
  if (quiet_) return;
  clear();
  std::fprintf(stderr, "%s\n", epoch_line(metrics, progress_).c_str());
  last_ = terminal_ ? Clock::now() - between_bars : Clock::now();
}

void ProgressDisplay::clear() {
  if (drawn_) std::fputs("\r\033[K", stderr);
  drawn_ = false;
}

}  // namespace rheo::app::train
