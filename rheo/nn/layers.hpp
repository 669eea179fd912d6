// Which layers of a network: by name, by type, or by a test of your own.
//   Layers{"lif1", "block.2"}                     names as libtorch's named_modules() has them
//   Layers::of<torch::nn::Linear, rheo::nn::Leaky>()
//   Layers::where([](const std::string& name, torch::nn::Module& layer) { return name.ends_with(".0"); })
// What a layer with a state is made of (the feedback of RLeaky, the cell of SLSTM) is a part of it and no layer.
#pragma once

#include <torch/nn/module.h>

#include <functional>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "rheo/core/export.hpp"
#include "rheo/nn/observer.hpp"

namespace rheo::nn {

class RHEO_API Layers {
 public:
  using Test = std::function<bool(const std::string& name, torch::nn::Module& layer)>;

  /// Those of the network's own type: as a rule, the network.
  Layers() = default;
  Layers(std::initializer_list<std::string> names) : names_(names) {}
  static Layers named(std::vector<std::string> names);
  static Layers where(Test test);
  /// Holders or their modules: torch::nn::Linear, LinearImpl, Leaky; Neuron: every pointwise neuron.
  template <class... Types>
  static Layers of() {
    return where([](const std::string&, torch::nn::Module& layer) { return (is<Types>(layer) || ...); });
  }

  struct Found {
    std::string name;
    ModuleRef layer;
  };
  /// Throws ValueError where a name is none of the network's layers, and where there is no such layer. `op` begins the text.
  std::vector<Found> in(const char* op, const ModuleRef& net) const;

 private:
  template <class Type>
  static bool is(torch::nn::Module& layer) {
    if constexpr (requires { typename Type::ContainedType; }) {
      auto* found = dynamic_cast<typename Type::ContainedType*>(&layer);
      if constexpr (requires { Type::entry(); }) {
        return found != nullptr && found->kind() == Type::entry().info.name;
      } else {
        return found != nullptr;
      }
    } else {
      return dynamic_cast<Type*>(&layer) != nullptr;
    }
  }

  std::vector<std::string> names_;
  Test test_;
};

/// Every layer with its name, the network itself, "", included.
RHEO_API std::vector<Layers::Found> layers_of(const ModuleRef& net);

}  // namespace rheo::nn
