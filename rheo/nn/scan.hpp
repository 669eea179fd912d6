// What the layers that are linear in time have in common: they fire without being reset, so all steps are one scan.
// StateLeaky, LinearLeaky, LeakyParallel and AssociativeLeaky derive from it.
#pragma once

#include <string>
#include <string_view>

#include "rheo/core/export.hpp"
#include "rheo/nn/firing.hpp"
#include "rheo/nn/options.hpp"
#include "rheo/nn/spiking.hpp"

namespace rheo::nn {

class RHEO_API ScanImpl : public SpikingImpl {
 public:
  std::string kind() const override { return kind_; }
  bool keeps_state() const override { return common_.init_hidden; }
  std::string why_not_fused(const at::Tensor& x = {}) const override;

 protected:
  Output do_forward(const Input& x, const State& state) override;
  Recording do_record(const Input& x, const State& state) override;

  struct Scanned {
    at::Tensor spk, mem;  // [T, ...]; mem where it was asked for
    State state;          // after the last step
  };

  /// `resets`: whether snnTorch's layer has a reset_mechanism_val. Throws TypeError for options that a layer without a
  /// reset cannot honour.
  ScanImpl(std::string kind, const CommonOptions& options, bool resets);

  /// A call on float32 or float64 whose input is checked.
  virtual Scanned scan(const Input& x, const State& state, bool traces) = 0;

  const Firing& firing() const { return firing_; }
  /// Whether kernels run for this input; what they cannot do about spikes is done on their membranes.
  bool runs_kernels(const at::Tensor& x) const { return common_.fused && x.is_cpu(); }
  /// All steps of the library's neuron `step` with its one constant: a number or what broadcasts with a row of x.
  /// `first` undefined: zero.
  Scanned scan_step(std::string_view step, const Input& x, const at::Tensor& first,
                    const at::Tensor& constant, bool traces) const;
  /// Spikes of membranes [T, ...], and the membranes after state_quant.
  Scanned spikes_of(const at::Tensor& mem) const;
  /// The tensor of state `name`, of x's type; undefined: zero.
  at::Tensor first_of(const State& state, const std::string& name, at::IntArrayRef shape,
                      const at::Tensor& x) const;

 private:
  Scanned run(const Input& x, const State& state, bool traces);

  std::string kind_;
  CommonOptions common_;
  Firing firing_;
};

}  // namespace rheo::nn
