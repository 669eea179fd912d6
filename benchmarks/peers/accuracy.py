#!/usr/bin/env python3
"""snnTorch's tutorial 5 on the index list that `rheobase train mnist` uses where there are only the t10k files.

    build/peers-venv/bin/python benchmarks/peers/accuracy.py FOLDER [--epochs 5] [--seeds 3]

FOLDER holds t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, plain or .gz. Prints the accuracy on the 1,000 test images after the
last epoch, seed by seed: what `rheobase train mnist --recipe tutorial --seed S` is compared with.
"""

import argparse
import gzip
import json
from pathlib import Path

import snntorch
import torch

SPLIT = Path(__file__).resolve().parents[2] / "rheo" / "data" / "mnist_t10k_split.json"
STEPS = 25


def read(folder, name, header):
    plain = folder / name
    data = plain.read_bytes() if plain.exists() else gzip.decompress((folder / f"{name}.gz").read_bytes())
    return torch.frombuffer(bytearray(data[header:]), dtype=torch.uint8)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = torch.nn.Linear(784, 1000)
        self.lif1 = snntorch.Leaky(beta=0.95)
        self.fc2 = torch.nn.Linear(1000, 10)
        self.lif2 = snntorch.Leaky(beta=0.95)

    def forward(self, x):
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spikes, membranes = [], []
        for _ in range(STEPS):
            spk1, mem1 = self.lif1(self.fc1(x), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spikes.append(spk2)
            membranes.append(mem2)
        return torch.stack(spikes), torch.stack(membranes)


def accuracy(images, labels, split, seed, epochs):
    torch.manual_seed(seed)
    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-4, betas=(0.9, 0.999))
    train, test = torch.tensor(split["train"]), torch.tensor(split["test"])
    for _ in range(epochs):
        for batch in train[torch.randperm(len(train))].split(128):
            _, mem = net(images[batch])
            loss = sum(torch.nn.functional.cross_entropy(m, labels[batch]) for m in mem)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        spk, _ = net(images[test])
        return (spk.sum(0).argmax(1) == labels[test]).double().mean().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    images = read(options.folder, "t10k-images-idx3-ubyte", 16).reshape(-1, 784).float() / 255
    labels = read(options.folder, "t10k-labels-idx1-ubyte", 8).long()
    split = json.loads(SPLIT.read_text())
    found = []
    for seed in range(options.seeds):
        found.append(accuracy(images, labels, split, seed, options.epochs))
        print(f"seed {seed}: {found[-1]:.1%}", flush=True)
    print(f"mean of {options.seeds}: {sum(found) / len(found):.2%}")


if __name__ == "__main__":
    main()
