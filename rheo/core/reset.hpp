// What a spike does to the membrane.
#pragma once

namespace rheo {

/// U - threshold, U to zero, nothing.
enum class Reset : int { subtract, zero, none };

}  // namespace rheo
