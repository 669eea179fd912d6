"""What snnTorch computed, recorded: tests/data/cases.json.gz read, arrays made, results compared.

    for case in recorded.cases("neuron.steps", "Leaky"):
        with self.subTest(case["name"]):
            layer = recorded.build(snn.Leaky, case)
            recorded.compare(self, case, {"spk": spk, "mem": mem})

A test file that imports this ends with 77 and a reason where the Python has no torch.
"""

import functools
import gzip
import json
import sys
from pathlib import Path

try:
    import torch
except ImportError as error:
    print(f"skipped: this Python has no torch ({error})")
    sys.exit(77)

import rheobase as snn

DATA = Path(__file__).resolve().parents[1] / "data" / "cases.json.gz"


@functools.cache
def _all():
    with gzip.open(DATA, "rt") as file:
        return json.load(file)["cases"]


def cases(kind, *targets):
    """The recorded cases of a kind, of certain targets where they are named. An empty list would hide a typing error."""
    found = [c for c in _all() if c["kind"] == kind and (not targets or c["target"] in targets)]
    if not found:
        raise LookupError(f"no recorded case of kind {kind!r} and targets {targets}")
    return found


def array(value):
    """An {"shape", "dtype", "data"} as a tensor; anything else as it is."""
    if not (isinstance(value, dict) and "data" in value):
        return value
    return torch.tensor(value["data"], dtype=getattr(torch, value["dtype"])).reshape(value["shape"])


def arrays(values):
    return {name: array(value) for name, value in values.items()}


def surrogate(value):
    """{"surrogate": "fast_sigmoid", "slope": 10} as a spike function."""
    arguments = {k: v for k, v in value.items() if k != "surrogate"}
    if value["surrogate"] == "custom_surrogate":
        return snn.surrogate.custom_surrogate(lambda u, grad, spk: grad / (5 * u.abs() + 1) ** 2 * (0.5 + 0.5 * spk))
    return getattr(snn.surrogate, value["surrogate"])(**arguments)


def options(case):
    """The case's options as snnTorch's constructor or function takes them."""
    out = arrays(case["options"])
    if isinstance(out.get("spike_grad"), dict):
        out["spike_grad"] = surrogate(out["spike_grad"])
    if isinstance(out.get("state_quant"), dict):
        out["state_quant"] = state_quant(**out["state_quant"])
    return out


def state_quant(num_bits=8, uniform=True, thr_centered=True, threshold=1, lower_limit=0, upper_limit=0.2, multiplier=None):
    """A state quantiser as plain tensor operations: the nearest of 2^num_bits levels, the gradient passed on."""
    count, low, high = 2**num_bits, -threshold * (1 + lower_limit), threshold * (1 + upper_limit)
    if uniform:
        levels = torch.linspace(low, high, count)
    else:
        base = multiplier or {1: 0.05, 2: 0.1, 3: 0.3, 4: 0.5, 5: 0.7, 6: 0.9, 7: 0.925}.get(num_bits, 0.95)
        centre = threshold if thr_centered else 0
        below = int(count * (centre - low) / (high - low))

        def shares(n):  # of the way to the centre: the steps shrink by `base`
            steps = torch.tensor([base**i for i in range(n)], dtype=torch.float64)
            return torch.cat([torch.zeros(1, dtype=torch.float64), steps.cumsum(0)]) / steps.sum()

        lower = low + (centre - low) * shares(below)[:-1]
        upper = high - (high - centre) * shares(count - below).flip(0)[1:]
        levels = torch.cat([lower, upper]).float()

    def quantise(x):
        return x + (levels[(x.detach().unsqueeze(-1) - levels).abs().argmin(-1)] - x).detach()

    return quantise


def build(layer_class, case, **further):
    """The layer of a case, with the recorded values of its parameters."""
    layer = layer_class(**options(case), **further)
    values = {k.removeprefix("param."): array(v) for k, v in case["inputs"].items() if k.startswith("param.")}
    if values:
        missing, unexpected = layer.load_state_dict(values, strict=False)
        if unexpected:
            raise KeyError(f"{case['name']}: no state-dict entry {unexpected}")
    return layer


def compare(test, case, ours):
    """Fails the test where a recorded output is missing or differs: marked ones must be non-zero at the same places, numbers
    agree to atol max(1, max|b|) + rtol |b|."""
    for name, recorded in case["outputs"].items():
        if not isinstance(recorded, dict):
            continue  # Python's None
        b = array(recorded)
        test.assertIn(name, ours)
        a = ours[name].detach()
        test.assertEqual(list(a.shape), list(b.shape), name)
        if name in case["exact"]:
            test.assertTrue(torch.equal(a != 0, b != 0), f"{name}: not zero at the same places")
        if not b.is_floating_point():
            test.assertTrue(torch.equal(a.to(b.dtype), b), f"{name}: {a} is not {b}")
            continue
        test.assertEqual(a.dtype, torch.float32, name)
        if b.numel() == 0:
            continue
        room = case["atol"] * max(1.0, b.abs().max().item()) + case["rtol"] * b.abs()
        over = ((a - b).abs() - room).max().item()
        test.assertLessEqual(over, 0, f"{name}: ours\n{a}\nrecorded\n{b}")
        test.assertTrue(bool(a.isfinite().all()), name)
