#!/usr/bin/env python3
"""Reads every #include of the tree and compares it with the table of layers (HACKING.md, "The layers").

    scripts/check_layers.py              check the tree; one line per violation, exit status 1 where there is one
    scripts/check_layers.py --self-test  check the check: made-up violations must be found, lawful includes must pass
"""

import re
import sys
import tempfile
from pathlib import Path

TOP = ("rheo", "app", "python", "examples", "benchmarks", "tests", "fuzz")
SUFFIXES = {".hpp", ".cpp", ".cu", ".cuh", ".h", ".inc"}
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')

LAYERS_0_2 = {"core", "neurons", "kernels"}
LAYER_4 = {"nn", "functional", "spikegen", "quant"}
LAYER_5 = {"train", "data", "io", "distributed"}
LAYERS_0_3 = LAYERS_0_2 | {"ops"}
LAYERS_0_4 = LAYERS_0_3 | LAYER_4

# Our own layers that a layer may include, itself aside.
MAY_INCLUDE = {
    "core": set(),
    "neurons": {"core"},
    "kernels": {"core", "neurons"},
    "ops": LAYERS_0_2,
    "nn": LAYERS_0_3 | {"quant", "functional"},
    "functional": LAYERS_0_3,
    "spikegen": LAYERS_0_3,
    "quant": LAYERS_0_3,
    "train": LAYERS_0_4 | {"data", "distributed", "io"},
    "data": LAYERS_0_4,
    "io": LAYERS_0_4,
    "distributed": LAYERS_0_4,
    "plot": set(),
}

# core and neurons are compiled for devices too, and once per instruction set: only headers without out-of-line code.
LIGHT_STD = set(
    "algorithm array bit cassert cfloat climits cmath compare concepts cstddef cstdint cstring initializer_list iterator limits"
    " numbers numeric optional ratio span string_view tuple type_traits utility version immintrin.h".split()
)
KERNELS_NEVER = {"iostream", "fstream", "ostream", "istream", "sstream", "locale", "regex", "cstdio"}
CUDA = re.compile(r"^cuda\w*\.h$")
TORCH_OPS = re.compile(r"^(ATen/|c10/|torch/library\.h$|torch/csrc/)")
TORCH = re.compile(r"^(ATen/|c10/|torch/|caffe2/)")
STD = re.compile(r"^[a-z_0-9]+$")
C_SYSTEM = re.compile(r"^(sys/\w+|fcntl|unistd|signal|spawn|poll|pthread|cpuid|immintrin|dlfcn)\.h$")
THIRD_PARTY = {"io": re.compile(r"^(hdf5|H5\w+|zlib|nlohmann/.*)(\.h|\.hpp)?$"), "data": re.compile(r"^(zlib\.h|omp\.h|nlohmann/json\.hpp)$"),
               "train": re.compile(r"^nlohmann/json\.hpp$")}


def layer_of(path):
    """The layer of a repository path: `core` for rheo/core/x.hpp, `app` for app/x.cpp, `rheo` for rheo/rheo.hpp."""
    parts = path.split("/")
    if parts[0] == "rheo":
        return parts[1] if len(parts) > 2 else "rheo"
    return parts[0]


def own_violation(file, layer, target):
    other = layer_of(target)
    if "/detail/" in target and other != layer and layer != "tests":
        return "detail/ is private to its layer"
    if not target.startswith("rheo/"):
        own_tests = other == "app" and file.startswith("tests/app/")
        return None if other == layer or own_tests else f"{layer} may not include {other}/"
    if layer not in MAY_INCLUDE or other == layer:
        return None
    if other == "rheo":  # rheo/rheo.hpp, and macros: rheo/export.hpp
        return None if target != "rheo/rheo.hpp" and layer in LAYER_4 | LAYER_5 | {"ops"} else "rheo/rheo.hpp is for users"
    if other not in MAY_INCLUDE:
        return f"layer rheo/{other}/ is not in the table"
    return None if other in MAY_INCLUDE[layer] else f"{layer} may not include {other}"


def foreign_violation(file, layer, target):
    if layer in ("core", "neurons"):
        return None if target in LIGHT_STD else f"{layer} includes only std headers without out-of-line code"
    if TORCH.match(target):
        if layer in ("kernels", "plot"):
            return f"{layer} knows no libtorch"
        if target in ("torch/torch.h", "torch/all.h", "torch/extension.h"):
            return None if layer in ("tests", "examples", "benchmarks") else "narrow libtorch headers only"
        if layer == "ops" and not TORCH_OPS.match(target):
            return "ops includes ATen/, c10/, torch/library.h and torch/csrc/ only"
        return None
    if layer == "kernels":
        if target in KERNELS_NEVER:
            return "kernels do not print"
        if CUDA.match(target):
            return None if file.endswith((".cu", ".cuh")) else "the CUDA runtime belongs in .cu files"
    if STD.match(target) or C_SYSTEM.match(target):
        return None
    if layer not in MAY_INCLUDE and layer != "rheo":
        return None  # app, tests, ... may use what they like
    allowed = THIRD_PARTY.get(layer)
    return None if allowed and allowed.match(target) else f"{layer} may not use this library"


