// What SLSTM and SConv2dLSTM have in common: LSTM cells over time whose output fires and may be reset.
// States "syn" (the cell) and "mem" (its output); the formulas are in rheo/ops/lstm.hpp, the typed layers in slstm.hpp and
// sconv2dlstm.hpp. All T steps are one node of autograd, forward and backward, where `explain` says so.
#pragma once

#include <string>
#include <vector>

#include "rheo/core/export.hpp"
#include "rheo/nn/firing.hpp"
#include "rheo/nn/spiking.hpp"
#include "rheo/ops/lstm.hpp"

namespace rheo::nn {

class RHEO_API LstmLayerImpl : public SpikingImpl {
 public:
  std::string kind() const override { return kind_; }
  bool keeps_state() const override { return common_.init_hidden; }
  std::string why_not_fused(const at::Tensor& x = {}) const override;

  Reset reset_mechanism() const { return firing_.reset_mechanism(); }
  /// Applies from the next call on.
  void set_reset_mechanism(Reset reset) { firing_.set_reset_mechanism(reset); }

 protected:
  Output do_forward(const Input& x, const State& state) override;
  Recording do_record(const Input& x, const State& state) override;

  LstmLayerImpl(std::string kind, const CommonOptions& options, const std::vector<std::string_view>& refused);

  /// What x [T, B, ...] (T = 1 for a constant), of the type to compute in, meets: x, weights, bias and order of the call.
  /// Throws ValueError where x does not fit.
  virtual ops::LstmCall cells(const at::Tensor& x) const = 0;
  /// What fires: mem [T, B, ...] as it is, or pooled.
  virtual at::Tensor firing_membrane(const at::Tensor& mem) const { return mem; }
  virtual bool pools() const { return false; }
  /// ", threshold=1, ..." of pretty_print.
  void print_common(std::ostream& stream) const;

 private:
  ops::NeuronResult run(const Input& x, const State& state, bool traces);
  at::Tensor sample_threshold(const at::Tensor& x, at::IntArrayRef row) const;

  std::string kind_;
  CommonOptions common_;
  Firing firing_;
};

}  // namespace rheo::nn
