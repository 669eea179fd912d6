#!/usr/bin/env python3
"""Flips every operator and number in a neuron's step, derive and resolve, one at a time; each mutant must fail its test.

    mutate.py --build build/x/mutation --tests tests/neurons --list tests/neurons/mutants_that_change_nothing.txt \
        rheo/neurons/leaky.hpp rheo/core/rule.hpp=tests/core/rule_test.cpp:reset,fire ...

A mutant is compiled with the neuron's own test (tests/neurons/<stem>_test.cpp, or the one named; no libtorch) from an include
tree that holds the changed header before the repository's. Other functions than those three are named after the test. One that no test notices is an error, unless it is listed with the reason why it
changes nothing; a listed one that is noticed, or no longer exists, is an error too. Prints what killed each mutant.
When nothing it depends on has changed since it last passed, it prints that run's table again.
"""

import argparse
import concurrent.futures
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys

FUNCTIONS = "step,derive,resolve"
# Written with spaces, as the formatter leaves them, these are operators and not template brackets, pointers or types.
BINARY = {"+": "-", "-": "+", "*": "/", "/": "*", ">": "<", "<": ">", "==": "!=", "!=": "==", "&&": "||", "||": "&&",
          ">=": "<", "<=": ">"}


def strip_comments(text):
    """Comments become blanks, so that positions stay."""
    return re.sub(r"//[^\n]*|/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.S)


def bodies(text, functions):
    """(start, end) of the bodies of the functions whose operators are flipped."""
    for name in functions.split(","):
        for head in re.finditer(r"\s" + name + r"\s*\([^)]*\)\s*(?:const\s*)?\{", text):
            depth, at = 1, head.end()
            while depth:
                depth += {"{": 1, "}": -1}.get(text[at], 0)
                at += 1
            yield head.end(), at - 1


def mutants(text, functions):
    """(position, length, replacement) of every flip, in order."""
    return sorted(flips(text, functions))


def flips(text, functions):
    code = strip_comments(text)
    for start, end in bodies(code, functions):
        body = code[start:end]
        for m in re.finditer(r" (\+|-|\*|/|>=|<=|>|<|==|!=|&&|\|\|) ", body):
            yield start + m.start(1), len(m.group(1)), BINARY[m.group(1)]
        for m in re.finditer(r"(?<=[\s(,{])([-!])(?=[\w(])", body):
            yield start + m.start(1), 1, ""
        for m in re.finditer(r"(?<![\w.])(\d+(?:\.\d+)?)(?![\w.])", body):
            yield start + m.start(1), len(m.group(1)), "1" if float(m.group(1)) == 0 else "0"


class Runner:
    def __init__(self, options):
        self.options = options
        self.build = options.build.resolve()
        self.root = options.root.resolve()
        self.flags = ["-std=c++20", "-O0", "-w", "-ffp-contract=off"]

    def compile(self, arguments):
        return subprocess.run([self.options.compiler, *self.flags, *arguments], capture_output=True, text=True)

    def prepare(self):
        """What every mutant shares: the oracles, and GoogleTest's header compiled once."""
        self.build.mkdir(parents=True, exist_ok=True)
        # Under its own name beside the build's files: found by -include, and ignored where the compiler cannot use it.
        header = self.build / "shared.hpp"
        header.write_text("#include <gtest/gtest.h>\n#include <cmath>\n#include <string>\n#include <vector>\n")
        for arguments in (["-x", "c++-header", str(header), "-o", f"{header}.gch"],
                          ["-c", f"-I{self.root}", str(self.options.tests / "oracles.cpp"), "-o", str(self.build / "oracles.o")]):
            done = self.compile(arguments)
            if done.returncode != 0:
                sys.exit(f"mutate: cannot compile what the mutants share:\n{done.stderr}")

    def run(self, name, test, header, text):
        """What notices this text of the header: the first failing test, the compiler, or None."""
        place = self.build / name
        target = place / header
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        program = place / "test"
        done = self.compile(["-include", str(self.build / "shared.hpp"), f"-I{place}", f"-I{self.root}", "-c",
                             str(self.root / test), "-o", str(place / "test.o")])
        if done.returncode != 0:
            return "compiler: " + next((l for l in done.stderr.splitlines() if "error" in l), "?")[-90:]
        done = subprocess.run([self.options.compiler, str(place / "test.o"), str(self.build / "oracles.o"),
                               *self.options.link, "-lpthread", "-o", str(program)], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"mutate: cannot link:\n{done.stderr}")
        try:
            done = subprocess.run([str(program), "--gtest_fail_fast"], capture_output=True, text=True, timeout=60)
        except subprocess.TimeoutExpired:
            return "no end within 60 s"
        finally:
            shutil.rmtree(place)
        if done.returncode == 0:
            return None
        failed = re.search(r"\[  FAILED  \] (\S+)", done.stdout)
        return failed.group(1).rstrip(",") if failed else f"status {done.returncode}"


def fingerprint(options, targets):
    """Of everything the outcome depends on."""
    digest = hashlib.sha256(repr((options.compiler, targets)).encode())
    files = [pathlib.Path(__file__), options.list, *options.tests.glob("*.?pp"), *(options.root / "rheo" / "core").glob("*.hpp"),
             *(options.root / path for target in targets for path in target[:2])]
    for path in sorted(files):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def read_list(path):
    """Expected survivors: `stem: mutated line | reason`."""
    expected = {}
    for line in path.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            key, _, reason = line.partition(" | ")
            if not reason.strip():
                sys.exit(f"mutate: {path}: no reason: {line}")
            expected[key.strip()] = reason.strip()
    return expected


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("headers", nargs="+", metavar="HEADER[=TEST[:FUNCTION,...]]")
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--tests", type=pathlib.Path, required=True)
    parser.add_argument("--list", type=pathlib.Path, required=True)
    parser.add_argument("--compiler", default=os.environ.get("CXX", "c++"))
    parser.add_argument("--link", nargs="*", default=["-lgtest_main", "-lgtest"], help="libraries of GoogleTest")
    options = parser.parse_args()
    options.tests = options.tests.resolve()
    targets = []  # (header, test, functions), paths from the root
    for target in options.headers:
        header, _, rest = target.partition("=")
        test, _, functions = rest.partition(":")
        own = options.tests / f"{pathlib.Path(header).stem}_test.cpp"
        targets.append((header, test or str(own), functions or FUNCTIONS))

    expected = read_list(options.list)
    stamp = options.build / "passed.txt"
    print_of = fingerprint(options, targets)
    if stamp.exists():
        known, _, report = stamp.read_text().partition("\n")
        if known == print_of:
            print(report + "(nothing has changed since that run)")
            return 0
        stamp.unlink()
    report = []

    def say(text):
        report.append(text)
        print(text, flush=True)

    runner = Runner(options)
    runner.prepare()

    jobs = []
    for header, test, functions in targets:
        stem = pathlib.Path(header).stem
        text = (runner.root / header).read_text()
        why = runner.run(f"{stem}-unchanged", test, header, text)
        if why is not None:
            sys.exit(f"mutate: {test} fails on {header} as it is: {why}")
        found = mutants(text, functions)
        if len(found) < 3:
            sys.exit(f"mutate: only {len(found)} operators found in {header}: is it written as the formatter leaves it?")
        for number, (at, length, replacement) in enumerate(found):
            changed = text[:at] + replacement + text[at + length:]
            line = text.count("\n", 0, at)
            jobs.append((f"{stem}: {' '.join(changed.splitlines()[line].split())}", f"{stem}-{number}", test, header, changed,
                         line + 1))

    problems = []
    survivors = set()
    killed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        results = pool.map(lambda j: runner.run(*j[1:5]), jobs)
        for (key, _, _, header, _, line), why in zip(jobs, results):
            if why is not None:
                killed += 1
                if key in expected:
                    problems.append(f"listed as changing nothing, but noticed by {why}: {key}")
            else:
                survivors.add(key)
                if key not in expected:
                    problems.append(f"no test notices {header}:{line}: {key}")
            say(f"{header}:{line}: {key.partition(': ')[2]}")
            say(f"    -> {why or 'nothing notices: ' + expected.get(key, 'NOT LISTED')}")
    known = {j[0] for j in jobs}
    problems += [f"listed, but there is no such mutant: {key}" for key in expected if key not in known]
    say(f"\n{len(jobs)} mutants, {killed} killed, {len(survivors)} survive, {len(problems)} problems")
    for p in problems:
        say(f"PROBLEM: {p}")
    if not problems:
        stamp.write_text("\n".join([print_of, *report, ""]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
