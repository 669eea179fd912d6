"""A convolutional spiking network with surrogate gradients (snnTorch's tutorial 6).

Twenty-five batches of 64 images over 5 steps; with --full batches of 128 over 50 steps, one epoch.
"""

import sys

import torch
import torch.nn as nn
from torch.utils.data import DataLoader

import rheobase as snn
from rheobase import functional as SF
from rheobase import surrogate, utils

from mnist import MNIST, data_path

torch.manual_seed(0)
full = "--full" in sys.argv
batch_size, num_steps, iterations = (128, 50, None) if full else (64, 5, 25)
device = torch.device("cpu")

train_loader = DataLoader(MNIST(data_path, train=True), batch_size=batch_size, shuffle=True, drop_last=True)
test_loader = DataLoader(MNIST(data_path, train=False), batch_size=batch_size, shuffle=True, drop_last=True)

spike_grad = surrogate.fast_sigmoid(slope=25)
beta = 0.5

net = nn.Sequential(
    nn.Conv2d(1, 12, 5),
    nn.MaxPool2d(2),
    snn.Leaky(beta=beta, spike_grad=spike_grad, init_hidden=True),
    nn.Conv2d(12, 64, 5),
    nn.MaxPool2d(2),
    snn.Leaky(beta=beta, spike_grad=spike_grad, init_hidden=True),
    nn.Flatten(),
    nn.Linear(64 * 4 * 4, 10),
    snn.Leaky(beta=beta, spike_grad=spike_grad, init_hidden=True, output=True),
).to(device)


def forward_pass(net, num_steps, data):
    """Spikes and membranes of the output, [T, B, 10]."""
    mem_rec = []
    spk_rec = []
    utils.reset(net)
    for step in range(num_steps):
        spk_out, mem_out = net(data)
        spk_rec.append(spk_out)
        mem_rec.append(mem_out)
    return torch.stack(spk_rec), torch.stack(mem_rec)


def batch_accuracy(loader, net, num_steps, batches):
    with torch.no_grad():
        total, acc = 0, 0
        net.eval()
        for number, (data, targets) in enumerate(loader):
            if number == batches:
                break
            spk_rec, _ = forward_pass(net, num_steps, data.to(device))
            acc += SF.accuracy_rate(spk_rec, targets.to(device)) * spk_rec.size(1)
            total += spk_rec.size(1)
    return acc / total


loss_fn = SF.ce_rate_loss()
data, targets = next(iter(train_loader))
with torch.no_grad():
    spk_rec, mem_rec = forward_pass(net, num_steps, data)
    print(
        f"untrained: loss {loss_fn(spk_rec, targets).item():.3f}, accuracy {100 * SF.accuracy_rate(spk_rec, targets):.1f} % of a batch"
    )

optimizer = torch.optim.Adam(net.parameters(), lr=1e-2, betas=(0.9, 0.999))
for iteration, (data, targets) in enumerate(train_loader):
    if iteration == iterations:
        break
    data, targets = data.to(device), targets.to(device)
    net.train()
    spk_rec, _ = forward_pass(net, num_steps, data)
    loss_val = loss_fn(spk_rec, targets)
    optimizer.zero_grad()
    loss_val.backward()
    optimizer.step()
    if iteration < 3 or iteration % 10 == 9:
        print(f"iteration {iteration}: loss {loss_val.item():.4f}")

test_acc = batch_accuracy(test_loader, net, num_steps, None if full else 10)
print(f"test accuracy {100 * test_acc:.1f} %")
