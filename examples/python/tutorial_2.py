"""The leaky integrate-and-fire neuron, from a differential equation to Lapicque's neuron (snnTorch's tutorial 2)."""

import torch

import rheobase as snn
from rheobase import spikegen

torch.manual_seed(0)


def leaky_integrate_neuron(U, time_step=1e-3, I=0, R=5e7, C=1e-10):
    """A passive membrane, by forward Euler."""
    tau = R * C
    return U + (time_step / tau) * (-U + I * R)


num_steps = 100
U = 0.9
U_trace = []
for step in range(num_steps):
    U_trace.append(U)
    U = leaky_integrate_neuron(U)
print("passive membrane:", *(f"{u:.4f}" for u in U_trace[:6]))

# Lapicque's neuron: the same, and it fires.
time_step, R, C = 1e-3, 5, 1e-3
lif1 = snn.Lapicque(R=R, C=C, time_step=time_step)


def run(neuron, cur_in, mem):
    """Membranes and spikes of all steps, the state before the first one included."""
    mem_rec, spk_rec = [mem], [torch.zeros(1)]
    for current in cur_in:
        spk_out, mem = neuron(current, mem)
        mem_rec.append(mem)
        spk_rec.append(spk_out)
    return torch.stack(mem_rec), torch.stack(spk_rec)


def spikes(spk_rec):
    return spk_rec.flatten().nonzero().flatten().tolist()


mem_rec, spk_rec = run(lif1, torch.zeros(num_steps, 1), torch.ones(1) * 0.9)
print(f"without stimulus: U[50] = {mem_rec[50].item():.5e}, {len(spikes(spk_rec))} spikes")

cur_in = torch.cat((torch.zeros(10, 1), torch.ones(190, 1) * 0.1), 0)
mem_rec, spk_rec = run(lif1, cur_in, torch.zeros(1))
print(f"0.1 A from step 10: I R = {cur_in[-1].item() * R:.1f} V, U[200] = {mem_rec[200].item():.7f} V")

for words, current, length in (
    ("pulse", 0.1, 20),
    ("half as long", 0.111, 10),
    ("a quarter as long", 0.147, 5),
    ("one step", 0.5, 1),
):
    cur_in = torch.cat((torch.zeros(10, 1), torch.ones(length, 1) * current, torch.zeros(190 - length, 1)), 0)
    mem_rec, spk_rec = run(lif1, cur_in, torch.zeros(1))
    print(f"{words}: highest membrane {mem_rec.max().item():.6f} V at {mem_rec.argmax().item()}")


def leaky_integrate_and_fire(mem, cur=0, threshold=1, time_step=1e-3, R=5.1, C=5e-3):
    """With a threshold and a reset by subtraction."""
    tau_mem = R * C
    spk = (mem > threshold).float()
    return mem + (time_step / tau_mem) * (-mem + cur * R) - spk * threshold, spk


cur_in = torch.cat((torch.zeros(10), torch.ones(190) * 0.2), 0)
mem, flags = torch.zeros(1), []
for step in range(200):
    mem, spk = leaky_integrate_and_fire(mem, cur_in[step])
    if spk:
        flags.append(step)
print("by hand, 0.2 A: spikes at", flags)

lif2 = snn.Lapicque(R=5.1, C=5e-3, time_step=1e-3)
print(f"membrane time constant: {(lif2.R * lif2.C).item():.3f} s")
for current in (0.2, 0.3):
    cur_in = torch.cat((torch.zeros(10, 1), torch.ones(190, 1) * current), 0)
    mem_rec, spk_rec = run(lif2, cur_in, torch.zeros(1))
    print(f"{current} A: spikes at {spikes(spk_rec)}, highest membrane {mem_rec.max().item():.4f} V")

lif3 = snn.Lapicque(R=5.1, C=5e-3, time_step=1e-3, threshold=0.5)
mem_rec, spk_rec = run(lif3, cur_in, torch.zeros(1))
print(f"half the threshold: {len(spikes(spk_rec))} spikes, at {spikes(spk_rec)}")

# Random spikes as the input, and what the reset does.
spk_in = spikegen.rate_conv(torch.ones((200, 1)) * 0.40)
mem_rec, spk_rec = run(lif3, spk_in, torch.ones(1) * 0.5)
print(f"random input: {len(spikes(spk_in))} spikes in, {len(spikes(spk_rec))} spikes out")
lif4 = snn.Lapicque(R=5.1, C=5e-3, time_step=1e-3, threshold=0.5, reset_mechanism="zero")
spk_in = (torch.arange(200) % 3 == 0).float().unsqueeze(1)
for words, neuron in (("subtraction", lif3), ("zero", lif4)):
    mem_rec, spk_rec = run(neuron, spk_in, torch.ones(1) * 0.5)
    print(f"a spike every third step, reset by {words}: {len(spikes(spk_rec))} spikes, at {spikes(spk_rec)[:5]} ...")
