"""A wheel, in an environment that holds torch and nothing else that it does not ask for, on a machine without a compiler.

    python3 wheel_test.py path/to/build/folder

The wheel is made by pip from the source tree; build/wheel keeps its objects, so that only the first run compiles, out of ccache
where that is. Ends with 77 and a reason where this Python lacks torch or scikit-build-core."""

import importlib.metadata
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
missing = [name for name in ("torch", "scikit_build_core", "pip") if importlib.util.find_spec(name) is None]
if missing:
    print(f"skipped: this Python lacks {', '.join(missing)}")
    sys.exit(77)

PROGRAM = """
import torch
import rheobase as snn

lif = snn.Leaky(beta=0.9, learn_beta=True)
net = snn.RLeaky(beta=0.5, linear_features=3, init_hidden=True)
x = torch.full((5, 2, 3), 0.4, requires_grad=True)
mem, spikes = lif.reset_mem(), 0
for row in x:
    spk, mem = lif(row, mem)
    spikes = spikes + net(spk + row)
spk, traces = lif.sequence(x)
(mem.sum() + spikes.sum() + traces.sum()).backward()
assert x.grad.abs().sum() > 0 and lif.beta.grad.abs() > 0
print("membrane", round(mem[0, 0].item(), 5), "spikes", int(spk.sum().item()))
"""


def run(command, **options):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if result.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}\n{result.stdout[-3000:]}{result.stderr[-3000:]}")
    return result.stdout


def wanted(requirements):
    """The names of the distributions that these requirements ask for, and those ask for in turn."""
    found, waiting = {}, list(requirements)
    while waiting:
        text = waiting.pop()
        name = re.match(r"[A-Za-z0-9._-]+", text).group().lower().replace("_", "-")
        if name in found or "extra ==" in text:
            continue
        try:
            found[name] = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:  # for another system, or another Python
            continue
        waiting += found[name].requires or []
    return found


class Wheel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # Beside the build folder: from there paths look the same to ccache.
        folder, objects = cls.build.parent / "wheel-dist", cls.build.parent / "wheel"
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.whl"):
            old.unlink()
        command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-build-isolation", "--no-deps", "--no-index", "-w", folder]
        # The compiler by the name that the build used: ccache tells c++ from g++.
        cache = (cls.build / "CMakeCache.txt").read_text(encoding="utf-8")
        compiler = re.search(r"^CMAKE_CXX_COMPILER:\w+=(.+)$", cache, re.MULTILINE).group(1)
        cached = {"CXX": compiler, "CCACHE_BASEDIR": str(ROOT), "CCACHE_NOHASHDIR": "1"}
        run([*command, f"--config-settings=build-dir={objects}", ROOT], env={**os.environ, **cached})
        (cls.wheel,) = folder.glob("*.whl")
        cls.temporary = tempfile.TemporaryDirectory()
        cls.venv = Path(cls.temporary.name) / "venv"
        run([sys.executable, "-m", "venv", "--without-pip", cls.venv])
        cls.python = cls.venv / "bin" / "python"
        (site,) = cls.venv.glob("lib/python*/site-packages")
        with zipfile.ZipFile(cls.wheel) as archive:
            cls.files = archive.namelist()
            (metadata,) = [archive.read(name).decode() for name in cls.files if name.endswith(".dist-info/METADATA")]
        asked = [line.partition(": ")[2] for line in metadata.splitlines() if line.startswith("Requires-Dist:")]
        for distribution in wanted(line for line in asked if "extra ==" not in line).values():
            for top in {file.parts[0] for file in distribution.files or [] if file.parts[0] not in ("..", "__pycache__")}:
                (site / top).symlink_to(distribution.locate_file(top))
        run([sys.executable, "-m", "pip", "--python", cls.python, "install", "-q", "--no-index", "--no-deps", cls.wheel])

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def python_says(self, *arguments):
        # No PATH: nothing to compile with, no program of somebody else's.
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "RHEOBASE", "LD_"))
        }
        return run([self.python, *arguments], env={**environment, "PATH": "/nonexistent"}, cwd=self.temporary.name)

    def test_imports_and_runs_forward_and_backward(self):
        self.assertEqual(self.python_says("-W", "error", "-c", PROGRAM).split(), ["membrane", "0.73804", "spikes", "12"])

    def test_is_the_one_that_was_installed(self):
        where = self.python_says("-c", "import rheobase; print(rheobase.__file__, rheobase.__version__)").split()
        self.assertTrue(Path(where[0]).is_relative_to(self.venv), where)
        self.assertEqual(where[1], self.wheel.name.split("-")[1])

    def test_the_program(self):
        said = self.python_says("-m", "rheobase", "info")
        self.assertIn("Leaky", said)
        self.assertIn("libtorch", said)

    def test_what_needs_other_packages_says_so(self):
        program = "import torch\nfrom rheobase import spikeplot\ntry: spikeplot.traces(torch.zeros(2, 9))\nexcept ImportError as e: print(e)"
        self.assertIn("[traces] needs the package matplotlib", self.python_says("-c", program))

    def test_holds_stubs_and_no_sources_of_the_library(self):
        self.assertIn("rheobase/py.typed", self.files)
        self.assertIn("rheobase/__init__.pyi", self.files)
        self.assertEqual(
            [name for name in self.files if name.endswith((".cpp", ".hpp", ".h", ".a", ".o", "CMakeLists.txt"))], []
        )

    def test_is_for_any_python_3_of_this_system(self):
        self.assertRegex(self.wheel.name, r"-py3-none-\w+\.whl$")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(f"usage: {sys.argv[0]} BUILD_FOLDER")
    Wheel.build = Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=2)
