#!/usr/bin/env python3
"""Runs Rheobase and its peers on the same work, in turns, and prints a Markdown table; `./dev bench peers` calls it.

Every program is a process of its own (peers.py, ours.cpp) that takes commands on its standard input. First all of them
do each work once and must agree with snnTorch, or, as SpikingJelly resets otherwise, with its own equations written as
a plain loop; then, round by round, each in turn is timed at each work, and the least time counts.
A whole run also writes the table between the two marker comments of benchmarks/README.md.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import torch
from peers import FUNCTIONS, LAYERS

HERE = Path(__file__).resolve().parent
README = HERE.parent / "README.md"
BEGIN, END = "<!-- peers: begin -->", "<!-- peers: end -->"

SHAPES = [(100, 128, 1000), (500, 16, 1000), (25, 128, 1000), (100, 1, 64)]
PURPOSES = {"forward": "forward", "train": "forward + backward"}
COLLECTED = {"both": "spikes and membranes", "spikes": "spikes"}
PROGRAMS = {
    "ours": "Rheobase",
    "snntorch": "snnTorch",
    "snntorch-compiled": "snnTorch, compiled",
    "spikingjelly": "SpikingJelly",
    "spikingjelly-once": "SpikingJelly, first Linear once",
}
SETTINGS = {
    "default": "Default allocator, as their users run them",
    "keep": "Every process keeps its memory (`mallopt`: no memory of its own for large blocks, nothing given back)",
}


def all_works():
    """Name -> (words of the command, title in the table)."""
    works = {}
    for shape in SHAPES:
        for purpose, done in PURPOSES.items():
            # Training with spikes alone would compile four more long loops, for little news.
            for collected, what in list(COLLECTED.items())[: 2 if purpose == "forward" else 1]:
                name = f"leaky-{'x'.join(map(str, shape))}-{purpose}-{collected}"
                words = f"leaky {' '.join(map(str, shape))} {purpose} {collected}"
                works[name] = (words, f"Leaky {list(shape)} {done}, {what}")
    for name, layer in LAYERS.items():
        for purpose, done in PURPOSES.items():
            words = f"layer {name} {purpose} {' '.join(map(str, layer.shape))}"
            works[f"{name}-{purpose}"] = (words, f"{layer.title} {list(layer.shape)} {done}")
    for name, function in FUNCTIONS.items():
        works[name] = (f"call {name} {' '.join(map(str, function.shape))}", function.title)
    works["tutorial5-train"] = ("tutorial5 train", "tutorial 5, training step")
    works["tutorial5-inference"] = ("tutorial5 inference", "tutorial 5, inference")
    return works


def write_inputs(folder):
    """Raw files every program reads: inputs, labels and weights of one seed."""
    torch.manual_seed(5)

    def write(name, tensor):
        (folder / name).write_bytes(tensor.detach().contiguous().numpy().tobytes())

    for shape in SHAPES:
        write(f"leaky-{'-'.join(map(str, shape))}.f32", torch.rand(shape) * 0.4)
    for name, layer in LAYERS.items():
        write(f"{name}-x.f32", torch.rand(layer.shape) * layer.scale)
        for parameter, values in layer.make().named_parameters():
            write(f"{name}-{parameter}.f32", values)
    for name, function in FUNCTIONS.items():
        x = torch.rand(function.shape)
        write(f"call-{name}.f32", (x < function.spikes).float() if function.spikes else x)
        if function.classes:
            write(f"call-{name}.i64", torch.randint(function.classes, function.shape[1:2]))
    # As sparse as digits: about a fifth of the pixels is not black.
    write("tutorial5-x.f32", torch.rand(128, 784) * (torch.rand(128, 784) < 0.2))
    write("tutorial5-y.i64", torch.randint(10, (128,)))
    for index, layer in enumerate((torch.nn.Linear(784, 1000), torch.nn.Linear(1000, 10)), 1):
        for kind, parameter in layer.named_parameters():
            write(f"tutorial5-fc{index}-{kind}.f32", parameter)


class Program:
    """A running program; its first line says what it is."""

    def __init__(self, name, command, environment):
        self.name = name
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.about = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended with status {self.process.wait()}")
        return json.loads(line)

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.answer()

    def can(self, work):
        if self.name == "snntorch-compiled":  # a minute of compiling each: only the shapes that are claimed
            return work.startswith(("leaky-100x", "tutorial5"))
        if work in FUNCTIONS or work.rpartition("-")[0] in LAYERS:
            return self.name in ("ours", "snntorch")
        return work.startswith("tutorial5") or self.name != "spikingjelly-once"

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def start(names, options):
    environment = dict(
        os.environ,
        OMP_NUM_THREADS=str(options.threads),
        TORCHINDUCTOR_CACHE_DIR=str(options.folder / "compiled"),
        TORCHINDUCTOR_COMPILE_THREADS=str(options.threads),
    )
    for name in ("GLIBC_TUNABLES", "MALLOC_CONF", "LD_PRELOAD", "THP_MEM_ALLOC_ENABLE", "RHEOBASE_POOL"):
        environment.pop(name, None)
    programs = []
    for name in names:
        command = [str(options.ours)] if name == "ours" else [sys.executable, str(HERE / "peers.py"), name]
        programs.append(Program(name, [*command, str(options.folder)], environment))
    wrong = [p.name for p in programs if p.about["threads"] != options.threads]
    if wrong:
        raise SystemExit(f"not on {options.threads} threads: {', '.join(wrong)}")
    return programs


def read_result(options, program, suffix):
    file = options.folder / f"{program.name}.{suffix}"
    return torch.from_file(str(file), size=file.stat().st_size // 4, dtype=torch.float32)


def check_leaky(options, reference, program):
    """What differs from the reference: ours may not in a single spike, the others, which round otherwise, in few."""
    spikes, theirs = read_result(options, program, "spk"), read_result(options, reference, "spk")
    flipped = (spikes != theirs).double().mean().item()
    if flipped > (0 if program.name == "ours" else 1e-4):
        return f"{flipped:.2e} of the spikes differ"
    if program.name == "ours":
        if not torch.allclose(read_result(options, program, "mem"), read_result(options, reference, "mem"), 0, 1e-6):
            return "membranes differ"
        gradient = read_result(options, reference, "grad")
        if (read_result(options, program, "grad") - gradient).abs().max() > 1e-4 * gradient.abs().max():
            return "gradients differ"
    return None


def check_layer(options, reference, program):
    """What differs: rounding may flip a spike, and with feedback a flipped spike moves those after it."""
    spikes, theirs = read_result(options, program, "spk"), read_result(options, reference, "spk")
    flipped = (spikes != theirs).double().mean().item()
    if flipped > 2e-3:
        return f"{flipped:.2e} of the spikes differ"
    gradient = read_result(options, reference, "grad")
    error = ((read_result(options, program, "grad") - gradient).norm() / gradient.norm()).item()
    return f"gradients differ by {error:.2e} of their norm" if error > 0.05 else None


def check(options, programs, works):
    """The first step of every program against its reference; ends the run where they disagree."""
    oracle = start(["soft-reset"], options)[0]
    for name, (words, title) in works.items():
        layer = name.removesuffix("-train") in LAYERS
        function = name in FUNCTIONS
        if not layer and not function and not name.endswith(("train-both", "tutorial5-train")):
            continue
        references = [programs[0]] if layer or function else [programs[0], oracle]
        expected = {reference.name: reference.ask(f"check {words}")["loss"] for reference in references}
        for program in programs[1:]:
            if not program.can(name):
                continue
            reference = oracle if program.name.startswith("spikingjelly") else programs[0]
            began = time.monotonic()
            loss = program.ask(f"check {words}")["loss"]
            compare = check_layer if layer else check_leaky
            wrong = None if function or name.startswith("tutorial5") else compare(options, reference, program)
            # Two draws of 10^7 random spikes differ in their sums by 4e-4 of them.
            room = 3e-3 if name == "rate" else 1e-3 if layer else 1e-4
            if abs(loss - expected[reference.name]) > room * abs(expected[reference.name]):
                wrong = f"loss {loss:.8g}, there {expected[reference.name]:.8g}"
            if wrong:
                raise SystemExit(f"{program.name} disagrees with {reference.name} at {title}: {wrong}")
            say(f"{program.name} agrees with {reference.name} at {title} ({time.monotonic() - began:.0f} s)")
    oracle.stop()


def say(text):
    print(text, file=sys.stderr, flush=True)


def measure(options, programs, works):
    """Setting -> work -> program -> least seconds."""
    least = {}
    for setting in SETTINGS if not options.quick else ["default"]:
        if setting == "keep":
            for program in programs:
                if not program.ask("keep")["keep"]:
                    raise SystemExit(f"{program.name} cannot keep its memory: mallopt is of glibc")
        for number in range(1, options.rounds + 1):
            began = time.monotonic()
            for name, (words, _) in works.items():
                for program in programs:
                    if program.can(name):
                        seconds = program.ask(f"time {options.seconds} {words}")["seconds"]
                        row = least.setdefault(setting, {}).setdefault(name, {})
                        row[program.name] = min(seconds, row.get(program.name, seconds))
            say(f"{setting}, round {number} of {options.rounds}: {time.monotonic() - began:.0f} s")
    return least


def busy_elsewhere():
    """Share of the processors that others use, over a second."""

    def ticks():
        numbers = [int(n) for n in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        return sum(numbers), numbers[3] + numbers[4]

    total, idle = ticks()
    time.sleep(1)
    total_then, idle_then = ticks()
    return 1 - (idle_then - idle) / max(1, total_then - total)


def milliseconds(seconds):
    return f"{1e3 * seconds:.3g}" if seconds < 1 else f"{1e3 * seconds:.0f}"


def times(ratio):
    return f"{ratio:.2g}x" if ratio < 10 else f"{ratio:.0f}x"


def table(options, programs, works, least, busy):
    ours = next(p for p in programs if p.name == "ours")
    cpu = next((s.split(":")[1].strip() for s in open("/proc/cpuinfo") if s.startswith("model name")), "unknown CPU")
    libraries = ", ".join(f"{name} {version(name)}" for name in ("torch", "snntorch", "spikingjelly"))
    lines = [
        f"{cpu}, {options.threads} threads, Python {sys.version.split()[0]}, {libraries}; Rheobase with libtorch"
        f" {ours.about['torch']}, {ours.about['instruction_set']}, products by {ours.about['product']}. The least time"
        f" of {options.rounds} rounds of {options.seconds} s; in brackets, how many times Rheobase's it is.",
    ]
    if busy > 0.05:
        lines += ["", f"Other programs kept {busy:.0%} of the processors busy when this run began."]
    for setting, rows in least.items():
        lines += ["", f"**{SETTINGS[setting]}**, times in ms:", ""]
        shown = [p.name for p in sorted(programs, key=lambda p: list(PROGRAMS).index(p.name))]
        lines += ["| work | " + " | ".join(PROGRAMS[n] for n in shown) + " |", "|---" * (1 + len(shown)) + "|"]
        for name, row in rows.items():
            cells = [works[name][1], milliseconds(row["ours"])]
            for program in shown[1:]:
                seconds = row.get(program)
                cells.append(f"{milliseconds(seconds)} ({times(seconds / row['ours'])})" if seconds else "")
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write_block(text, begin=BEGIN, end=END):
    whole = README.read_text()
    before, rest = whole.split(begin)
    README.write_text(f"{before}{begin}\n{text}\n{end}{rest.split(end)[1]}")


def main():
    parser = argparse.ArgumentParser(prog="./dev bench peers", description="Rheobase and its peers on the same work")
    parser.add_argument("--rounds", type=int, default=2, help="how often each program has its turn (2)")
    parser.add_argument("--seconds", type=float, default=0.2, help="length of a turn at one work (0.2)")
    parser.add_argument("--threads", type=int, default=2, help="of every program (2)")
    parser.add_argument("--only", metavar="NAME", action="append", help="only works whose name contains NAME")
    parser.add_argument(
        "--without", action="append", choices=list(PROGRAMS)[2:], default=[], help="leave a program out"
    )
    parser.add_argument("--quick", action="store_true", help="one short round, default allocator, nothing compiled")
    parser.add_argument("--list", action="store_true", help="print the names of the works")
    parser.add_argument("--ours", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.rounds < 1 or options.seconds < 0 or options.threads < 1:
        parser.error("--rounds and --threads are at least 1, --seconds at least 0")

    works = {k: v for k, v in all_works().items() if not options.only or any(n in k for n in options.only)}
    if options.list or not works:
        print("\n".join(all_works()))
        return 0 if works else f"no work named {' '.join(options.only)}; there are those above"
    if options.quick:
        options.rounds, options.seconds = 1, min(options.seconds, 0.1)
        options.without.append("snntorch-compiled")
    options.folder = options.folder.resolve()
    options.folder.mkdir(parents=True, exist_ok=True)

    busy = busy_elsewhere()
    if busy > 0.05:
        say(f"other programs keep {busy:.0%} of the processors busy: times will be off, and ratios with them")
    write_inputs(options.folder)
    # The reference comes first.
    names = ["snntorch", *(n for n in PROGRAMS if n != "snntorch" and n not in options.without)]
    if not any(name.startswith("tutorial5") for name in works):
        names = [n for n in names if n != "spikingjelly-once"]
    programs = start(names, options)
    check(options, programs, works)
    least = measure(options, programs, works)
    for program in programs:
        program.stop()
    text = table(options, programs, works, least, busy)
    print(text)
    if not (options.quick or options.only or options.without):
        write_block(text)
        say(f"written into {README}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
