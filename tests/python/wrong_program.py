"""Mistakes that mypy must find with the package's stubs, each marked with the code of its error (stubs_test.py)."""

import torch

import rheobase as snn
import rheobase.functional as SF
from rheobase import spikegen, spikeplot, surrogate, utils
from rheobase.export_nir import export_to_nir

x = torch.rand(5, 2, 3)
lif = snn.Leaky(beta=0.9)
snn.Leaky(bta=0.9)  # wrong: call-arg
snn.Leaky()  # wrong: call-arg
snn.Leaky(beta="0.9")  # wrong: arg-type
snn.Leaky(beta=0.9, reset_mechanism="subract")  # wrong: arg-type
snn.Leaky(beta=0.9, learn_alpha=True)  # wrong: call-arg
snn.Synaptic(alpha=0.9, beta=0.8, spike_grad="atan")  # wrong: arg-type
snn.DeltaLeaky(0.1)  # wrong: call-overload
lif(x[0], membrane=x[0])  # wrong: call-arg
lif.sequence(x, steps=5)  # wrong: call-overload
spk, mem, state = lif.sequence(x)  # wrong: misc
surrogate.fast_sigmoid(alpha=2)  # wrong: call-arg
spikegen.rate(x, steps=5)  # wrong: call-arg
SF.ce_rate_loss(reduction="average")  # wrong: arg-type
utils.reset()  # wrong: call-arg
spikeplot.raster(x[:, 0])  # wrong: call-arg
snn.fuse(lif, steps=5)  # wrong: call-arg
export_to_nir(lif)  # wrong: call-arg
snn.Leeky(beta=0.9)  # wrong: attr-defined
