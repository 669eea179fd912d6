"""The operators of recurrent, LSTM and scanning layers as Python sees them: schemas, shapes without data, autograd's
registrations, tracing, and gradients against finite differences.

    python3 layer_operators_test.py path/to/librheobase.so

Ends with 77 and a reason where there is no torch to test with."""

import itertools
import sys
import unittest

try:
    import torch
except ImportError as error:
    print(f"skipped: this Python has no torch ({error})")
    sys.exit(77)

T, B = 5, 3
ATAN = ("atan", [2.0])


def tensors(*shapes, grad=False, dtype=torch.float32, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(shape, generator=generator, dtype=dtype).requires_grad_(grad) for shape in shapes]


def window(grad=False, past=True, window=3, per_neuron=True, **more):
    x, decay, before = tensors((T, B, 4), (4,) if per_neuron else (), (window - 1, B, 4), grad=grad, **more)
    return x, decay, before if past else None, window


def associative(grad=False, q=True, state=True, trace=True, vectors=True, **more):
    d, n = 3, 2
    v, k, a, read, first, threshold, graded = tensors(
        (T, B, d), (T, B, n), (T, B, n), (T, B, n * d), (B, d * n), (d * n,) if vectors else (), (), grad=grad, **more)
    return v, k, a, read if q else None, first if state else None, threshold, graded, *ATAN, trace


def rectified(grad=False, first=True, **more):
    x, weight, before = tensors((T, B, 2, 4), (4, 4), (B, 2, 4), grad=grad, **more)
    return x - 0.5, weight - 0.5, before if first else None


def recurrent(grad=False, conv=False, bias=True, state=True, constant=False, outputs=1, reset=0, kind="RLeaky", **more):
    row = (B, 2, 4, 3) if conv else (B, 4)
    weight = (2, 2, 3, 3) if conv else (4, 4)
    count = 2 if kind == "RLeaky" else 3
    x, w, b, *rest = tensors((1 if constant else T, *row), weight, (weight[0],), *[row] * count, *[(4 if not conv else 1,)] * 4,
                             grad=grad, **more)
    own = 2 if kind == "RLeaky" else 3  # beta, V; alpha, beta, V
    generator = torch.ones((), dtype=x.dtype)
    constants = rest[count:count + own] + [rest[-1], generator]
    return kind, x, w - 0.5, b if bias else None, rest[:count] if state else [], constants, T, reset, True, *ATAN, outputs


def lstm(grad=False, conv=False, bias=True, state=True, constant=False, outputs=3, reset=2, **more):
    hidden, inputs = 2, 3
    space, kernel = ((4, 5), (3, 1)) if conv else ((), ())
    x, weight_ih, b, weight_hh, threshold, syn, mem = tensors(
        (1 if constant else T, B, inputs, *space), (4 * hidden, inputs, *kernel), (4 * hidden,),
        (4 * hidden, hidden, *kernel), (hidden, *space), (B, hidden, *space), (B, hidden, *space), grad=grad, **more)
    return ("SConv2dLSTM" if conv else "SLSTM", x, weight_ih - 0.5, b if bias else None, weight_hh - 0.5, threshold / 3,
            [syn, mem] if state else [], T, [0, 1, 3, 2] if conv else [0, 1, 2, 3], reset, *ATAN, outputs)


# What each operator is checked with: its arguments, and cases of these.
CASES = {
    "leaky_window": (window, [{}, {"past": False}, {"window": 1}, {"window": 9, "per_neuron": False}]),
    "associative": (associative, [{}, {"q": False}, {"state": False, "trace": False}, {"vectors": False}]),
    "rectified_recurrence": (rectified, [{}, {"first": False}]),
    "recurrent": (recurrent, [{}, {"conv": True}, {"bias": False, "state": False}, {"constant": True, "outputs": 0},
                              {"outputs": 3}, {"kind": "RSynaptic", "reset": 1}]),
    "lstm": (lstm, [{}, {"conv": True}, {"bias": False, "state": False}, {"constant": True, "outputs": 2}, {"outputs": 7},
                    {"conv": True, "constant": True, "outputs": 0}, {"reset": 0}]),
}
# The tensors whose gradients are compared with finite differences: those in the smooth part of an operator.
SMOOTH = {
    "leaky_window": (window, {}, lambda out: [out]),
    "rectified_recurrence": (rectified, {}, lambda out: [out]),
    "lstm": (lstm, {"outputs": 1}, lambda out: [*out[1], *out[2]]),
    "lstm conv": (lstm, {"outputs": 1, "conv": True}, lambda out: [*out[1], *out[2]]),
    "associative": (associative, {}, lambda out: list(out[1:])),
}


