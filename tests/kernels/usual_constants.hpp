// The constants of the library's neurons at their parameters' defaults, by name.
#pragma once

#include <string_view>
#include <vector>

namespace rheo_test {

std::vector<double> usual_constants(std::string_view kind);

}  // namespace rheo_test
