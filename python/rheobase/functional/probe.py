"""Monitors: what goes through the layers of a network, recorded by hooks.

    monitor = probe.OutputMonitor(net, instance=snn.Leaky)
    net(x)
    monitor.records                # all of them, in the order of the calls
    monitor["lif1"]                # those of one layer, by its name in the network
    monitor.remove_hooks()         # also done when the monitor goes

`instance`: a class, or a tuple of classes. Records keep their autograd graphs; a function such
as `lambda x: x.detach()` drops them. A tuple of one is recorded as its element. A call of a layer through `sequence`, or by a
network that runs many steps at once, is no call of the layer: hooks do not see it."""

import weakref

__all__ = [
    "AttributeMonitor",
    "BaseMonitor",
    "GradInputMonitor",
    "GradOutputMonitor",
    "InputMonitor",
    "OutputMonitor",
]


def _same(x):
    return x


def unpack_len1_tuple(x):
    """The element of a tuple of one; anything else as it is."""
    return x[0] if isinstance(x, tuple) and len(x) == 1 else x


class BaseMonitor:
    """Records, by layer and in order. A kind of monitor is a way to attach a hook."""

    def __init__(self, net, instance, function):
        self.hooks = []
        self.monitored_layers = []
        self.records = []
        self.name_records_index = {}
        self._enable = True
        for name, module in net.named_modules():
            if self._is_meant(module, instance):
                self.monitored_layers.append(name)
                self.name_records_index[name] = []
                self.hooks.append(self._attach(module, self._recorder(name, function)))

    def _is_meant(self, module, instance):
        try:
            return isinstance(module, instance)
        except TypeError:
            raise TypeError(
                f"[{type(self).__name__}] instance must be a class or a tuple of classes, got {instance!r}"
            ) from None

    def _attach(self, module, record):
        raise NotImplementedError(f"[{type(self).__name__}] a monitor must have _attach")

    def _recorder(self, name, function):
        # The network holds its hooks, and they must not hold the monitor, or it would never go.
        weak = weakref.ref(self)

        def record(value):
            monitor = weak()
            if monitor is not None and monitor._enable:
                monitor.name_records_index[name].append(len(monitor.records))
                monitor.records.append(function(unpack_len1_tuple(value)))

        return record

    def __getitem__(self, i):
        if isinstance(i, int):
            return self.records[i]
        if isinstance(i, str):
            return [self.records[index] for index in self.name_records_index[i]]
        raise ValueError(f"[{type(self).__name__}] key must be a number or the name of a layer, got {i!r}")

    def __len__(self):
        return len(self.records)

    def clear_recorded_data(self):
        """Forgets the records; the hooks stay."""
        self.records.clear()
        for index in self.name_records_index.values():
            index.clear()

    def enable(self):
        """Records again from the next call on."""
        self._enable = True

    def disable(self):
        """Records nothing until it is enabled."""
        self._enable = False

    def is_enable(self):
        """Whether calls are recorded."""
        return self._enable

    def remove_hooks(self):
        """Nothing is recorded any more."""
        for hook in self.hooks:
            hook.remove()
        self.hooks.clear()

    def __del__(self):
        for hook in getattr(self, "hooks", ()):
            hook.remove()


class OutputMonitor(BaseMonitor):
    """What layers return: spikes, or (spikes, states...). instance None: the class of net itself."""

    def __init__(self, net, instance=None, function_on_output=_same):
        super().__init__(net, type(net) if instance is None else instance, function_on_output)

    def _attach(self, module, record):
        return module.register_forward_hook(lambda _, __, output: record(output))


class InputMonitor(BaseMonitor):
    """What layers are given, their positional arguments. instance None: the class of net itself."""

    def __init__(self, net, instance=None, function_on_input=_same):
        super().__init__(net, type(net) if instance is None else instance, function_on_input)

    def _attach(self, module, record):
        return module.register_forward_hook(lambda _, inputs, __: record(inputs))


class AttributeMonitor(BaseMonitor):
    """Any attribute of layers, such as "mem", before each call (pre_forward) or after it."""

    def __init__(self, attribute_name, pre_forward, net, instance=None, function_on_attribute=_same):
        self.attribute_name = attribute_name
        self.pre_forward = pre_forward
        super().__init__(net, instance, function_on_attribute)

    def _attach(self, module, record):
        name = self.attribute_name

        def hook(module, *_):
            record(getattr(module, name))

        return module.register_forward_pre_hook(hook) if self.pre_forward else module.register_forward_hook(hook)


class GradInputMonitor(BaseMonitor):
    """The gradients of what layers were given, from the last step and the last layer on."""

    def __init__(self, net, instance=None, function_on_grad_input=_same):
        super().__init__(net, instance, function_on_grad_input)

    def _attach(self, module, record):
        return module.register_full_backward_hook(lambda _, grad_input, __: record(grad_input))


class GradOutputMonitor(BaseMonitor):
    """The gradients of what layers returned, from the last step and the last layer on."""

    def __init__(self, net, instance=None, function_on_grad_output=_same):
        super().__init__(net, instance, function_on_grad_output)

    def _attach(self, module, record):
        return module.register_full_backward_hook(lambda _, __, grad_output: record(grad_output))