def flat(arguments):
    return [t for a in arguments for t in (a if isinstance(a, (list, tuple)) else [a]) if isinstance(t, torch.Tensor)]


def results(out):
    return flat(out) if isinstance(out, (list, tuple)) else [out]


class Operators(unittest.TestCase):
    def test_opcheck(self):
        for name, (make, cases) in CASES.items():
            every = [*itertools.product(cases, (False, True), (torch.float32,)), (cases[0], True, torch.float64)]
            for case, grad, dtype in every:
                with self.subTest(name, **case, grad=grad, dtype=dtype):
                    torch.library.opcheck(getattr(torch.ops.rheobase, name).default, make(grad=grad, dtype=dtype, **case))

    def backward_call(self, name, case, needs):
        """The arguments of an operator's backward operator, from a forward call."""
        make, _ = CASES[name]
        given = make(**case)
        like = torch.rand_like
        if name == "leaky_window":
            return (like(given[0]), *given, needs)
        if name == "associative":
            out, last, trace = torch.ops.rheobase.associative(*given)
            return (like(out), like(last), like(trace) if given[-1] else None, *given[:-1], needs)
        if name == "rectified_recurrence":
            h = torch.ops.rheobase.rectified_recurrence(*given)
            return (like(h), h, *given[1:], needs)
        if name == "recurrent":
            kind, x, weight, _, state, constants, steps, *rest, _ = given
            spk, traces, last, inside = torch.ops.rheobase.recurrent(*given[:-1], 3)
            return (kind, like(spk), [like(t) for t in traces], [like(s) for s in last], inside, spk, traces, weight, state,
                    constants, x.shape[0] != steps, *rest, needs)
        kind, x, weight_ih, _, weight_hh, threshold, state, _, order, *rest, _ = given
        spk, traces, last, gates = torch.ops.rheobase.lstm(*given[:-1], 7)
        return (kind, like(spk), [like(t) for t in traces], [like(s) for s in last], gates, traces, x, weight_ih, weight_hh,
                threshold, state, order, *rest, needs)

    def test_opcheck_backward(self):
        for name, (_, cases) in CASES.items():
            for case, needs in itertools.product(cases, (0b1, 0b1111111, 0b10010)):
                if not case.get("bias", True):
                    needs &= ~0b100
                with self.subTest(name, **case, needs=needs):
                    call = self.backward_call(name, case, needs)
                    torch.library.opcheck(getattr(torch.ops.rheobase, name + "_backward").default, call)

    def test_gradients_are_those_of_finite_differences(self):
        for name, (make, case, smooth) in SMOOTH.items():
            with self.subTest(name):
                given = make(grad=True, dtype=torch.float64, **case)
                leaves = flat(given)

                def run(*values, given=given, smooth=smooth, name=name):
                    left = iter(values)

                    def placed(a):
                        if isinstance(a, torch.Tensor):
                            return next(left)
                        return [placed(t) for t in a] if isinstance(a, list) and a and isinstance(a[0], torch.Tensor) else a

                    out = getattr(torch.ops.rheobase, name.split()[0])(*[placed(a) for a in given])
                    return tuple(smooth(out))

                values = [t.detach().requires_grad_() for t in leaves]
                torch.autograd.gradcheck(run, values, atol=1e-7, rtol=1e-5)

    def test_second_derivatives_are_refused_by_name(self):
        names = {"leaky_window": "leaky_window", "associative": "associative", "rectified_recurrence": "rectified_recurrence",
                 "recurrent": "RLeaky", "lstm": "lstm"}
        for name, (make, _) in CASES.items():
            with self.subTest(name):
                given = make(grad=True)
                out = results(getattr(torch.ops.rheobase, name)(*given))
                loss = sum((t * t).sum() for t in out if t.requires_grad)
                with self.assertRaisesRegex(RuntimeError, rf"\[{names[name]}\] the fused backward has no derivative"):
                    torch.autograd.grad(loss, [t for t in flat(given) if t.requires_grad], create_graph=True,
                                        allow_unused=True)

    def test_results_share_no_memory(self):
        for name, (make, cases) in CASES.items():
            for case in cases:
                with self.subTest(name, **case):
                    given = make(**case)
                    out = [t for t in results(getattr(torch.ops.rheobase, name)(*given)) if t.numel() > 0]
                    pointers = [t.untyped_storage().data_ptr() for t in out + flat(given) if t.numel() > 0]
                    self.assertEqual(len(pointers) - len(set(pointers)), self.shared_inputs(given))

    @staticmethod
    def shared_inputs(given):
        pointers = [t.untyped_storage().data_ptr() for t in flat(given) if t.numel() > 0]
        return len(pointers) - len(set(pointers))

    def test_inputs_stay_as_they_are(self):
        for name, (make, cases) in CASES.items():
            for case in cases:
                with self.subTest(name, **case):
                    given = make(**case)
                    before = [t.clone() for t in flat(given)]
                    getattr(torch.ops.rheobase, name)(*given)
                    for now, then in zip(flat(given), before):
                        torch.testing.assert_close(now, then, rtol=0, atol=0)

    def test_the_recurrent_gradient_equals_a_loop(self):
        """RLeaky with dense feedback against autograd over plain operations, with the arctan surrogate."""

        class Spike(torch.autograd.Function):
            @staticmethod
            def forward(ctx, u):
                ctx.save_for_backward(u)
                return (u > 0).to(u.dtype)

            @staticmethod
            def backward(ctx, grad):
                (u,) = ctx.saved_tensors
                return grad / (1 + (torch.pi * u) ** 2)

        def loop(x, weight, bias, spk, mem, beta, threshold):
            spikes, membranes = [], []
            for row in x:
                flag = (mem > threshold).to(x.dtype).detach()
                mem = beta * mem + row + torch.nn.functional.linear(spk, weight, bias) - flag * threshold
                spk = Spike.apply(mem - threshold)
                spikes.append(spk)
                membranes.append(mem)
            return torch.stack(spikes), torch.stack(membranes)

        def fused(x, weight, bias, spk, mem, beta, threshold):
            zero, one = x.new_zeros(()), x.new_ones(())
            out, (trace,), _, _ = torch.ops.rheobase.recurrent("RLeaky", x, weight, bias, [spk, mem],
                                                               [beta, zero, threshold, one], x.shape[0], 0, True, *ATAN, 1)
            return out, trace

        shapes = ((23, 7, 5), (5, 5), (5,), (7, 5), (7, 5))
        values = tensors(*shapes, dtype=torch.float64) + [torch.tensor(0.8, dtype=torch.float64),
                                                          torch.full((5,), 0.9, dtype=torch.float64)]
        values[1] = values[1] - 0.6
        weights = torch.randn(2, 23, 7, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
        compared = []
        for run in (fused, loop):
            leaves = [v.clone().requires_grad_() for v in values]
            spk, mem = run(*leaves)
            self.assertGreater(spk.sum().item(), 50)
            (spk * weights[0] + mem * weights[1]).sum().backward()
            compared.append([spk, mem] + [leaf.grad for leaf in leaves])
        for ours, theirs in zip(*compared):
            torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-11)

    def test_bad_arguments_are_refused(self):
        ops = torch.ops.rheobase
        kind, x, *rest = lstm()
        with self.assertRaisesRegex(Exception, r"\[SLSTM\] x must be \[T, B, 3\], got \[5, 3, 2\]"):
            ops.lstm(kind, x[..., :2], *rest)
        kind, x, weight, bias, state, *rest = recurrent()
        with self.assertRaisesRegex(Exception, r"\[RLeaky\] weight must be \[N, N\] or \[C, C, kh, kw\], got \[3, 4\]"):
            ops.recurrent(kind, x, weight[:3], bias, state, *rest)
        x, decay, past, k = window()
        with self.assertRaisesRegex(Exception, r"\[leaky_window\] past must have shape \[2, 3, 4\], got \[1, 3, 4\]"):
            ops.leaky_window(x, decay, past[:1], k)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} LIBRARY")
    torch.ops.load_library(sys.argv.pop())
    unittest.main(verbosity=2)
