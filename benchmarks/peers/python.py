#!/usr/bin/env python3
"""Rheobase's Python package beside snnTorch, in one table; `./dev bench python` calls it.

Every program is a process of its own (peers.py) on the same inputs and weights; they take turns, and the least time counts. Before anything is
timed, 50 training steps of tutorial 5 must have the losses of snnTorch: to 1e-5 at the first step, to 1e-3 over the first five, and the mean
of steps 41 to 50 to 5 %. A whole run writes the table between the marker comments of benchmarks/README.md.
"""

import argparse
import sys
from importlib.metadata import version
from pathlib import Path

from run import README, busy_elsewhere, milliseconds, say, start, times, write_block, write_inputs

BEGIN, END = "<!-- python: begin -->", "<!-- python: end -->"
NEURONS = (64, 1000, 100_000)
PROGRAMS = {
    "snntorch": "snnTorch",
    "rheobase-steps": "Rheobase, the same code",
    "rheobase-fuse": "Rheobase, `snn.fuse`",
    "rheobase-sequential": "Rheobase, `snn.Sequential`",
}
WORKS = {
    f"step {n} {purpose}": f"one Leaky step, {n:,} neurons, {done}"
    for n in NEURONS
    for purpose, done in (("forward", "forward"), ("train", "forward + backward"))
}
WORKS |= {"tutorial5 train": "tutorial 5, training step", "tutorial5 inference": "tutorial 5, inference"}


def can(program, work):
    return work.startswith("tutorial5") or program.name in ("snntorch", "rheobase-steps")


def mean(values):
    return sum(values) / len(values)


def check(programs):
    """The losses of 50 training steps; ends the run where they differ."""
    theirs = programs[0].ask("losses 50")["losses"]
    for program in programs[1:]:
        ours = program.ask("losses 50")["losses"]
        first = abs(ours[0] / theirs[0] - 1)
        five = max(abs(a / b - 1) for a, b in zip(ours[:5], theirs[:5]))
        last = abs(mean(ours[40:]) / mean(theirs[40:]) - 1)
        told = f"{program.name}: losses differ by {first:.1e} at the first step, {five:.1e} over five, {last:.1e} over steps 41 to 50"
        if first > 1e-5 or five > 1e-3 or last > 0.05:
            raise SystemExit(told)
        say(told)


def measure(options, programs):
    least = {work: {} for work in WORKS}
    for number in range(options.rounds):
        for work in WORKS:
            for program in programs:
                if can(program, work):
                    seconds = program.ask(f"time {options.seconds} {work}")["seconds"]
                    least[work][program.name] = min(seconds, least[work].get(program.name, seconds))
        say(f"round {number + 1} of {options.rounds}")
    return least


def cell(seconds, base, own):
    if seconds is None:
        return ""
    shown = f"{1e6 * seconds:.1f} us" if seconds < 1e-3 else f"{milliseconds(seconds)} ms"
    return shown if own else f"{shown} ({times(base / seconds)})"


def table(options, least, busy):
    cpu = next((s.split(":")[1].strip() for s in open("/proc/cpuinfo") if s.startswith("model name")), "unknown CPU")
    lines = [
        f"{cpu}, {options.threads} threads, Python {sys.version.split()[0]}, torch {version('torch')}, snntorch {version('snntorch')}. The least"
        f" time of {options.rounds} rounds of {options.seconds} s; in brackets, how many times faster than snnTorch.",
    ]
    if busy > 0.05:
        lines += ["", f"Other programs kept {busy:.0%} of the processors busy when this run began."]
    lines += ["", "| work | " + " | ".join(PROGRAMS.values()) + " |", "|---" * (1 + len(PROGRAMS)) + "|"]
    for work, row in least.items():
        cells = [cell(row.get(name), row["snntorch"], name == "snntorch") for name in PROGRAMS]
        lines.append("| " + " | ".join([WORKS[work], *cells]) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(prog="./dev bench python", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=4, help="how often each program has its turn (4)")
    parser.add_argument("--seconds", type=float, default=0.3, help="length of a turn at one work (0.3)")
    parser.add_argument("--threads", type=int, default=2, help="of every program (2)")
    parser.add_argument("--no-write", action="store_true", help=f"leave {README.name} as it is")
    parser.add_argument("--folder", type=Path, required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.folder = options.folder.resolve()
    options.folder.mkdir(parents=True, exist_ok=True)
    busy = busy_elsewhere()
    write_inputs(options.folder)
    programs = start(list(PROGRAMS), options)
    check(programs)
    least = measure(options, programs)
    for program in programs:
        program.stop()
    text = table(options, least, busy)
    print(text)
    if not options.no_write:
        write_block(text, BEGIN, END)
        say(f"written into {README}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
