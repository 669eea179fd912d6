// The encoders by name, and their options.
#pragma once

#include "app/image.hpp"

#include <ATen/core/Tensor.h>

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace rheo::app {

/// An option of some encoders.
struct EncoderOption {
  std::string_view name;      // without --
  std::string_view encoders;  // with spaces between them
  std::string_view type;      // empty: a flag
  std::string_view help;
};
[[nodiscard]] std::span<const EncoderOption> encoder_options();

/// The `encoders` of an option that all have.
[[nodiscard]] std::string_view all_encoders();

/// "rate, latency, ..."
[[nodiscard]] std::string encoder_names();

/// Options as they were given, by name; a flag's text is empty.
using GivenOptions = std::map<std::string, std::string, std::less<>>;

struct Encoded {
  std::string encoder;
  bool over_time = false;  // rows of the input were steps
  at::Tensor input{};      // [T, neurons] over time, else [values]
  at::Tensor spk{};        // [T, neurons]
  at::Tensor estimate{};   // delta-modulation: what a receiver rebuilds, [T, neurons]
  std::string note{};      // what the user may not have meant
};

/// UsageError for an unknown encoder, or an option that is not its own.
void check_encoder(const std::string& encoder, const GivenOptions& given);

/// UsageError, and the library's errors, for values out of range. The encoder and the options' names are right.
[[nodiscard]] Encoded encode(const std::string& encoder, const Image& input, const GivenOptions& given);

}  // namespace rheo::app
