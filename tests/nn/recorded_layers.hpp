// The layer of a recorded case, by snnTorch's class name and options. A class is a line in `layers`; neurons of the registry
// need none.
#pragma once

#include <functional>
#include <memory>

#include "rheo/rheo.hpp"
#include "tests/recorded.hpp"

namespace recorded {

using Layer = std::shared_ptr<rheo::nn::SpikingImpl>;

inline rheo::Surrogate surrogate(const std::string& name, const json& args) {
  if (name == "custom_surrogate") {
    return rheo::surrogate::custom(
        [](const torch::Tensor& u, const torch::Tensor& grad, const torch::Tensor& spk) {
          return grad / (5 * u.abs() + 1).square() * (0.5 + 0.5 * spk);
        });
  }
  std::vector<std::pair<std::string, double>> named;
  for (const auto& [key, value] : args.items()) {
    if (key != "surrogate") named.emplace_back(key, value.get<double>());
  }
  return rheo::Surrogate::by_name(name, named);
}

inline rheo::quant::StateQuant quantiser(const json& o) {
  rheo::quant::StateQuantOptions q;
  q.num_bits = o.value("num_bits", q.num_bits);
  q.uniform = o.value("uniform", q.uniform);
  q.thr_centered = o.value("thr_centered", q.thr_centered);
  q.threshold = o.value("threshold", q.threshold);
  q.lower_limit = o.value("lower_limit", q.lower_limit);
  q.upper_limit = o.value("upper_limit", q.upper_limit);
  if (o.contains("multiplier")) q.multiplier = o.at("multiplier").get<double>();
  return q;
}

/// The options of a case. What nobody asked for is `left`: a keyword that is not known fails.
class Options {
 public:
  Options(json options, bool fused, bool init_hidden) : options_(std::move(options)), fused_(fused) {
    if (init_hidden) options_["init_hidden"] = true;
    options_.erase("output");  // how Python returns the state
  }

  bool has(const std::string& key) const { return options_.contains(key); }
  rheo::Value value(const std::string& key) {
    const auto v = take(key);
    if (v.is_null()) return {};
    return v.is_object() ? rheo::Value(array(v)) : rheo::Value(v.get<double>());
  }
  template <class T>
  T get(const std::string& key, T otherwise) {
    const auto v = take(key);
    return v.is_null() ? otherwise : v.get<T>();
  }
  /// 3 or [3, 5]
  std::vector<std::int64_t> pair(const std::string& key) {
    const auto v = take(key);
    if (v.is_null()) return {};
    return v.is_array() ? v.get<std::vector<std::int64_t>>()
                        : std::vector<std::int64_t>(2, v.get<std::int64_t>());
  }
  /// What all layers share, into any options.
  template <class O>
  O& common(O& o) {
    o.threshold = value("threshold");
    if (has("spike_grad")) {
      const auto v = take("spike_grad");
      o.spike_grad = surrogate(v.at("surrogate").get<std::string>(), v);
    }
    o.surrogate_disable = get("surrogate_disable", false);
    o.init_hidden = get("init_hidden", false);
    o.inhibition = get("inhibition", false);
    o.learn_threshold = get("learn_threshold", false);
    if (has("reset_mechanism")) o.reset_mechanism = rheo::parse_reset(get("reset_mechanism", std::string()));
    if (has("state_quant")) o.state_quant = quantiser(take("state_quant"));
    o.graded_spikes_factor = value("graded_spikes_factor");
    o.learn_graded_spikes_factor = get("learn_graded_spikes_factor", false);
    o.reset_delay = get("reset_delay", true);
    o.fused = fused_;
    return o;
  }
  std::vector<std::string> left() const {
    std::vector<std::string> keys;
    for (const auto& [key, value] : options_.items()) keys.push_back(key);
    return keys;
  }

 private:
  json take(const std::string& key) {
    const auto found = options_.find(key);
    if (found == options_.end()) return {};
    json v = *found;
    options_.erase(found);
    return v;
  }

