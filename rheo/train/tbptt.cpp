#include "rheo/train/tbptt.hpp"

#include <algorithm>

#include "rheo/nn/spiking.hpp"
#include "rheo/ops/refuse.hpp"

namespace rheo::train {
namespace {

using ops::refuse;

// The pieces of each batch, and the sums of their losses.
class Pass {
 public:
  Pass(const char* op, const Network& net, torch::optim::Optimizer& optimizer, const Criterion& criterion,
       const TbpttOptions& options, std::int64_t K)
      : op_(op), net_(net), optimizer_(optimizer), criterion_(criterion), options_(options), K_(K) {
    if (!criterion_.loss) refuse<TypeError>(op_, "criterion must be a function, got none");
    if (options_.time_var && options_.num_steps != 0) {
      refuse(op_, "num_steps must not be given with time_var, the data have it, got ", options_.num_steps);
    }
    if (!options_.time_var && options_.num_steps < 1) {
      refuse(op_, "num_steps must be at least 1 without time_var, got ", options_.num_steps);
    }
    if (!options_.time_var && !options_.time_first) {
      refuse(op_, "time_first must be true without time_var, got false");
    }
    if (!options_.time_var) check_K(options_.num_steps);
  }

  static constexpr std::int64_t whole = -1;  // K = T

  void batch(const data::Batch& batch) {
    at::Tensor x = batch.x.to(options_.device), y = batch.y.to(options_.device);
    const int needed = options_.time_first ? 1 : 2;
    if (options_.time_var && x.dim() < needed) {
      refuse(op_, "x must have a time dimension with time_var, got shape ", x.sizes());
    }
    if (!options_.time_first) x = x.transpose(0, 1);
    const std::int64_t T = options_.time_var ? x.size(0) : options_.num_steps;
    check_K(T);
    if (options_.time_var_targets) y = targets_over_time(y, T);
    nn::reset(net_.module());
    State state;
    for (std::int64_t t = 0; t < T; t += K(T)) {
      const std::int64_t steps = std::min(K(T), T - t);
      const Input in =
          options_.time_var ? Input(x.narrow(0, t, steps)) : Input(TimeConstant{.row = x, .steps = steps});
      auto piece = net_(in, state, criterion_.membrane);
      const double loss = learn(piece, options_.time_var_targets ? y.narrow(0, t, steps) : y);
      loss_ += loss * static_cast<double>(steps);
      steps_ += steps;
      state = piece.state.detach();
      nn::detach(net_.module());
    }
  }

  double mean() const {
    if (steps_ == 0) refuse(op_, "batches must be at least 1, got 0");
    return loss_ / static_cast<double>(steps_);
  }

 private:
  std::int64_t K(std::int64_t T) const { return K_ == whole ? T : K_; }

  void check_K(std::int64_t T) const {
    if (T < 1) refuse(op_, "x must have at least 1 time step, got ", T);
    if (K_ > T) refuse(op_, "K must be at most the number of steps, ", T, ", got ", K_);
  }

  at::Tensor targets_over_time(const at::Tensor& y, std::int64_t T) const {
    const int dim = options_.time_first ? 0 : 1;
    if (y.dim() <= dim || y.size(dim) != T) {
      refuse(op_, "targets must have ", T, " steps in dimension ", dim, " with time_var_targets, got shape ",
             y.sizes());
    }
    return y.transpose(0, dim);
  }

  double learn(const Piece& piece, const at::Tensor& targets) {
    const at::Tensor& rec = criterion_.membrane ? piece.mem : piece.spk;
    if (!rec.defined()) {
      refuse<TypeError>(op_, "criterion on ", criterion_.membrane ? "membranes" : "spikes",
                        " must have a network that gives them, got one that does not");
    }
    at::Tensor loss = criterion_.loss(rec, targets);
    if (options_.regularization && loss.defined()) loss = loss + options_.regularization(piece.spk);
    if (!loss.defined() || loss.numel() != 1 || !loss.is_floating_point() || !loss.requires_grad()) {
      refuse<TypeError>(op_, "criterion must give one number with a gradient, got ",
                        !loss.defined()     ? "an undefined tensor"
                        : loss.numel() != 1 ? c10::str("shape ", loss.sizes())
                                            : c10::str("a constant of type ", loss.scalar_type()));
    }
    optimizer_.zero_grad();
    loss.backward();
    optimizer_.step();
    return loss.item().toDouble();
  }

  const char* op_;
  const Network& net_;
  torch::optim::Optimizer& optimizer_;
  const Criterion& criterion_;
  const TbpttOptions& options_;
  std::int64_t K_;
  double loss_ = 0;
  std::int64_t steps_ = 0;
};

double over(Pass pass, const data::Loader& loader, const TbpttOptions& options) {
  auto epoch = loader.epoch(options.epoch);
  for (const data::Batch& batch : epoch) pass.batch(batch);
  return pass.mean();
}

double over(Pass pass, std::span<const data::Batch> batches, const TbpttOptions&) {
  for (const data::Batch& batch : batches) pass.batch(batch);
  return pass.mean();
}

template <class Batches>
double fixed(const char* op, std::int64_t K, const Network& net, const Batches& batches,
             torch::optim::Optimizer& optimizer, const Criterion& criterion, const TbpttOptions& options) {
  if (options.K) refuse(op, "K must not be given, TBPTT has one, got ", *options.K);
  return over(Pass(op, net, optimizer, criterion, options, K), batches, options);
}

template <class Batches>
double cut(const Network& net, const Batches& batches, torch::optim::Optimizer& optimizer,
           const Criterion& criterion, const TbpttOptions& options) {
  const std::int64_t K = options.K.value_or(1);
  if (K < 1) refuse("TBPTT", "K must be at least 1, got ", K);
  return over(Pass("TBPTT", net, optimizer, criterion, options, K), batches, options);
}

}  // namespace

double TBPTT(const Network& net, const data::Loader& loader, torch::optim::Optimizer& optimizer,
             const Criterion& criterion, const TbpttOptions& options) {
  return cut(net, loader, optimizer, criterion, options);
}
double TBPTT(const Network& net, std::span<const data::Batch> batches, torch::optim::Optimizer& optimizer,
             const Criterion& criterion, const TbpttOptions& options) {
  return cut(net, batches, optimizer, criterion, options);
}

double BPTT(const Network& net, const data::Loader& loader, torch::optim::Optimizer& optimizer,
            const Criterion& criterion, const TbpttOptions& options) {
  return fixed("BPTT", Pass::whole, net, loader, optimizer, criterion, options);
}
double BPTT(const Network& net, std::span<const data::Batch> batches, torch::optim::Optimizer& optimizer,
            const Criterion& criterion, const TbpttOptions& options) {
  return fixed("BPTT", Pass::whole, net, batches, optimizer, criterion, options);
}

double RTRL(const Network& net, const data::Loader& loader, torch::optim::Optimizer& optimizer,
            const Criterion& criterion, const TbpttOptions& options) {
  return fixed("RTRL", 1, net, loader, optimizer, criterion, options);
}
double RTRL(const Network& net, std::span<const data::Batch> batches, torch::optim::Optimizer& optimizer,
            const Criterion& criterion, const TbpttOptions& options) {
  return fixed("RTRL", 1, net, batches, optimizer, criterion, options);
}

}  // namespace rheo::train
