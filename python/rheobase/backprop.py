"""One pass of backpropagation through time over a data loader: whole (BPTT), or cut every K steps (TBPTT, RTRL).

    lif1 = snn.Leaky(beta=0.9, init_hidden=True)
    lif2 = snn.Leaky(beta=0.9, init_hidden=True, output=True)
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 500), lif1, nn.Linear(500, 10), lif2)
    loss = backprop.TBPTT(net, loader, optimizer, SF.mse_count_loss(), num_steps=100, time_var=False, K=40)

Every layer keeps its own state (init_hidden=True). For each batch: states of zeros; for every K steps the loss of what the network
gave in them, an optimiser step, and a cut through every state inside the network, whatever the neurons and however nested.
Losses see K steps: mse_count_loss wants K times its rates.

net(x) gives spikes, or (spikes, ..., membrane) from a last layer with output=True; losses on membranes need the latter.
The returned loss is the mean over time steps: a shorter last piece counts by its steps. It has no history.

Importing the module gives a DeprecationWarning, as in snnTorch: it is here for code that has it. A loop of your own over `snn.fuse` or
`snn.Sequential` runs the steps of a piece in one fused call, which is many times faster."""

import warnings

import torch

from . import utils
from .functional.loss import LossFunctions

__all__ = ["BPTT", "RTRL", "TBPTT"]

warnings.warn(
    f"{__name__} is for code that was written for snnTorch, where it is deprecated: a training loop of your own is faster",
    DeprecationWarning,
    stacklevel=2,
)


def TBPTT(
    net,
    dataloader,
    optimizer,
    criterion,
    num_steps=False,
    time_var=True,
    time_first=True,
    regularization=False,
    device="cpu",
    K=1,
):
    """Truncated: an optimiser step and a cut every K steps; K=False: one at the end.

    dataloader      gives (data, targets): data [T, B, ...]; with time_first=False [B, T, ...]; with time_var=False [B, ...], the
                    same at each of num_steps steps
    criterion       one of rheobase.functional's losses. Targets that vary in time (mse_membrane_loss(time_var_targets=True)) have
                    their time where data have it, and are cut too
    regularization  one of rheobase.functional's penalties, of the spikes (membrane_penalty: of the membranes), added to the loss"""
    return _train("TBPTT", net, dataloader, optimizer, criterion, num_steps, time_var, time_first, regularization, device, K)


def BPTT(
    net,
    dataloader,
    optimizer,
    criterion,
    num_steps=False,
    time_var=True,
    time_first=True,
    regularization=False,
    device="cpu",
):
    """Whole: TBPTT with one optimiser step per batch."""
    return _train(
        "BPTT", net, dataloader, optimizer, criterion, num_steps, time_var, time_first, regularization, device, False
    )


def RTRL(
    net,
    dataloader,
    optimizer,
    criterion,
    num_steps=False,
    time_var=True,
    time_first=True,
    regularization=False,
    device="cpu",
):
    """TBPTT with K = 1, under snnTorch's name. This is not the algorithm of Williams and Zipser (1989): no sensitivities are
    carried, so what an earlier step did gets no gradient."""
    return _train("RTRL", net, dataloader, optimizer, criterion, num_steps, time_var, time_first, regularization, device, 1)


def _train(op, net, dataloader, optimizer, criterion, num_steps, time_var, time_first, regularization, device, K):
    _check(op, criterion, num_steps, time_var, time_first, regularization, K)
    net = net.to(device)
    net.train()
    total, steps_seen = 0.0, 0
    for data, targets in dataloader:
        data, targets = data.to(device), targets.to(device)
        if time_var and not time_first:
            data = data.transpose(0, 1)
        steps = len(data) if time_var else num_steps
        if K is not False and K > steps:
            raise ValueError(f"[{op}] K must be at most the number of steps, {steps}, got {K}")
        if criterion.time_var_targets:
            targets = _over_time(op, targets, steps, time_first)
        utils.reset(net)
        for first in range(0, steps, K or steps):
            piece = range(first, min(first + (K or steps), steps))
            wanted = targets[piece.start : piece.stop] if criterion.time_var_targets else targets
            outputs = [net(data[t] if time_var else data) for t in piece]
            loss = _loss(op, outputs, wanted, criterion, regularization)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            utils._detach(net)
            total = total + loss.detach() * len(piece)
            steps_seen += len(piece)
    if not steps_seen:
        raise ValueError(f"[{op}] dataloader must give at least one batch, got none")
    return total / steps_seen


def _check(op, criterion, num_steps, time_var, time_first, regularization, K):
    if num_steps and time_var:
        raise ValueError(f"[{op}] num_steps must not be given with time_var, the data have it, got {num_steps}")
    if not num_steps and not time_var:
        raise ValueError(f"[{op}] num_steps must be given without time_var, got {num_steps}")
    if not time_var and not time_first:
        raise ValueError(f"[{op}] time_first must be true without time_var, got {time_first}")
    if K is not False and K < 1:
        raise ValueError(f"[{op}] K must be at least 1, got {K}")
    if num_steps and K > num_steps:
        raise ValueError(f"[{op}] K must be at most the number of steps, {num_steps}, got {K}")
    if not isinstance(criterion, LossFunctions):
        name = getattr(criterion, "__name__", type(criterion).__name__)
        raise TypeError(f"[{op}] criterion must be one of the losses of rheobase.functional, got {name}")
    if regularization and not callable(regularization):
        raise TypeError(f"[{op}] regularization must be a function of spikes, got {regularization!r}")


def _over_time(op, targets, steps, time_first):
    dim = 0 if time_first else 1
    if targets.dim() <= dim or targets.shape[dim] != steps:
        raise ValueError(
            f"[{op}] targets must have {steps} steps in dimension {dim} with time_var_targets, got {list(targets.shape)}"
        )
    return targets.transpose(0, dim)


def _membrane(op, output):
    """The last thing a last layer returns; of a pair of membranes the newer one."""
    if isinstance(output, torch.Tensor):
        raise TypeError(f"[{op}] criterion on membranes must have a last layer with output=True, got one without")
    return output[-1] if isinstance(output[-1], torch.Tensor) else output[-1][0]


def _loss(op, outputs, targets, criterion, regularization):
    recordings = {}

    def recording(of):
        membrane = getattr(of, "membrane", False)
        if membrane not in recordings:
            rows = [_membrane(op, o) if membrane else o if isinstance(o, torch.Tensor) else o[0] for o in outputs]
            recordings[membrane] = torch.stack(rows)
        return recordings[membrane]

    loss = criterion(recording(criterion), targets)
    if loss.numel() != 1:
        raise ValueError(f"[{op}] criterion must give one number, got shape {list(loss.shape)}")
    if regularization:
        loss = loss + regularization(recording(regularization))
    return loss
