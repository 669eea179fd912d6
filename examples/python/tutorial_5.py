"""Training a fully connected spiking network on MNIST, step by step (snnTorch's tutorial 5).

Thirty batches; with --full one epoch, as in the tutorial.
"""

import sys

import torch
import torch.nn as nn
from torch.utils.data import DataLoader

import rheobase as snn

from mnist import MNIST, data_path

torch.manual_seed(0)
batch_size = 128
iterations = None if "--full" in sys.argv else 30
dtype = torch.float
device = torch.device("cpu")

train_loader = DataLoader(MNIST(data_path, train=True), batch_size=batch_size, shuffle=True, drop_last=True)
test_loader = DataLoader(MNIST(data_path, train=False), batch_size=batch_size, shuffle=True, drop_last=True)

num_inputs = 28 * 28
num_hidden = 1000
num_outputs = 10
num_steps = 25
beta = 0.95


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(num_inputs, num_hidden)
        self.lif1 = snn.Leaky(beta=beta)
        self.fc2 = nn.Linear(num_hidden, num_outputs)
        self.lif2 = snn.Leaky(beta=beta)

    def forward(self, x):
        mem1 = self.lif1.init_leaky()
        mem2 = self.lif2.init_leaky()
        spk2_rec = []
        mem2_rec = []
        for step in range(num_steps):
            cur1 = self.fc1(x)
            spk1, mem1 = self.lif1(cur1, mem1)
            cur2 = self.fc2(spk1)
            spk2, mem2 = self.lif2(cur2, mem2)
            spk2_rec.append(spk2)
            mem2_rec.append(mem2)
        return torch.stack(spk2_rec, dim=0), torch.stack(mem2_rec, dim=0)


net = Net().to(device)


def accuracy(data, targets):
    """Share of a batch for which the right output has the most spikes."""
    output, _ = net(data.view(len(data), -1))
    _, idx = output.sum(dim=0).max(1)
    return (targets == idx).float().mean().item()


loss = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=5e-4, betas=(0.9, 0.999))

for iteration, (data, targets) in enumerate(train_loader):
    if iteration == iterations:
        break
    data, targets = data.to(device), targets.to(device)
    net.train()
    spk_rec, mem_rec = net(data.view(batch_size, -1))
    loss_val = torch.zeros((1), dtype=dtype, device=device)
    for step in range(num_steps):
        loss_val += loss(mem_rec[step], targets)
    optimizer.zero_grad()
    loss_val.backward()
    optimizer.step()
    if iteration < 5 or iteration % 10 == 9:
        print(f"iteration {iteration}: loss {loss_val.item():.4f}")

with torch.no_grad():
    net.eval()
    total = [accuracy(data.to(device), targets.to(device)) for data, targets in test_loader]
print(f"test accuracy {100 * sum(total) / len(total):.2f} %")
