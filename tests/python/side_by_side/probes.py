"""Monitors: what they record, in which order, under which names."""

import torch

from .cases import Differs, case, fill, raised


def network(snn, draw):
    return fill(
        torch.nn.Sequential(
            torch.nn.Linear(4, 3),
            snn.Leaky(0.8, init_hidden=True, threshold=0.3),
            torch.nn.Linear(3, 2),
            snn.Synaptic(0.5, 0.7, init_hidden=True, output=True, threshold=0.3),
        ),
        draw,
        scale=2,
    )


def told(monitor):
    """All that a monitor can be asked for."""
    names = list(monitor.monitored_layers)
    return {
        "names": names,
        "records": list(monitor.records),
        "first": monitor[0],
        "last": monitor[-1],
        "by name": [monitor[name] for name in names],
        "index": dict(monitor.name_records_index),
        "enabled": monitor.is_enable(),
        "wrong": raised(lambda: monitor[1.5]),
        "unknown": raised(lambda: monitor["nobody"]),
    }


def switched(monitor, call):
    """Off, on again, cleared, and without hooks."""
    count = [len(monitor.records)]
    monitor.disable()
    call()
    count.append(len(monitor.records))
    monitor.enable()
    call()
    count.append(len(monitor.records))
    monitor.clear_recorded_data()
    count += [len(monitor.records), dict(monitor.name_records_index)]
    monitor.remove_hooks()
    call()
    return count + [len(monitor.records)]


def put_monitor(name, make, backward=False):
    @case(f"functional.probe.{name}", draws=4)
    def run(snn, draw):
        net = network(snn, draw)
        monitor = make(snn, draw, net)

        def call():
            out = net(draw.tensor(2, 4).requires_grad_())
            if backward:
                out[-1].sum().backward()
                snn.utils.reset(net)

        for _ in range(3):
            call()
        return [told(monitor), switched(monitor, call)]


KINDS = {
    "OutputMonitor": lambda snn, d, net: d.choice(
        lambda: snn.functional.probe.OutputMonitor(net, instance=snn.Leaky),
        lambda: snn.functional.probe.OutputMonitor(
            net, (snn.Leaky, snn.Synaptic), lambda y: (y[0] if isinstance(y, tuple) else y) * 2
        ),
        lambda: snn.functional.probe.OutputMonitor(net),
    )(),
    "InputMonitor": lambda snn, d, net: d.choice(
        lambda: snn.functional.probe.InputMonitor(net, instance=snn.Leaky),
        lambda: snn.functional.probe.InputMonitor(net, (snn.Leaky, torch.nn.Linear), lambda x: x + 1),
        lambda: snn.functional.probe.InputMonitor(net),
    )(),
    "AttributeMonitor": lambda snn, d, net: d.choice(
        lambda: snn.functional.probe.AttributeMonitor("mem", False, net, instance=snn.Leaky),
        lambda: snn.functional.probe.AttributeMonitor("mem", False, net, (snn.Leaky, snn.Synaptic), lambda m: m.abs()),
        lambda: snn.functional.probe.AttributeMonitor("weight", False, net, torch.nn.Linear),
    )(),
}
for key, maker in KINDS.items():
    put_monitor(key, maker)
put_monitor("GradInputMonitor", lambda snn, d, net: snn.functional.probe.GradInputMonitor(net, snn.Leaky), True)
put_monitor(
    "GradOutputMonitor",
    lambda snn, d, net: snn.functional.probe.GradOutputMonitor(
        net, (snn.Leaky, torch.nn.Linear), lambda g: g.sum() if isinstance(g, torch.Tensor) else len(g)
    ),
    True,
)


@case("functional.probe.AttributeMonitor", label="before the forward")
def before(snn, draw):
    raise Differs("AttributeMonitor records before the forward")


@case("functional.probe.OutputMonitor", label="a module for its class")
def module_for_class(snn, draw):
    raise Differs("Monitors take a module for its class")


@case("functional.probe.AttributeMonitor", label="plain attributes")
def plain(snn, draw):
    raise Differs("AttributeMonitor finds every attribute")


@case("functional.probe.unpack_len1_tuple")
def unpack(snn, draw):
    return [snn.functional.probe.unpack_len1_tuple(x) for x in ((1,), (1, 2), 3, (), [4])]


@case(
    "functional.probe.AttributeMonitor",
    "functional.probe.GradInputMonitor",
    "functional.probe.GradOutputMonitor",
    "functional.probe.OutputMonitor",
    label="wrong calls",
)
def wrong(snn, draw):
    net, probe = network(snn, draw), snn.functional.probe
    return [
        raised(lambda: probe.AttributeMonitor("mem", False, net)),
        raised(lambda: probe.GradInputMonitor(net)),
        raised(lambda: probe.GradOutputMonitor(net)),
        raised(lambda: probe.OutputMonitor(net, instance="Leaky")),
    ]