  json options_;
  bool fused_;
};

/// A neuron of the registry.
inline Layer neuron(const std::string& name, Options& from) {
  rheo::NeuronOptions o;
  from.common(o);
  for (const auto& p : rheo::find_neuron(name).params) {
    if (from.has(p.name)) o.params.emplace_back(p.name, from.value(p.name));
    if (from.get("learn_" + p.name, false)) o.learn.push_back(p.name);
  }
  return rheo::nn::make_neuron(name, o).ptr();
}

/// What StateLeaky and LinearLeaky share.
template <class O>
O& leaky_state(O& o, Options& from) {
  o.beta = from.value("beta");
  if constexpr (requires { o.channels; }) o.channels = from.get<std::int64_t>("channels", 0);
  o.learn_beta = from.get("learn_beta", false);
  o.kernel_truncation_steps = from.get<std::int64_t>("kernel_truncation_steps", 0);
  return from.common(o);
}

template <class Holder>
Layer recurrent(Options& from) {
  typename Holder::Options o;
  if constexpr (requires { o.alpha; }) {
    o.alpha = from.value("alpha");
    o.learn_alpha = from.get("learn_alpha", false);
  }
  o.beta = from.value("beta");
  o.V = from.value("V");
  from.get("all_to_all", true);  // in Python: whether V counts
  o.linear_features = from.get("linear_features", std::int64_t{0});
  o.conv2d_channels = from.get("conv2d_channels", std::int64_t{0});
  o.kernel_size = from.pair("kernel_size");
  o.learn_beta = from.get("learn_beta", false);
  o.learn_recurrent = from.get("learn_recurrent", true);
  return Holder(from.common(o)).ptr();
}

using Make = std::function<Layer(Options&)>;

inline Layer slstm(Options& from) {
  rheo::nn::SLSTMOptions o;
  o.input_size = from.get<std::int64_t>("input_size", 0);
  o.hidden_size = from.get<std::int64_t>("hidden_size", 0);
  o.bias = from.get("bias", true);
  return rheo::nn::SLSTM(from.common(o)).ptr();
}

inline Layer sconv2dlstm(Options& from) {
  rheo::nn::SConv2dLSTMOptions o;
  o.in_channels = from.get<std::int64_t>("in_channels", 0);
  o.out_channels = from.get<std::int64_t>("out_channels", 0);
  o.kernel_size = from.pair("kernel_size");
  o.bias = from.get("bias", true);
  if (from.has("max_pool")) o.max_pool = from.pair("max_pool");
  if (from.has("avg_pool")) o.avg_pool = from.pair("avg_pool");
  return rheo::nn::SConv2dLSTM(from.common(o)).ptr();
}

inline const std::map<std::string, Make>& layers() {
  static const std::map<std::string, Make> all = {
      {"StateLeaky",
       [](Options& from) {
         rheo::nn::StateLeakyOptions o;
         return rheo::nn::StateLeaky(leaky_state(o, from)).ptr();
       }},
      {"LinearLeaky",
       [](Options& from) {
         rheo::nn::LinearLeakyOptions o;
         o.in_features = from.get<std::int64_t>("in_features", 0);
         o.out_features = from.get<std::int64_t>("out_features", 0);
         o.bias = from.get("bias", true);
         return rheo::nn::LinearLeaky(leaky_state(o, from)).ptr();
       }},
      {"LeakyParallel",
       [](Options& from) {
         rheo::nn::LeakyParallelOptions o;
         o.input_size = from.get<std::int64_t>("input_size", 0);
         o.hidden_size = from.get<std::int64_t>("hidden_size", 0);
         o.beta = from.value("beta");
         o.bias = from.get("bias", true);
         o.learn_beta = from.get("learn_beta", false);
         o.weight_hh_enable = from.get("weight_hh_enable", false);
         return rheo::nn::LeakyParallel(from.common(o)).ptr();
       }},
      {"AssociativeLeaky",
       [](Options& from) {
         rheo::nn::AssociativeLeakyOptions o;
         o.in_dim = from.get<std::int64_t>("in_dim", 0);
         o.d_value = from.get<std::int64_t>("d_value", 0);
         o.d_key = from.get<std::int64_t>("d_key", 0);
         o.num_spiking_neurons = from.get<std::int64_t>("num_spiking_neurons", 0);
         o.use_q_projection = from.get("use_q_projection", true);
         return rheo::nn::AssociativeLeaky(from.common(o)).ptr();
       }},
      {"SLSTM", slstm},
      {"SConv2dLSTM", sconv2dlstm},
      {"RLeaky", [](Options& from) { return recurrent<rheo::nn::RLeaky>(from); }},
      {"RSynaptic", [](Options& from) { return recurrent<rheo::nn::RSynaptic>(from); }},
  };
  return all;
}

inline Layer built(const json& c, bool fused) {
  Options options(c.at("options"), fused, c.at("kind") == "neuron.steps_stored_state");
  const auto target = c.at("target").get<std::string>();
  const auto found = layers().find(target);
  auto layer = found != layers().end() ? found->second(options) : neuron(target, options);
  EXPECT_EQ(options.left(), std::vector<std::string>());
  const torch::NoGradGuard no_grad;
  auto parameters = layer->named_parameters();
  for (const auto& [name, a] : c.at("inputs").items()) {
    if (name.starts_with("param.")) parameters[name.substr(6)].copy_(array(a));
  }
  return layer;
}

/// What the state-dict cases were recorded from.
inline const std::map<std::string, std::function<std::shared_ptr<torch::nn::Module>()>>& state_dict_layers() {
  using namespace rheo::nn;
  static const std::map<std::string, std::function<std::shared_ptr<torch::nn::Module>()>> all = {
      {"lapicque_rc", [] { return Lapicque({.R = 5.1, .C = 5e-3, .time_step = 1e-3}).ptr(); }},
      {"lapicque_beta", [] { return Lapicque({.beta = 0.9}).ptr(); }},
      {"leaky", [] { return Leaky({.beta = 0.9}).ptr(); }},
      {"leaky_vector_learn",
       [] {
         return Leaky({.beta = torch::full({3}, 0.9),
                       .learn_beta = true,
                       .threshold = torch::ones({3}),
                       .learn_threshold = true,
                       .learn_graded_spikes_factor = true})
             .ptr();
       }},
      {"slstm", [] { return SLSTM({.input_size = 3, .hidden_size = 5}).ptr(); }},
      {"slstm_no_bias", [] { return SLSTM({.input_size = 3, .hidden_size = 5, .bias = false}).ptr(); }},
      {"sconv2dlstm",
       [] { return SConv2dLSTM({.in_channels = 1, .out_channels = 2, .kernel_size = 3}).ptr(); }},
      {"leaky_after_forward",
       [] {
         const Leaky leaky({.beta = 0.9, .init_hidden = true});
         leaky.ptr()->forward(torch::rand({4, 2, 3}));
         return leaky.ptr();
       }},
      {"leakyparallel", [] { return LeakyParallel({.input_size = 3, .hidden_size = 5, .beta = 0.9}).ptr(); }},
      {"leakyparallel_learn",
       [] {
         return LeakyParallel(
                    {.input_size = 3, .hidden_size = 5, .learn_beta = true, .learn_threshold = true})
             .ptr();
       }},
      {"stateleaky", [] { return StateLeaky({.beta = 0.9, .channels = 3}).ptr(); }},
      {"linearleaky", [] { return LinearLeaky({.beta = 0.9, .in_features = 3, .out_features = 4}).ptr(); }},
      {"associativeleaky", [] { return AssociativeLeaky({.in_dim = 4, .d_value = 2, .d_key = 3}).ptr(); }},
      {"associativeleaky_no_q",
       [] {
         return AssociativeLeaky({.in_dim = 4, .d_value = 2, .d_key = 3, .use_q_projection = false}).ptr();
       }},
      {"gradedspikes", [] { return GradedSpikes({.size = 3, .constant_factor = 1}).ptr(); }},
      {"batchnormtt1d", [] { return BatchNormTT1d({.input_features = 3, .time_steps = 2}).ptr(); }},
      {"batchnormtt2d_plain",
       [] { return BatchNormTT2d({.input_features = 3, .time_steps = 2, .affine = false}).ptr(); }},
      {"synaptic", [] { return Synaptic({.alpha = 0.9, .beta = 0.8}).ptr(); }},
      {"synaptic_learn",
       [] {
         return Synaptic({.alpha = 0.9,
                          .beta = 0.8,
                          .learn_alpha = true,
                          .learn_beta = true,
                          .learn_threshold = true})
             .ptr();
       }},
      {"alpha", [] { return Alpha({.alpha = 0.9, .beta = 0.8}).ptr(); }},
      {"deltaleaky", [] { return DeltaLeaky({.beta = 0.9}).ptr(); }},
      {"rleaky_one_to_one", [] { return RLeaky({.V = torch::ones({3})}).ptr(); }},
      {"rleaky_one_to_one_fixed",
       [] { return RLeaky({.V = torch::ones({3}), .learn_recurrent = false}).ptr(); }},
      {"rleaky_linear",
       [] { return RLeaky({.linear_features = 3, .learn_beta = true, .learn_threshold = true}).ptr(); }},
      {"rleaky_linear_fixed", [] { return RLeaky({.linear_features = 3, .learn_recurrent = false}).ptr(); }},
      {"rleaky_conv", [] { return RLeaky({.conv2d_channels = 2, .kernel_size = {3}}).ptr(); }},
      {"rsynaptic_one_to_one", [] { return RSynaptic().ptr(); }},
      {"rsynaptic_linear", [] { return RSynaptic({.linear_features = 3, .learn_alpha = true}).ptr(); }},
      {"rsynaptic_conv", [] { return RSynaptic({.conv2d_channels = 2, .kernel_size = {3, 5}}).ptr(); }},
  };
  return all;
}

}  // namespace recorded
