// Files that appear under their name only when they are complete.
//   rheo::io::write_file("run/metrics.csv", text);
// Written beside the target as `<name>.partial`, synced, renamed over it, and the folder synced: whoever
// looks, also after a crash, finds the old file or the new one. One writer per path.
#pragma once

#include <filesystem>
#include <span>
#include <string_view>

#include "rheo/core/export.hpp"

namespace rheo::io {

/// Throws RuntimeError naming the file and the reason, a full disk for one; the old file is untouched then
/// and the partial one is gone.
RHEO_API void write_file(const std::filesystem::path& path, std::string_view text);
/// The same for bytes that lie in pieces, one after the other.
RHEO_API void write_file(const std::filesystem::path& path, std::span<const std::string_view> pieces);

}  // namespace rheo::io
