"""The type stubs: what changed in the public interface shows as a difference, and mypy finds a program's mistakes.

    python3 stubs_test.py

typed_program.py uses every public name; wrong_program.py marks its mistakes. Ends with 77 and a reason where there is no torch or mypy.
"""

import difflib
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

missing = [name for name in ("torch", "mypy") if importlib.util.find_spec(name) is None]
if missing:
    print(f"skipped: this Python lacks {', '.join(missing)}")
    sys.exit(77)

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
GOLDEN = HERE / "api.golden"
RENEW = (
    "PYTHONPATH=python RHEOBASE_LIBRARY=build/release/lib/librheobase.so .venv/bin/python scripts/make_stubs.py --summary "
    f">{GOLDEN.relative_to(ROOT)}"
)

sys.path.insert(0, str(ROOT / "scripts"))
import make_stubs


def of_the_registry():
    """The classes that are made from the registry: one is like the other."""
    return set(make_stubs.importlib.import_module("rheobase._pointwise").classes)


def without_added_neurons(now, then):
    """The interface without neurons of the registry that are new: what there was is as it was."""
    for name in of_the_registry():
        if f"class {name}(" not in then:
            print(f"{name} is new: renew the record with\n    {RENEW}")
            now = re.sub(rf"^class {name}\(.*?(?=^\S|\Z)", "", now, flags=re.MULTILINE | re.DOTALL)
    return now


class Golden(unittest.TestCase):
    maxDiff = None

    def test_the_public_interface_is_the_recorded_one(self):
        then = GOLDEN.read_text(encoding="utf-8")
        now = without_added_neurons(make_stubs.summary(), then)
        now, then = ([line for line in text.splitlines() if line] for text in (now, then))
        if now != then:
            lines = difflib.unified_diff(then, now, "recorded", "now", lineterm="", n=2)
            self.fail(
                "the public interface has changed:\n"
                + "\n".join(lines)
                + f"\n\nif it is meant to, renew the record:\n    {RENEW}"
            )

    def test_every_type_is_known(self):
        unknown = [line.strip() for line in make_stubs.summary().splitlines() if re.search(r"\bIncomplete\b", line)]
        self.assertEqual(unknown, [], "annotate these, or say their types in scripts/make_stubs.py")


CONFIGURATION = """[mypy]
strict = true
mypy_path = {site}
explicit_package_bases = true

# Not public, and not annotated.
[mypy-rheobase._*]
follow_imports = silent
ignore_errors = true

# Optional, and without types.
[mypy-nir,nirtorch]
follow_imports = skip
ignore_missing_imports = true
"""


class Mypy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """Runs mypy, once, over the stubs, laid out as they are installed, and over both programs."""
        cls.temporary = tempfile.TemporaryDirectory()
        folder = Path(cls.temporary.name)
        package = folder / "site" / "rheobase"
        shutil.copytree(ROOT / "python" / "rheobase", package, ignore=shutil.ignore_patterns("__pycache__"))
        stubs, inline = make_stubs.stubs(docs=True)
        for path, text in stubs.items():
            (package / path).write_text(text, encoding="utf-8")
        files = [package / path for path in stubs] + [package / path.replace(".pyi", ".py") for path in inline]
        (folder / "mypy.ini").write_text(CONFIGURATION.format(site=folder / "site"))
        command = [sys.executable, "-m", "mypy", "--config-file", folder / "mypy.ini", "--cache-dir", folder / "cache"]
        run = subprocess.run(
            [str(word) for word in (*command, *files, HERE / "typed_program.py", HERE / "wrong_program.py")],
            capture_output=True,
            text=True,
        )
        cls.said = run.stdout + run.stderr
        cls.found = [
            (Path(file).name, int(line), code)
            for file, line, code in re.findall(r"^(\S+?):(\d+): error: .*\[([\w-]+)\]$", run.stdout, re.MULTILINE)
        ]
        if f"Found {len(cls.found)} error" not in run.stdout:
            raise AssertionError(cls.said)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def said_of(self, file):
        return "\n".join(line for line in self.said.splitlines() if file in line)

    def test_the_stubs_themselves(self):
        found = [where for where in self.found if where[0] not in ("typed_program.py", "wrong_program.py")]
        self.assertEqual(found, [], self.said_of("site/rheobase"))

    def test_a_program_that_uses_every_public_name(self):
        self.assertEqual(self.said_of("typed_program.py"), "")
        words = set(re.findall(r"\w+", (HERE / "typed_program.py").read_text(encoding="utf-8")))
        package = make_stubs.Package(make_stubs.importlib.import_module("rheobase"))
        names = {name for module in package.modules.values() for name in make_stubs.public_names(module)}
        self.assertIn("CubaLIF", words & of_the_registry())
        self.assertEqual(sorted(names - words - of_the_registry()), [], "typed_program.py must use these too")

    def test_the_same_program_runs(self):
        run = subprocess.run([sys.executable, str(HERE / "typed_program.py")], capture_output=True, text=True)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    def test_mistakes_are_found(self):
        lines = (HERE / "wrong_program.py").read_text(encoding="utf-8").splitlines()
        marked = {(number, code) for number, line in enumerate(lines, 1) for code in re.findall(r"# wrong: ([\w-]+)", line)}
        self.assertGreater(len(marked), 8)
        found = {(line, code) for file, line, code in self.found if file == "wrong_program.py"}
        self.assertEqual(found, marked, self.said_of("wrong_program.py"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
