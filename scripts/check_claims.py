#!/usr/bin/env python3
"""Runs what README files show and compares what they say it prints.

    scripts/check_claims.py README.md examples/*/README.md

A fenced block counts when the line before it is `<!-- check -->`:

- a `console` block: each line `$ command` is run by bash from the repository's root, and the lines below it, up to the next
  command, are its whole standard output;
- a `cpp` block: a program; it is compiled against an installed copy of build/release, and the next fenced block is its output.
- a `python` block: a script; it runs with the package of this tree and the library of build/release, its output follows too.

A line `...` in an expected output stands for any number of lines. Every file must hold at least one such block.
Needs a complete build in build/release.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "release"
WORK = ROOT / "build" / "claims"
FENCE = re.compile(r"^```(\w*)\s*$")
MARK = "<!-- check -->"

CMAKE_LISTS = """cmake_minimum_required(VERSION 3.25)
project(claims LANGUAGES CXX)
find_package(rheobase REQUIRED)
foreach(name {names})
  add_executable(${{name}} ${{name}}.cpp)
  target_link_libraries(${{name}} PRIVATE rheobase::rheobase)
endforeach()
"""


def blocks(text):
    """(line number, language, lines, marked) of every fenced block."""
    found, start, language, marked, previous = [], None, "", False, ""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        fence = FENCE.match(line)
        if fence and start is None:
            start, language, marked = number, fence.group(1), previous == MARK
        elif fence:
            found.append((start + 1, language, lines[start + 1 : number], marked))
            start = None
        if line.strip():
            previous = line.strip()
    return found


def matches(expected, got):
    """Lines equal, trailing blanks aside; `...` stands for any number of lines."""
    expected = [line.rstrip() for line in expected]
    got = [line.rstrip() for line in got]
    if "..." not in expected:
        return expected == got
    cut = expected.index("...")
    if expected[:cut] != got[:cut]:
        return False
    rest = expected[cut + 1 :]
    return any(matches(rest, got[i:]) for i in range(cut, len(got) + 1))


def commands(lines):
    """(command, expected output) of a console block; a command goes on in the next line after a backslash."""
    found = []
    for line in lines:
        if line.startswith("$ "):
            found.append([line[2:], []])
        elif found and found[-1][0].endswith("\\"):
            found[-1][0] += "\n" + line
        elif found:
            found[-1][1].append(line)
    return found


def torch_folder():
    """Folder of TorchConfig.cmake that build/release was made with."""
    cache = (BUILD / "CMakeCache.txt").read_text(encoding="utf-8")
    return re.search(r"^Torch_DIR:\w+=(.*)$", cache, re.MULTILINE).group(1)


def with_package():
    """The environment in which Python finds the package of this tree, with the library of build/release."""
    return os.environ | {"PYTHONPATH": str(ROOT / "python"), "RHEOBASE_LIBRARY": str(BUILD / "lib" / "librheobase.so")}


def run_script(text):
    """Runs a Python script with the Python whose torch this build uses."""
    site = Path(torch_folder()).parents[3]  # .../site-packages/torch/share/cmake/Torch
    python = site.parents[2] / "bin" / "python"
    return subprocess.run([python, "-c", text], cwd=ROOT, capture_output=True, text=True, timeout=600, env=with_package())


class Claims:
    def __init__(self):
        self.checked = 0
        self.wrong = []
        self.programs = []  # (where, name, expected)

    def compare(self, where, expected, run):
        self.checked += 1
        while expected and not expected[-1].strip():
            expected = expected[:-1]
        got = run.stdout.rstrip().splitlines()
        if run.returncode == 0 and matches(expected, got):
            return
        shown = "\n".join(["says:"] + [f"  {l}" for l in expected] + [f"prints (exit status {run.returncode}):"] + [f"  {l}" for l in got])
        self.wrong.append(f"{where}\n{shown}\n{run.stderr[-2000:]}")

    def read(self, file):
        name = Path(file).as_posix()
        before = self.checked + len(self.programs)
        waiting = None  # (where, name of a program or None, text of a script) whose output is the next block
        for number, language, lines, marked in blocks((ROOT / file).read_text(encoding="utf-8")):
            where = f"{name}:{number}"
            if waiting:
                of, program, script = waiting
                if program:
                    self.programs.append((of, program, lines))
                else:
                    self.compare(of, lines, run_script(script))
                waiting = None
            elif marked and language == "console":
                for command, expected in commands(lines):
                    run = subprocess.run(
                        ["bash", "-ec", command], cwd=ROOT, capture_output=True, text=True, timeout=600, env=with_package()
                    )
                    self.compare(f"{where}: {command}", expected, run)
            elif marked and language == "cpp":
                program = f"claim{len(self.programs)}"
                WORK.mkdir(parents=True, exist_ok=True)
                source, text = WORK / f"{program}.cpp", "\n".join(lines) + "\n"
                if not source.exists() or source.read_text(encoding="utf-8") != text:
                    source.write_text(text, encoding="utf-8")
                waiting = (where, program, None)
            elif marked and language == "python":
                waiting = (where, None, "\n".join(lines) + "\n")
            elif marked:
                self.wrong.append(f"{where}: a marked block is console, cpp or python, got '{language}'")
        if waiting:
            self.wrong.append(f"{waiting[0]}: no block with the output follows")
        if self.checked + len(self.programs) == before:
            self.wrong.append(f"{name}: no block marked {MARK}")

    def run_programs(self):
        if not self.programs:
            return
        (WORK / "CMakeLists.txt").write_text(CMAKE_LISTS.format(names=" ".join(p[1] for p in self.programs)), encoding="utf-8")
        launcher = ["-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []
        torch = torch_folder()
        steps = [
            ["cmake", "--install", BUILD, "--prefix", WORK / "prefix"],
            ["cmake", "-S", WORK, "-B", WORK / "build", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", f"-DTorch_DIR={torch}"]
            + [f"-Drheobase_ROOT={WORK / 'prefix'}", *launcher],
            ["cmake", "--build", WORK / "build"],
        ]
        for step in steps:
            run = subprocess.run([str(word) for word in step], cwd=ROOT, capture_output=True, text=True)
            if run.returncode != 0:
                self.wrong.append(f"{self.programs[0][0]}: {' '.join(map(str, step))}\n{run.stdout[-4000:]}{run.stderr[-2000:]}")
                return
        for where, program, expected in self.programs:
            run = subprocess.run([WORK / "build" / program], cwd=ROOT, capture_output=True, text=True, timeout=600)
            self.compare(where, expected, run)


def main():
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    claims = Claims()
    for file in sys.argv[1:]:
        claims.read(file)
    claims.run_programs()
    for text in claims.wrong:
        print(text)
    print(f"{claims.checked} outputs checked, {len(claims.wrong)} wrong")
    return 1 if claims.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
