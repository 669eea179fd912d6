"""Spike encoding: MNIST images as spike trains by rate, latency and delta modulation (snnTorch's tutorial 1)."""

import matplotlib.pyplot as plt
import torch
from torch.utils.data import DataLoader

import rheobase as snn  # noqa: F401
import rheobase.spikeplot as splt
from rheobase import spikegen, utils

from mnist import MNIST, data_path

torch.manual_seed(0)
batch_size = 128
num_steps = 100

mnist_train = MNIST(data_path, train=True)
print(f"{len(mnist_train)} images")
utils.data_subset(mnist_train, 10)
print(f"a tenth of them: {len(mnist_train)}")
train_loader = DataLoader(mnist_train, batch_size=batch_size, shuffle=True, drop_last=True)

# A value is the probability of a spike at each step.
raw_vector = torch.ones(num_steps) * 0.5
rate_coded_vector = torch.bernoulli(raw_vector)
print(f"the vector spikes {rate_coded_vector.sum() * 100 / len(rate_coded_vector):.0f} % of the time")

data_it, targets_it = next(iter(train_loader))
spike_data = spikegen.rate(data_it, num_steps=num_steps)
print(f"rate: {list(spike_data.size())}")
spike_data_sample = spike_data[:, 0, 0]
spike_data2 = spikegen.rate(data_it, num_steps=num_steps, gain=0.25)
spike_data_sample2 = spike_data2[:, 0, 0]
bright = data_it[0, 0] > 0.9
print(
    f"bright pixels spike at {spike_data_sample[:, bright].mean():.1f} of the steps, with a gain of 0.25 at {spike_data_sample2[:, bright].mean():.2f}"
)

# The image comes back as the mean over time.
fig, ax = plt.subplots(1, 2)
ax[0].imshow(spike_data_sample.mean(dim=0).reshape(28, -1).cpu(), cmap="binary")
ax[1].imshow(spike_data_sample2.mean(dim=0).reshape(28, -1).cpu(), cmap="binary")
error = (spike_data_sample.mean(dim=0) - data_it[0, 0]).abs().max()
print(f"the mean over time is the image: {error < 0.25}")

fig, ax = plt.subplots()
anim = splt.animator(spike_data_sample[:10], fig, ax)
html = anim.to_jshtml()
print(f"an animation of {len(list(anim.new_frame_seq()))} frames")

fig = plt.figure(facecolor="w", figsize=(10, 5))
ax = fig.add_subplot(111)
dots = splt.raster(spike_data_sample2.reshape((num_steps, -1)), ax, s=1.5, c="black")
print(f"the raster has a dot for every spike: {len(dots.get_offsets()) == int(spike_data_sample2.sum())}")


# Latency: the brighter, the earlier, and one spike only.
def convert_to_time(data, tau=5, threshold=0.01):
    return tau * torch.log(data / (data - threshold))


raw_input = torch.arange(0, 5, 0.05)
spike_times = convert_to_time(raw_input)
print(
    f"an input of 1 spikes at {convert_to_time(torch.tensor(1.0)):.4f}, one of 0.02 at {convert_to_time(torch.tensor(0.02)):.4f}"
)

pixels = torch.tensor([0.0, 0.02, 0.5, 1.0])
for words, options in {
    "logarithmic": {"tau": 5},
    "linear": {"tau": 5, "linear": True},
    "linear, normalised": {"tau": 5, "linear": True, "normalize": True},
    "and clipped": {"tau": 5, "linear": True, "normalize": True, "clip": True},
}.items():
    spikes = spikegen.latency(pixels, num_steps=num_steps, threshold=0.01, **options)
    print(f"pixels 0, 0.02, 0.5, 1, {words}: steps {[s.nonzero().flatten().tolist() for s in spikes.T]}")
spike_data = spikegen.latency(data_it, num_steps=100, tau=5, threshold=0.01, clip=True, normalize=True, linear=True)
print(f"latency: {list(spike_data.size())}, at most {int(spike_data.sum(0).max())} spike per pixel")

# Delta modulation: a spike where the input rises by the threshold.
data = torch.Tensor([0, 1, 0, 2, 8, -20, 20, -5, 0, 1, 0])
print(f"delta: {spikegen.delta(data, threshold=4).tolist()}")
print(f"delta, off spikes too: {spikegen.delta(data, threshold=4, off_spike=True).tolist()}")

# Spikes from nothing.
spike_prob = torch.rand((num_steps, 28, 28)) * 0.5
spike_rand = spikegen.rate_conv(spike_prob)
print(f"a quarter of all spikes: {abs(spike_rand.mean() - 0.25) < 0.02}")
plt.show()
