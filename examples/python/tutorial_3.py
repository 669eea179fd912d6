"""A feed-forward spiking network, from the neuron's equation to three layers (snnTorch's tutorial 3)."""

import math

import matplotlib.pyplot as plt
import torch
import torch.nn as nn

import rheobase as snn
from rheobase import spikegen
from rheobase import spikeplot as splt

torch.manual_seed(0)


def leaky_integrate_and_fire(mem, x, w, beta, threshold=1):
    """Decay, weighted input, reset by subtraction."""
    spk = mem > threshold
    return spk, beta * mem + w * x - spk * threshold


beta = math.exp(-1 / 5)
print(f"decay: {beta:.3f}")
num_steps = 200
x = torch.cat((torch.zeros(10), torch.ones(190) * 0.5), 0)
mem, spk_rec = torch.zeros(1), []
for step in range(num_steps):
    spk, mem = leaky_integrate_and_fire(mem, x[step], w=0.4, beta=0.819)
    spk_rec.append(spk)
print("by hand, spikes at", torch.stack(spk_rec).flatten().nonzero().flatten().tolist())

lif1 = snn.Leaky(beta=0.8)
cur_in = torch.cat((torch.zeros(10, 1), torch.ones(190, 1) * 0.21), 0)
mem = torch.zeros(1)
mem_rec, spk_rec = [], []
for step in range(num_steps):
    spk, mem = lif1(cur_in[step], mem)
    mem_rec.append(mem)
    spk_rec.append(spk)
spk_rec, mem_rec = torch.stack(spk_rec), torch.stack(mem_rec)
print("snn.Leaky, spikes at", spk_rec.flatten().nonzero().flatten().tolist())
print(f"highest membrane {mem_rec.max().item():.4f}")

# Three layers of 784, 1000 and 10 neurons with random weights.
num_inputs, num_hidden, num_outputs, beta = 784, 1000, 10, 0.99
fc1 = nn.Linear(num_inputs, num_hidden)
lif1 = snn.Leaky(beta=beta)
fc2 = nn.Linear(num_hidden, num_outputs)
lif2 = snn.Leaky(beta=beta)

mem1 = lif1.init_leaky()
mem2 = lif2.init_leaky()
mem2_rec, spk1_rec, spk2_rec = [], [], []
spk_in = spikegen.rate_conv(torch.rand((200, 784))).unsqueeze(1)
print(f"spk_in: {list(spk_in.size())}")
for step in range(num_steps):
    cur1 = fc1(spk_in[step])
    spk1, mem1 = lif1(cur1, mem1)
    cur2 = fc2(spk1)
    spk2, mem2 = lif2(cur2, mem2)
    mem2_rec.append(mem2)
    spk1_rec.append(spk1)
    spk2_rec.append(spk2)
mem2_rec, spk1_rec, spk2_rec = torch.stack(mem2_rec), torch.stack(spk1_rec), torch.stack(spk2_rec)
print(f"spk1_rec: {list(spk1_rec.size())}, spk2_rec: {list(spk2_rec.size())}")
print(f"random input: {int(spk1_rec.sum())} hidden spikes, {int(spk2_rec.sum())} of the output")

fig, ax = plt.subplots(3, figsize=(8, 7), sharex=True)
for axis, layer in zip(ax, (spk_in, spk1_rec, spk2_rec)):
    splt.raster(layer[:, 0], axis, s=0.05, c="black")
fig = plt.figure()
splt.traces(mem2_rec.squeeze(1), spk=spk2_rec.squeeze(1))
print(f"traces on {len(fig.axes)} axes")
fig, ax = plt.subplots(facecolor="w", figsize=(12, 7))
splt.spike_count(spk2_rec.squeeze(1).detach().cpu(), fig, ax, labels=[str(i) for i in range(10)])
plt.show()
