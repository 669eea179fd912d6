"""Reads the symbols of built files with nm.

    symbols.py exported LIBRARY              what the shared library exports: rheo's own, nothing else of ours
    symbols.py instruction-sets OBJECT...    what leaky.avx2.cpp.o may share with others lies in rheo::avx2
    symbols.py recompile NINJA BUILD HEADER  editing the neuron's header recompiles only what is generated from it
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

# Templates of libraries that every C++ library instantiates; their headers say so, by default visibility.
FOREIGN = re.compile(r"\b(std|__gnu_cxx|c10|at|torch|caffe2|ska|ska_ordered)::")
INSTRUCTION_SET = re.compile(r"\b(?:rheo::)(\w+::)*(baseline|avx2|avx512)::")


def symbols(file, *options):
    """(kind, demangled name) of every symbol the file defines."""
    text = subprocess.run(["nm", "--defined-only", "-C", *options, file], check=True, capture_output=True, text=True).stdout
    for line in text.splitlines():
        match = re.match(r"^[0-9a-f]*\s*([A-Za-z])\s(.+)$", line)
        if match:
            yield match.group(1), match.group(2)


def exported(library):
    wrong, ours = [], 0
    for kind, name in symbols(library, "-D"):
        if INSTRUCTION_SET.search(name):
            wrong.append(f"a kernel is exported: {name}")
        elif re.search(r"\brheo::", name):
            ours += 1
        elif kind in "WVu" and FOREIGN.search(name):
            pass
        elif name not in ("_init", "_fini", "__bss_start", "_edata", "_end"):
            wrong.append(f"not of namespace rheo: {kind} {name}")
    print(f"{ours} symbols of namespace rheo are exported")
    return wrong if ours else ["no symbol of namespace rheo is exported"]


def instruction_sets(objects):
    wrong, owner, files = [], {}, {}
    for file in objects:
        match = re.search(r"\.(baseline|avx2|avx512)\.cpp\.o", file)
        if match:
            files[file] = match.group(1)
    for file, isa in files.items():
        name_of_file, count = Path(file).name, 0
        for kind, name in symbols(file):
            if (kind.islower() and kind not in "vwu") or name.startswith("DW.ref."):
                continue  # local to the object; or a pointer to a function of the run-time library, no code
            count += 1
            here = INSTRUCTION_SET.search(name)
            if here and here.group(2) != isa:
                wrong.append(f"{name_of_file} defines a symbol of {here.group(2)}: {name}")
            elif not here and kind in "WVu":
                wrong.append(f"{name_of_file} defines a weak symbol outside rheo::{isa}: {name}")
            if owner.setdefault(name, isa) != isa:
                wrong.append(f"{isa} and {owner[name]} both define {name}")
        print(f"{name_of_file}: {count} symbols")
        if not count:
            wrong.append(f"{name_of_file} defines nothing")
    return wrong if files else ["no object of an instruction set among the files"]


def recompile(ninja, build, header):
    stem = Path(header).stem

    def planned():
        run = subprocess.run([ninja, "-C", build, "-n", "-d", "keeprsp"], check=True, capture_output=True, text=True)
        return set(re.findall(r"Building \w+ object (\S+)", run.stdout))

    before = os.stat(header)
    already = planned()
    try:
        now = time.time_ns()
        os.utime(header, ns=(now, now))
        edited = planned() - already
    finally:
        os.utime(header, ns=(before.st_atime_ns, before.st_mtime_ns))
    library = sorted(o for o in edited if o.startswith("rheo/"))
    print(f"an edit of {header} recompiles {len(edited)} objects, {len(library)} of them of the library:")
    print("".join(f"  {o}\n" for o in library), end="")
    wrong = [f"not generated from {stem}: {o}" for o in library if not re.search(rf"(^|[/_.]){stem}([/_.]|$)", o)]
    if not library:
        wrong.append("the build is not up to date: build first" if already else f"nothing would be compiled: is {header} read at all?")
    return wrong


def main():
    modes = {"exported": lambda a: exported(*a), "instruction-sets": instruction_sets, "recompile": lambda a: recompile(*a)}
    if len(sys.argv) < 3 or sys.argv[1] not in modes:
        print(__doc__, file=sys.stderr)
        return 2
    wrong = modes[sys.argv[1]](sys.argv[2:])
    for text in wrong[:40]:
        print(f"wrong: {text}")
    if len(wrong) > 40:
        print(f"... and {len(wrong) - 40} more")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