def violations(root):
    found = []
    files = [p for top in TOP if (root / top).is_dir() for p in sorted((root / top).rglob("*")) if p.suffix in SUFFIXES]
    for path in files:
        file = path.relative_to(root).as_posix()
        layer = layer_of(file)
        if file.startswith("rheo/") and layer != "rheo" and layer not in MAY_INCLUDE:
            found.append((file, 0, "", f"folder rheo/{layer}/ is not in the table of layers"))
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            target = match.group(1) or match.group(2)
            if target.split("/")[0] in TOP and "/" in target:
                rule = own_violation(file, layer, target)
                if not rule and match.group(2) and layer not in ("examples", "tests"):
                    rule = "own headers are included with quotes"
            elif match.group(1):
                rule = None if layer in ("examples", "tests", "fuzz") else "include path = path from the repository's root"
            else:
                rule = foreign_violation(file, layer, target)
            if rule:
                found.append((file, number, target, rule))
    return found, len(files)


def self_test():
    lawful = {
        "rheo/core/a.hpp": "#include <cmath>\n",
        "rheo/neurons/a.hpp": '#include "rheo/core/a.hpp"\n',
        "rheo/kernels/a.cpp": '#include "rheo/kernels/detail/b.hpp"\n#include "rheo/neurons/a.hpp"\n#include <vector>\n',
        "rheo/kernels/a.cu": "#include <cuda_runtime.h>\n",
        "rheo/ops/a.cpp": '#include "rheo/kernels/a.hpp"\n#include <ATen/core/Tensor.h>\n#include <torch/library.h>\n',
        "rheo/nn/a.hpp": '#include "rheo/ops/a.hpp"\n#include "rheo/quant/a.hpp"\n#include <torch/nn/module.h>\n',
        "rheo/train/a.hpp": '#include "rheo/data/a.hpp"\n#include "rheo/io/a.hpp"\n#include <nlohmann/json.hpp>\n',
        "rheo/plot/a.cpp": "#include <span>\n#include <sys/wait.h>\n",
        "rheo/rheo.hpp": '#include "rheo/nn/a.hpp"\n',
        "app/a.cpp": '#include "app/b.hpp"\n#include "rheo/plot/a.hpp"\n#include <CLI/CLI.hpp>\n',
        "tests/app/a.cpp": '#include "app/b.hpp"\n',
        "tests/ops/a.cpp": '#include "rheo/ops/detail/a.hpp"\n#include <torch/torch.h>\n',
        "examples/a/main.cpp": "#include <rheo/rheo.hpp>\n#include <torch/torch.h>\n",
    }
    unlawful = [
        ("rheo/core/a.hpp", '#include "rheo/neurons/a.hpp"'),
        ("rheo/core/a.hpp", "#include <vector>"),
        ("rheo/neurons/a.hpp", '#include "rheo/kernels/a.hpp"'),
        ("rheo/neurons/a.hpp", "  #  include <ATen/core/Tensor.h>"),
        ("rheo/kernels/a.cpp", "#include <torch/library.h>"),
        ("rheo/kernels/a.cpp", "#include <iostream>"),
        ("rheo/kernels/a.cpp", "#include <cuda_runtime.h>"),
        ("rheo/kernels/a.cpp", '#include "rheo/ops/a.hpp"'),
        ("rheo/ops/a.cpp", "#include <torch/nn/module.h>"),
        ("rheo/ops/a.cpp", "#include <torch/torch.h>"),
        ("rheo/ops/a.cpp", '#include "rheo/kernels/detail/a.hpp"'),
        ("rheo/ops/a.cpp", '#include "../kernels/a.hpp"'),
        ("rheo/nn/a.hpp", "#include <torch/torch.h>"),
        ("rheo/nn/a.hpp", '#include "rheo/spikegen/a.hpp"'),
        ("rheo/nn/a.hpp", '#include "rheo/train/a.hpp"'),
        ("rheo/nn/a.hpp", "#include <nlohmann/json.hpp>"),
        ("rheo/quant/a.hpp", '#include "rheo/nn/a.hpp"'),
        ("rheo/data/a.hpp", '#include "rheo/io/a.hpp"'),
        ("rheo/io/a.hpp", '#include "rheo/train/a.hpp"'),
        ("rheo/train/a.cpp", "#include <zlib.h>"),
        ("rheo/plot/a.cpp", "#include <ATen/core/Tensor.h>"),
        ("rheo/plot/a.cpp", '#include "rheo/core/a.hpp"'),
        ("rheo/nn/a.cpp", '#include "app/a.hpp"'),
        ("rheo/nn/a.cpp", '#include "rheo/rheo.hpp"'),
        ("app/a.cpp", '#include "rheo/ops/detail/a.hpp"'),
        ("app/a.cpp", "#include <torch/torch.h>"),
        ("rheo/misc/a.cpp", "#include <vector>"),
    ]

    def check(files):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            return violations(Path(folder))[0]

    wrong = [f"lawful, but refused: {v}" for v in check(lawful)]
    wrong += [f"unlawful, but accepted: {name}: {line}" for name, line in unlawful if len(check({name: line + "\n"})) != 1]
    return wrong


def main():
    if sys.argv[1:] == ["--self-test"]:
        wrong = self_test()
        print("\n".join(wrong) if wrong else "self-test: every made-up violation was found")
        return 1 if wrong else 0
    if sys.argv[1:]:
        print(__doc__, file=sys.stderr)
        return 2
    found, files = violations(Path(__file__).resolve().parent.parent)
    for file, number, target, rule in found:
        print(f"{file}:{number}: {target}: {rule}")
    print(f"{files} files, {len(found)} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
