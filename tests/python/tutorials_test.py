"""examples/python: snnTorch's tutorials 1 to 6 run with Rheobase; where snnTorch is installed, three with both, and what they print compared.

A script without MNIST files, and figures without matplotlib, are skipped, with a reason."""

import importlib.util
import os
import re
import subprocess
import sys
import unittest
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "python"
NUMBER = re.compile(r"-?\d+\.?\d*(?:e-?\d+)?")
FIGURES = (1, 3)
# How far numbers may be apart, relative to theirs, by what a line says; other lines agree to the last digit but one.
ROOM = {"iteration [0-4]:": 1e-3, "iteration": 0.25, "test accuracy": 0.1, "random": 0.3}


def run(number, library="rheobase"):
    """What the script prints; skips the test when the script says SKIPPED."""
    if number in FIGURES and importlib.util.find_spec("matplotlib") is None:
        raise unittest.SkipTest("needs matplotlib")
    command = [sys.executable, FOLDER / f"tutorial_{number}.py"]
    if library != "rheobase":
        command[1:1] = [FOLDER / "with_library.py", library]
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        timeout=500,
        env=dict(os.environ, MPLBACKEND="Agg"),
    )
    if done.returncode == 77 and done.stdout.startswith("SKIPPED"):
        raise unittest.SkipTest(done.stdout.strip())
    if done.returncode != 0:
        raise AssertionError(
            f"tutorial {number} with {library} ended with {done.returncode}\n{done.stdout}{done.stderr[-3000:]}"
        )
    return done.stdout.splitlines()


class Tutorials(unittest.TestCase):
    def test_1_spike_encoding(self):
        lines = run(1)
        self.assertIn("pixels 0, 0.02, 0.5, 1, logarithmic: steps [[58], [3], [0], [0]]", lines)
        self.assertIn("delta, off spikes too: [0.0, 0.0, 0.0, 0.0, 1.0, -1.0, 1.0, -1.0, 1.0, 0.0, 0.0]", lines)
        self.assertFalse([line for line in lines if line.endswith("False")])

    def test_2_the_neuron(self):
        lines = run(2)
        self.assertIn("0.1 A from step 10: I R = 0.5 V, U[200] = 0.4999999 V", lines)
        self.assertIn("0.2 A: spikes at [109], highest membrane 1.0006 V", lines)
        self.assertIn("0.3 A: spikes at [37, 64, 92, 119, 147, 174], highest membrane 1.0184 V", lines)

    def test_3_a_network(self):
        lines = run(3)
        self.assertIn("snn.Leaky, spikes at [23, 38, 53, 68, 83, 98, 113, 128, 143, 158, 173, 188]", lines)
        self.assertIn("spk1_rec: [200, 1, 1000], spk2_rec: [200, 1, 10]", lines)

    def test_4_second_order(self):
        lines = run(4)
        self.assertIn("Synaptic, spikes at [23, 41, 53, 71, 83, 101, 113, 131, 143, 161, 173, 191]", lines)
        self.assertIn("Alpha, spikes at [133, 173]", lines)

    def test_5_training(self):
        lines = run(5)
        losses = [float(line.split()[-1]) for line in lines if line.startswith("iteration")]
        self.assertLess(losses[-1], losses[0] / 2)
        self.assertGreater(float(lines[-1].split()[-2]), 60)

    def test_6_convolutions(self):
        lines = run(6)
        self.assertRegex(lines[0], r"^untrained: loss 2\.3\d\d")
        self.assertGreater(float(lines[-1].split()[-2]), 30)


@unittest.skipIf(importlib.util.find_spec("snntorch") is None, "needs snnTorch: ./dev test peers installs it")
class BothLibraries(unittest.TestCase):
    def compare(self, number):
        ours, theirs = run(number), run(number, "snntorch")
        self.assertEqual(len(ours), len(theirs))
        for mine, line in zip(ours, theirs):
            self.assertEqual(NUMBER.sub("#", mine), NUMBER.sub("#", line))
            room = next((value for start, value in ROOM.items() if re.match(start, line)), 2e-5)
            for a, b in zip(NUMBER.findall(mine), NUMBER.findall(line)):
                self.assertLessEqual(abs(float(a) - float(b)), room * abs(float(b)) + 1e-12, f"{mine}\n{line}")

    def test_2_the_neuron(self):
        self.compare(2)

    def test_4_second_order(self):
        self.compare(4)

    def test_5_training(self):
        self.compare(5)


if __name__ == "__main__":
    unittest.main(verbosity=2)
