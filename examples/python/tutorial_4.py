"""Neurons of second order: synaptic current and alpha function (snnTorch's tutorial 4)."""

import torch

import rheobase as snn

num_steps = 200

# Synaptic: every input spike lets a current jump, which decays by itself.
lif1 = snn.Synaptic(alpha=0.9, beta=0.8)
spk_period = torch.cat((torch.ones(1) * 0.2, torch.zeros(9)), 0)
spk_in = spk_period.repeat(20)
syn, mem = lif1.init_synaptic()
spk_out = torch.zeros(1)
syn_rec, mem_rec, spk_rec = [], [], []
for step in range(num_steps):
    spk_out, syn, mem = lif1(spk_in[step], syn, mem)
    spk_rec.append(spk_out)
    syn_rec.append(syn)
    mem_rec.append(mem)
spk_rec, syn_rec, mem_rec = torch.stack(spk_rec), torch.stack(syn_rec), torch.stack(mem_rec)
print("Synaptic, spikes at", spk_rec.flatten().nonzero().flatten().tolist())
print(f"highest current {syn_rec.max().item():.5f}, highest membrane {mem_rec.max().item():.5f}")

# Alpha: the membrane itself is filtered by two exponentials.
lif2 = snn.Alpha(alpha=0.8, beta=0.7, threshold=0.5)
w = 0.85
spk_in = (
    torch.cat(
        (torch.zeros(10), torch.ones(1), torch.zeros(89), (torch.cat((torch.ones(1), torch.zeros(9)), 0).repeat(10))), 0
    )
    * w
).unsqueeze(1)
syn_exc, syn_inh, mem = lif2.init_alpha()
mem_rec, spk_rec = [], []
for step in range(num_steps):
    spk_out, syn_exc, syn_inh, mem = lif2(spk_in[step], syn_exc, syn_inh, mem)
    mem_rec.append(mem.squeeze(0))
    spk_rec.append(spk_out.squeeze(0))
mem_rec, spk_rec = torch.stack(mem_rec), torch.stack(spk_rec)
print("Alpha, spikes at", spk_rec.nonzero().flatten().tolist())
print(f"highest membrane {mem_rec.max().item():.5f}, at rest again: {abs(mem_rec[99].item()) < 1e-5}")
print("after the first input:", *(f"{m:.5f}" for m in mem_rec[10:16].tolist()))
