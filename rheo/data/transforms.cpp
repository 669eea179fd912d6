#include "rheo/data/transforms.hpp"

#include "rheo/core/random.hpp"
#include "rheo/data/detail/streams.hpp"
#include "rheo/ops/error.hpp"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <string>
#include <utility>

namespace rheo::data {
namespace {

struct Images {
  at::Tensor x;  // [B, C, H, W], contiguous
  std::int64_t count, channels, height, width;
};

Images images_of(const Batch& batch, const char* op) {
  const auto wants = [op](bool holds, const char* rule, const std::string& value) {
    if (!holds) throw ValueError(std::string("[") + op + "] " + rule + ", got " + value);
  };
  wants(batch.x.defined() && batch.x.dim() == 4, "x must be images [B, C, H, W]",
        batch.x.defined() ? c10::str(batch.x.sizes()) : "an undefined tensor");
  wants(batch.x.scalar_type() == at::kFloat && batch.x.device().is_cpu(), "x must be float32 on the CPU",
        c10::toString(batch.x.scalar_type()) + (" on " + batch.x.device().str()));
  wants(batch.x.size(0) == static_cast<std::int64_t>(batch.indices.size()),
        "x must have an image for each index",
        std::to_string(batch.x.size(0)) + " for " + std::to_string(batch.indices.size()));
  return {batch.x.contiguous(), batch.x.size(0), batch.x.size(1), batch.x.size(2), batch.x.size(3)};
}

/// The words of a sample.
PhiloxBlock draw(const DrawKey& key, std::uint64_t stream, std::int64_t index) {
  const CounterRandom random{.seed = key.seed, .step = stream + static_cast<std::uint64_t>(key.epoch)};
  return random.block(static_cast<std::uint64_t>(index));
}

/// Pixel (row, column) of the result shows the source at
///   column' = a (column - centre_x - dx) + b (row - centre_y - dy) + centre_x
///   row'    = a (row - centre_y - dy) - b (column - centre_x - dx) + centre_y
struct Map {
  float a, b, dx, dy;
};

/// from: [H + 2, W + 2], the image in a frame of zeros; to: [H, W]
void warp(const float* from, float* to, std::int64_t height, std::int64_t width, const Map& map) {
  const float centre_x = static_cast<float>(width - 1) / 2;
  const float centre_y = static_cast<float>(height - 1) / 2;
  const std::int64_t stride = width + 2;
  for (std::int64_t row = 0; row < height; ++row) {
    const float y = static_cast<float>(row) - centre_y - map.dy;
    for (std::int64_t column = 0; column < width; ++column) {
      const float x = static_cast<float>(column) - centre_x - map.dx;
      // In the frame's coordinates, one more than the image's.
      const float source_x = map.a * x + map.b * y + centre_x + 1;
      const float source_y = map.a * y - map.b * x + centre_y + 1;
      float value = 0;
      if (source_x >= 0 && source_y >= 0 && source_x < static_cast<float>(width + 1) &&
          source_y < static_cast<float>(height + 1)) {
        const auto left = static_cast<std::int32_t>(source_x);
        const auto top = static_cast<std::int32_t>(source_y);
        const float right_share = source_x - static_cast<float>(left);
        const float bottom_share = source_y - static_cast<float>(top);
        const float* p = from + top * stride + left;
        const float upper = p[0] + right_share * (p[1] - p[0]);
        const float lower = p[stride] + right_share * (p[stride + 1] - p[stride]);
        value = upper + bottom_share * (lower - upper);
      }
      *to++ = value;
    }
  }
}

}  // namespace

Transform random_shift(std::int64_t pixels) {
  if (pixels < 0 || pixels > 1'000'000) {
    throw ValueError("[random_shift] pixels must be 0 to 1000000, got " + std::to_string(pixels));
  }
  return [pixels](Batch& batch, const DrawKey& key) {
    const Images in = images_of(batch, "random_shift");
    at::Tensor out = at::empty(in.x.sizes(), in.x.options());
    const float* from = in.x.const_data_ptr<float>();
    float* to = out.mutable_data_ptr<float>();
    const auto choices = static_cast<std::uint64_t>(2 * pixels + 1);
    const auto moved = [&](std::uint32_t word) {
      return static_cast<std::int64_t>(word * choices >> 32) - pixels;
    };
    for (const std::int64_t index : batch.indices) {
      const PhiloxBlock words = draw(key, detail::shift_stream, index);
      const std::int64_t dx = moved(words.word[0]);
      const std::int64_t dy = moved(words.word[1]);
      const std::int64_t first =
          std::clamp<std::int64_t>(dx, 0, in.width);  // columns first .. last - 1 are filled
      const std::int64_t last = std::clamp<std::int64_t>(in.width + dx, first, in.width);
      for (std::int64_t channel = 0; channel < in.channels; ++channel) {
        for (std::int64_t row = 0; row < in.height; ++row, to += in.width) {
          const bool inside = row - dy >= 0 && row - dy < in.height && first < last;
          std::fill(to, to + (inside ? first : in.width), 0.0F);
          if (!inside) continue;
          const float* source = from + (row - dy) * in.width - dx;
          std::copy(source + first, source + last, to + first);
          std::fill(to + last, to + in.width, 0.0F);
        }
        from += in.height * in.width;
      }
    }
    batch.x = std::move(out);
  };
}

Transform random_affine(const AffineOptions& options) {
  const auto wants = [](bool holds, const char* rule, double value) {
    if (!holds) throw ValueError(std::string("[random_affine] ") + rule + ", got " + std::to_string(value));
  };
  const AffineOptions o = options;
  wants(o.degrees >= 0 && std::isfinite(o.degrees), "degrees must be at least 0 and finite", o.degrees);
  wants(o.scale_min > 0 && std::isfinite(o.scale_min), "scale_min must be above 0 and finite", o.scale_min);
  wants(o.scale_max >= o.scale_min && std::isfinite(o.scale_max),
        "scale_max must be at least scale_min and finite", o.scale_max);
  wants(o.shift >= 0 && std::isfinite(o.shift), "shift must be at least 0 and finite", o.shift);
  return [o](Batch& batch, const DrawKey& key) {
    const Images in = images_of(batch, "random_affine");
    at::Tensor out = at::empty(in.x.sizes(), in.x.options());
    const float* from = in.x.const_data_ptr<float>();
    float* to = out.mutable_data_ptr<float>();
    const std::int64_t stride = in.width + 2;
    std::vector<float> framed(static_cast<std::size_t>((in.height + 2) * stride), 0.0F);
    for (const std::int64_t index : batch.indices) {
      const PhiloxBlock words = draw(key, detail::affine_stream, index);
      const auto between = [&](int word, double low, double high) {
        return low + (high - low) * uniform_double(words.word[word]);
      };
      const double angle = between(0, -o.degrees, o.degrees) * std::numbers::pi / 180;
      const double scale = between(1, o.scale_min, o.scale_max);
      const Map map{.a = static_cast<float>(std::cos(angle) / scale),
                    .b = static_cast<float>(std::sin(angle) / scale),
                    .dx = static_cast<float>(between(2, -o.shift, o.shift)),
                    .dy = static_cast<float>(between(3, -o.shift, o.shift))};
      for (std::int64_t channel = 0; channel < in.channels; ++channel) {
        for (std::int64_t row = 0; row < in.height; ++row, from += in.width) {
          std::copy(from, from + in.width, framed.data() + (row + 1) * stride + 1);
        }
        warp(framed.data(), to, in.height, in.width, map);
        to += in.height * in.width;
      }
    }
    batch.x = std::move(out);
  };
}

Transform chain(std::vector<Transform> transforms) {
  for (const Transform& transform : transforms) {
    if (!transform) throw ValueError("[chain] transforms must be functions, got an empty one");
  }
  return [transforms = std::move(transforms)](Batch& batch, const DrawKey& key) {
    for (const Transform& transform : transforms) transform(batch, key);
  };
}

}  // namespace rheo::data
