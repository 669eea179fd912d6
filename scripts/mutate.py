#!/usr/bin/env python3
"""Flips every operator and number in a neuron's step, derive and resolve, one at a time; each mutant must fail its test.

    mutate.py --build build/x/mutation --tests tests/neurons --list tests/neurons/mutants_that_change_nothing.txt \
        rheo/neurons/leaky.hpp rheo/core/rule.hpp=tests/core/rule_test.cpp:reset,fire ...

The neuron's own test (tests/neurons/<stem>_test.cpp, or the one named; no libtorch) is compiled once, from an include tree that
holds the header with a switch in place of every operator and number, and run once for each mutant, whose number is in the
environment. What a compiler must know, on a line with constexpr, is a mutant compiled on its own. Other functions than those three are named after the test. One that no test notices is an error, unless it is listed with the reason why it
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


def switched(text, flips):
    """The header with every flip behind a switch; the flips are numbered as they come. Operators keep their precedence: a + b
    becomes a + Op + b, -a becomes Minus ->* a."""
    for number, (at, length, _) in reversed(list(enumerate(flips))):
        old = text[at:at + length]
        if old in BINARY and text[at - 1] == text[at + length] == " ":
            new = f"{old}::mutation::Op{{{number}}}{old}"
        elif old == "-":
            new = f"::mutation::Minus{{{number}}}->*"
        elif old == "!":
            new = f"::mutation::Not{{{number}}}->*"
        else:
            new = f"::mutation::number({number}, {old}, {'1' if float(old) == 0 else '0'})"
        text = text[:at] + new + text[at + length:]
    return text


SWITCHES = """#pragma once
#include <cstdlib>
namespace mutation {
inline const int active = std::getenv("MUTANT") == nullptr ? -1 : std::atoi(std::getenv("MUTANT"));
struct Op { int id; };
struct Minus { int id; };
struct Not { int id; };
template <int Kind, class A>
struct Left { const A& a; int id; };
template <class T>
T number(int id, T value, double other) { return active == id ? static_cast<T>(other) : value; }
template <class A>
auto operator->*(Minus m, const A& a) { decltype(-a) negative = -a; return active == m.id ? decltype(-a)(a) : negative; }
template <class A>
bool operator->*(Not n, const A& a) { return active == n.id ? static_cast<bool>(a) : !a; }
""" + "".join(f"""
template <class A>
auto operator{op}(const A& a, Op o) {{ return Left<{kind}, A>{{a, o.id}}; }}
template <class A, class B>
auto operator{op}(const Left<{kind}, A>& l, const B& b) {{ return active == l.id ? (l.a {other} b) : (l.a {op} b); }}
""" for kind, (op, other) in enumerate(BINARY.items())) + "}\n"


class Runner:
    def __init__(self, options):
        self.options = options
        self.build = options.build.resolve()
        self.root = options.root.resolve()
        self.flags = ["-std=c++20", "-O0", "-w", "-ffp-contract=off"]

    def compile(self, arguments):
        return subprocess.run([self.options.compiler, *self.flags, *arguments], capture_output=True, text=True)

    def prepare(self):
        """What every mutant shares: GoogleTest's header, compiled once."""
        self.build.mkdir(parents=True, exist_ok=True)
        # Under its own name beside the build's files: found by -include, and ignored where the compiler cannot use it.
        header = self.build / "shared.hpp"
        header.write_text("#include <gtest/gtest.h>\n#include <cmath>\n#include <string>\n#include <vector>\n")
        (self.build / "switches.hpp").write_text(SWITCHES)
        done = self.compile(["-x", "c++-header", str(header), "-o", f"{header}.gch"])
        if done.returncode != 0:
            sys.exit(f"mutate: cannot compile what the mutants share:\n{done.stderr}")

    def make(self, name, test, header, text, *options):
        """The test program with this text of the header; what the compiler says against it, or None."""
        place = self.build / name
        target = place / header
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        done = self.compile([*options, f"-I{place}", f"-I{self.root}", "-c", str(self.root / test), "-o", str(place / "test.o")])
        if done.returncode != 0:
            return "compiler: " + next((l for l in done.stderr.splitlines() if "error" in l), "?")[-90:]
        done = subprocess.run([self.options.compiler, str(place / "test.o"), *self.options.link, "-lpthread",
                               "-o", str(place / "test")], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"mutate: cannot link:\n{done.stderr}")
        return None

    def make_switched(self, name, test, header, text, flips):
        """The test program of all mutants; False where the compiler does not take the switches."""
        return self.make(name, test, header, switched(text, flips), "-O1", "-include", str(self.build / "switches.hpp")) is None

    def run(self, name, test, header, text):
        """What notices this text of the header: the first failing test, the compiler, or None."""
        said = self.make(name, test, header, text, "-include", str(self.build / "shared.hpp"))
        why = said if said is not None else self.outcome(name)
        shutil.rmtree(self.build / name)
        return why

    def outcome(self, name, mutant=-1):
        try:
            done = subprocess.run([str(self.build / name / "test"), "--gtest_fail_fast"], capture_output=True, text=True, timeout=60,
                                  env={**os.environ, "MUTANT": str(mutant)})
        except subprocess.TimeoutExpired:
            return "no end within 60 s"
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

    def prepare(target):
        """The mutants of one header: key, header, line, and what runs it."""
        header, test, functions = target
        stem = pathlib.Path(header).stem
        text = (runner.root / header).read_text()
        found = mutants(text, functions)
        if len(found) < 3:
            sys.exit(f"mutate: only {len(found)} operators found in {header}: is it written as the formatter leaves it?")
        lines = text.splitlines()
        late = [m for m in found if "constexpr" not in lines[text.count("\n", 0, m[0])]]
        together = runner.make_switched(stem, test, header, text, late)
        why = runner.outcome(stem) if together else runner.run(f"{stem}-unchanged", test, header, text)
        if why is not None:
            sys.exit(f"mutate: {test} fails on {header} as it is: {why}")
        jobs = []
        for number, flip in enumerate(found):
            at, length, replacement = flip
            changed = text[:at] + replacement + text[at + length:]
            line = text.count("\n", 0, at)
            key = f"{stem}: {' '.join(changed.splitlines()[line].split())}"
            if together and flip in late:
                jobs.append((key, header, line + 1, lambda n=late.index(flip): runner.outcome(stem, n)))
            else:
                jobs.append((key, header, line + 1,
                             lambda n=number, c=changed: runner.run(f"{stem}-{n}", test, header, c)))
        return jobs

    problems = []
    survivors = set()
    killed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        jobs = [job for of_header in pool.map(prepare, targets) for job in of_header]
        results = pool.map(lambda j: j[3](), jobs)
        for (key, header, line, _), why in zip(jobs, results):
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
