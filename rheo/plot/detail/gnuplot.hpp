#pragma once

// Runs the program gnuplot: commands in, drawing out.

#include <string>
#include <string_view>

namespace rheo::plot::detail {

/// Feeds `commands` to gnuplot and returns what it wrote to its standard output. Settings of the user's own
/// (~/.gnuplot) are not read. Errors: GnuplotMissing; Error with gnuplot's own words where it rejects the
/// commands or dies.
[[nodiscard]] std::string run_gnuplot(std::string_view commands);

}  // namespace rheo::plot::detail
