"""DistributedDataParallel with two gloo processes, started by torchrun: the same gradients as one process on both halves."""

import os
import subprocess
import sys
import unittest

import recorded  # noqa: F401  (ends with 77 without torch)
import rheobase as snn
import torch
from torch import nn


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(6, 8), snn.Leaky(beta=0.9, init_hidden=True, learn_beta=True), nn.Linear(8, 3),
        snn.Leaky(beta=0.8, init_hidden=True, output=True, learn_threshold=True),
    )  # fmt: skip


class OverTime(nn.Module):
    """The loop over time steps, and the same network fused, in one module."""

    def __init__(self, net):
        super().__init__()
        self.net = net
        self.fused = snn.fuse(net, num_steps=4)

    def forward(self, x):
        for layer in (self.net[1], self.net[3]):
            layer.reset_mem()
        loop = [self.net(x)[1] for _ in range(4)]
        for layer in (self.net[1], self.net[3]):
            layer.reset_mem()
        return torch.stack(loop) + self.fused(x)[1]


def loss_of(model, x):
    return model(x).pow(2).mean()


def inputs():
    return torch.rand(8, 6, generator=torch.Generator().manual_seed(7))


def worker():
    """One of two processes: every second row; gradients, averaged by DDP, must be those of all rows."""
    torch.distributed.init_process_group("gloo")
    rank = torch.distributed.get_rank()
    alone = OverTime(network())
    loss_of(alone, inputs()).backward()
    model = nn.parallel.DistributedDataParallel(OverTime(network()))
    for step in range(3):  # the buffers that DDP hands around are replaced by every call
        model.zero_grad()
        loss_of(model, inputs()[rank::2]).backward()
    for ours, whole in zip(model.module.parameters(), alone.parameters()):
        torch.testing.assert_close(ours.grad, whole.grad, rtol=1e-4, atol=1e-6)
    torch.distributed.destroy_process_group()
    print(f"rank {rank} agrees")


class Distributed(unittest.TestCase):
    def test_two_processes_give_the_gradients_of_one(self):
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", __file__, "worker"]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=300, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=False
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for rank in range(2):
            self.assertIn(f"rank {rank} agrees", done.stdout)


if __name__ == "__main__":
    if sys.argv[1:] == ["worker"]:
        worker()
    else:
        unittest.main()
