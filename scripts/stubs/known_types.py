"""Types that the code does not say, for scripts/make_stubs.py."""

VALUE = "_Value"  # a number, or a tensor that broadcasts with one step
FUNCTION = "Callable[[Tensor], Tensor]"

# Types by the name of an argument or attribute; "Class.name" or "function.name" goes before "name".
TYPES = {
    "spike_grad": f"{FUNCTION} | None",
    "state_quant": f"{FUNCTION} | bool",
    "reset_mechanism": 'Literal["subtract", "zero", "none"]',
    "reduction": 'Literal["mean", "sum", "none"]',
    "net": "nn.Module",
    "instance": "type[nn.Module] | tuple[type[nn.Module], ...] | None",
    "weight": "Tensor | None",
    "seed": "int | None",
    "SSO.seed": "float",
    "device": "torch.device | str | None",
    "dtype": "torch.dtype | None",
    "state": "Any",
    "dataloader": "Iterable[Any]",
    "optimizer": "torch.optim.Optimizer",
    "criterion": "Callable[..., Any]",
    "custom_surrogate_function": "Callable[[Tensor, Tensor, Tensor], Tensor]",
    "multiplier": "Sequence[float] | Tensor | None",
    "split": "float",
    "regularization": "Callable[..., Any] | bool",
    "state_quant.threshold": "float",
    "DeltaLeaky.forward.mem": "tuple[Tensor | None, Tensor | None]",
    "subset": "int",
    "size": "int",
    "constant_factor": "float | None",
    **dict.fromkeys("kernel_size max_pool avg_pool".split(), "int | tuple[int, ...] | list[int]"),
    **dict.fromkeys("in_dim d_value d_key num_spiking_neurons input_size hidden_size channels".split(), "int"),
    **dict.fromkeys("in_features out_features in_channels out_channels conv2d_channels".split(), "int"),
    **dict.fromkeys("input_features time_steps kernel_truncation_steps".split(), "int"),
    "value": VALUE,
    "step": "Callable[..., Any]",
    "Surrogate.args": "Iterable[float]",
    **dict.fromkeys("ctx gradient grad".split(), "Any"),
    "i": "int | str",
    **dict.fromkeys(
        "data input_ x u mem mem_out spk_out spk_rec spk targets in_spike out_spike spike_time".split(), "Tensor"
    ),
    **dict.fromkeys("one_hot_targets one_hot_label".split(), "Tensor"),
    **dict.fromkeys("trace_pre trace_post start".split(), "Tensor | None"),
    **dict.fromkeys("num_steps num_classes steps order num_outputs batch_size linear_features".split(), "int"),
    **dict.fromkeys(
        "gain offset tau on_target off_target correct_rate incorrect_rate rate lower_limit upper_limit".split(), "float"
    ),
    **dict.fromkeys("tau_pre tau_post tau_trace".split(), "float"),
    **dict.fromkeys("synapse fc sn".split(), "nn.Module"),
    **dict.fromkeys(
        "f_pre f_post function_on_output function_on_input function_on_attribute".split(), "Callable[[Any], Any]"
    ),
    **dict.fromkeys("function_on_grad_input function_on_grad_output function".split(), "Callable[[Any], Any]"),
    **dict.fromkeys("dataset ds_train ds_val".split(), "Any"),
    **dict.fromkeys("name attribute_name".split(), "str"),
    **dict.fromkeys("pre_forward learn traces".split(), "bool"),
}
# The same, of layers with a state: numbers that may be tensors.
VALUES = ("alpha", "beta", "threshold", "graded_spikes_factor", "V")

# Types of results where they are not None: by "Class.method", method or function, else by module.
RETURNS = {
    **dict.fromkeys("latency_code target_rate_code SpikeTime.forward".split(), "tuple[Tensor, Tensor]"),
    "rheobase.spikegen": "Tensor",
    "rheobase.surrogate": "Surrogate",
    "rheobase.functional.loss": "Tensor",
    "rheobase.functional.reg": "Tensor",
    "rheobase.functional.acc": "float",
    "rheobase.backprop": "Tensor",
    "StateQuant.__call__": "Tensor",
    "STDPLearner.step": "Tensor | None",
    "data_subset": "Any",
    "valid_split": "tuple[Any, Any]",
    "state_quant": "StateQuant",
    "fuse": "Sequential",
    "neuron": "type[Any]",
    "rheobase.functional.stdp_learner": "tuple[Tensor, Tensor, Tensor]",
    "CustomSurrogate.backward": "Any",
    "extra_repr": "str",
    "is_enable": "bool",
    "__len__": "int",
    "__getitem__": "Any",
    # layers: what a call returns depends on init_hidden and output
    **dict.fromkeys("forward reset_mem sequence state".split(), "Any"),
    **dict.fromkeys("fire fire_inhibition mem_reset expand".split(), "Tensor"),
    "constant": "TimeConstant",
    "from_num_spiking_neurons": "AssociativeLeaky",
    **dict.fromkeys("BatchNormTT1d BatchNormTT2d".split(), "nn.ModuleList"),
    "_fresh": "list[Tensor]",
    "_cleared": "Tensor",
    "_state_shape": "Sequence[int]",
    "_step": "Sequence[Tensor]",
    "_sequence": "tuple[Tensor, Sequence[Tensor], Sequence[Tensor]]",
    # surrogates
    "apply": "Tensor",
    "Surrogate.__call__": "Tensor",
    "custom_surrogate.__call__": "Tensor",
    "Surrogate.slope": "float | None",
}
