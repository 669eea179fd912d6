// Errors of Rheobase. Text: `[op] argument rule, got value`.
//   catch (const rheo::Error& e) { e.what() }      every error of ours
#pragma once

#include <stdexcept>
#include <string>

#include "rheo/core/export.hpp"

namespace rheo {

/// What every error of ours can be caught as.
class RHEO_API Error {
 public:
  virtual ~Error() = default;
  virtual const char* what() const noexcept = 0;
};

/// An argument whose value, shape or device cannot be used.
class RHEO_API ValueError : public std::invalid_argument, public Error {
 public:
  explicit ValueError(const std::string& text) : std::invalid_argument(text) {}
  const char* what() const noexcept override { return std::invalid_argument::what(); }
};

/// An argument of the wrong type, or a combination of arguments that makes no sense.
class RHEO_API TypeError : public std::invalid_argument, public Error {
 public:
  explicit TypeError(const std::string& text) : std::invalid_argument(text) {}
  const char* what() const noexcept override { return std::invalid_argument::what(); }
};

/// Something that went wrong while running.
class RHEO_API RuntimeError : public std::runtime_error, public Error {
 public:
  explicit RuntimeError(const std::string& text) : std::runtime_error(text) {}
  const char* what() const noexcept override { return std::runtime_error::what(); }
};

}  // namespace rheo
