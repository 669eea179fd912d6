"""MNIST from its IDX files, plain or .gz, as a data set of (image [1, 28, 28] in [0, 1], label).

Looks in $RHEOBASE_DATA/mnist, else in data/mnist. The 60,000 training images are taken where they are there; else the 10,000 of t10k
serve for both, the first nine of every ten to learn from and the tenth to test. A program that finds none says SKIPPED and ends.
"""

import gzip
import os
import sys
from pathlib import Path

import torch


def read(folder, name, header):
    for path in (folder / name, folder / f"{name}.gz"):
        if path.exists():
            data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            return torch.frombuffer(bytearray(data[header:]), dtype=torch.uint8)
    return None


class MNIST(torch.utils.data.Dataset):
    def __init__(self, path, train=True):
        parts = {
            name: (read(path, f"{name}-images-idx3-ubyte", 16), read(path, f"{name}-labels-idx1-ubyte", 8))
            for name in ("train", "t10k")
        }
        found = parts["train"] if train and parts["train"][0] is not None else parts["t10k"]
        if found[0] is None or found[1] is None:
            print(
                f"SKIPPED: no MNIST files (t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, or .gz) in {path}; set RHEOBASE_DATA"
            )
            sys.exit(77)
        self.data, self.targets = found[0].reshape(-1, 28, 28), found[1].long()
        if parts["train"][0] is None:
            mine = (torch.arange(len(self.data)) % 10 != 9) == train
            self.data, self.targets = self.data[mine], self.targets[mine]

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        return self.data[index].float().unsqueeze(0) / 255, int(self.targets[index])


data_path = Path(os.environ.get("RHEOBASE_DATA", "data")) / "mnist"
