"""What `import rheobase` costs: which modules it loads beyond those of torch.

    python3 import_test.py

Counted, not timed: a list of modules does not depend on how busy the machine is. Ends with 77 and a reason where there is no torch.
"""

import importlib.util
import os
import subprocess
import sys
import unittest
from pathlib import Path
from unittest import mock

if importlib.util.find_spec("torch") is None:
    print("skipped: this Python has no torch")
    sys.exit(77)

from rheobase.__main__ import environment  # noqa: E402

PROGRAM = """
import sys
import torch
before = set(sys.modules)
import {name}
print("\\n".join(sorted(set(sys.modules) - before)))
"""


def loaded_by(name):
    """The modules that importing a package loads when torch is there already."""
    run = subprocess.run([sys.executable, "-W", "error", "-c", PROGRAM.format(name=name)], capture_output=True, text=True)
    if run.returncode != 0:
        raise AssertionError(run.stderr)
    return run.stdout.split()


class Import(unittest.TestCase):
    def test_nothing_but_its_own_modules_and_small_ones_of_the_standard_library(self):
        foreign = [m for m in loaded_by("rheobase") if m.split(".")[0] not in {"rheobase", *sys.stdlib_module_names}]
        self.assertEqual(foreign, [])

    def test_few_modules(self):
        loaded = loaded_by("rheobase")
        print(f"import rheobase: {len(loaded)} modules beyond torch's: {' '.join(loaded)}")
        self.assertLess(len(loaded), 40)

    def test_no_more_than_snntorch(self):
        if importlib.util.find_spec("snntorch") is None:
            self.skipTest("there is no snntorch to compare with; the bounds of the other tests hold")
        ours, theirs = loaded_by("rheobase"), loaded_by("snntorch")
        print(f"modules beyond torch's: rheobase {len(ours)}, snntorch {len(theirs)}")
        self.assertLessEqual(len(ours), len(theirs))

    def test_parts_that_need_other_packages_load_them_when_they_are_called(self):
        for part in ("spikeplot", "export_nir", "import_nir"):
            with self.subTest(part=part):
                packages = {m.split(".")[0] for m in loaded_by(f"rheobase.{part}")}
                self.assertEqual(packages & {"matplotlib", "pandas", "nir", "nirtorch", "h5py", "PIL", "scipy"}, set())


class Program(unittest.TestCase):
    def test_it_finds_libtorch_where_this_python_does_and_keeps_what_was_there(self):
        with mock.patch.dict(os.environ, {"LD_LIBRARY_PATH": "/elsewhere"}):
            folders = environment()["LD_LIBRARY_PATH"].split(os.pathsep)
        self.assertTrue(list(Path(folders[0]).glob("libtorch_cpu.*")), folders)
        self.assertEqual(folders[1:], ["/elsewhere"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
