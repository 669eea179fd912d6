#!/usr/bin/env python3
"""Type stubs of the Python package, made from what the package itself says when it is imported.

    scripts/make_stubs.py FOLDER        writes FOLDER/__init__.pyi, FOLDER/spikegen.pyi, ...
    scripts/make_stubs.py --summary     prints all of them as one text without docstrings, tests/python/api.golden

The package must be importable: PYTHONPATH=python RHEOBASE_LIBRARY=build/release/lib/librheobase.so.

Names and signatures are those at run time, so a neuron of the registry needs no line here. Types are annotations, where the code has them;
else they follow from the argument's name (stubs/known_types.py), or from a default that leaves no doubt. What none of these says becomes
Incomplete, which the test of the golden file does not let pass. Modules that are annotated throughout get no stub file: they are
their own."""

import ast
import builtins
import importlib
import inspect
import pkgutil
import sys
from pathlib import Path

from stubs.classes import ClassStub
from stubs.functions import function, type_name
from stubs.known_types import TYPES

PRELUDE = """\
# Made by scripts/make_stubs.py.
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, overload

import torch
from torch import Tensor, nn

_Value: TypeAlias = float | Tensor
Incomplete: TypeAlias = Any

"""


class Package:
    """The public modules of a package, and which of them each public class and function belongs to."""

    def __init__(self, package):
        self.name = package.__name__
        found = pkgutil.walk_packages(package.__path__, self.name + ".")
        names = [self.name] + [m.name for m in found if not any(part.startswith("_") for part in m.name.split("."))]
        self.modules = {name: importlib.import_module(name) for name in sorted(names)}
        self.homes = {}  # id of a class or function -> module, name there
        self.classes = []
        self.common = package.SpikingNeuron
        for name, module in sorted(self.modules.items(), key=lambda item: item[0].count(".")):
            for public in public_names(module):
                value = getattr(module, public)
                if (inspect.isclass(value) or inspect.isroutine(value)) and self.is_ours(value):
                    known = self.homes.get(id(value))
                    if known is None and inspect.isclass(value):
                        self.classes.append(value)
                    if known is None or (value.__module__ == name and known[0] != name):
                        self.homes[id(value)] = (name, public)

    def is_ours(self, value):
        return getattr(value, "__module__", "").split(".")[0] == self.name


def public_names(module):
    named = getattr(module, "__all__", None)
    if named is not None:
        return sorted(named)
    return sorted(
        n for n, v in vars(module).items() if not n.startswith("_") and getattr(v, "__module__", None) == module.__name__
    )


class Stub:
    """The stub of one module."""

    def __init__(self, package, module, docs):
        self.package, self.module, self.docs = package, module, docs
        self.lines = []
        self.imports = set()

    def text(self):
        body = [line for name in public_names(self.module) for line in self.entry(name)]
        text = PRELUDE + "\n".join([*sorted(self.imports), "", *body]) + "\n"
        return with_imports(text, self.module)

    def entry(self, name):
        value = getattr(self.module, name)
        if inspect.ismodule(value):
            parent, _, leaf = value.__name__.rpartition(".")
            self.imports.add(f"from {parent} import {leaf} as {name}")
            return []
        home = self.package.homes.get(id(value))
        if home and home[0] != self.module.__name__:
            self.imports.add(f"from {home[0]} import {home[1]} as {name}")
            return []
        if home and home[1] != name:
            return [f"{name} = {home[1]}"]
        if inspect.isclass(value):
            return ["", *ClassStub(self, name, value).lines()]
        if inspect.isroutine(value):
            return function(name, value, name, self.docs, module=self.module.__name__)
        return [f"{name}: {TYPES.get(name) or type_name(type(value))}"]

    def base_name(self, cls):
        """How this stub calls a class that it does not hold."""
        home = self.package.homes.get(id(cls))
        if home:
            if home[0] != self.module.__name__:
                self.imports.add(f"from {home[0]} import {home[1]}")
            return home[1]
        if cls.__module__.startswith("torch.nn.modules"):
            return f"nn.{cls.__name__}"
        if cls.__module__.split(".")[0] == "torch":
            return "torch.autograd.Function" if cls.__name__ == "Function" else f"{cls.__module__}.{cls.__name__}"
        return cls.__name__


def with_imports(text, module):
    """The text with the imports, copied from the module's source, of the names that annotations use."""
    tree = ast.parse(text)
    bound = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    bound |= {node.name for node in ast.walk(tree) if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
    bound |= {
        node.target.id for node in ast.walk(tree) if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    bound |= {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - bound - set(dir(builtins))
    lines = []
    for node in ast.walk(ast.parse(Path(module.__file__).read_text(encoding="utf-8"))):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                if (alias.asname or alias.name) in used:
                    single = (
                        ast.Import([alias])
                        if isinstance(node, ast.Import)
                        else ast.ImportFrom(node.module, [alias], node.level)
                    )
                    lines.append(ast.unparse(single))
    if not lines:
        return text
    return text.replace(PRELUDE, PRELUDE + "\n".join([*sorted(set(lines)), ""]), 1)


def is_annotated(module):
    """Whether the module is its own stub: every public function and method says all its types."""

    def complete(f):
        s = inspect.signature(f)
        return s.return_annotation is not s.empty and all(
            p.annotation is not p.empty for n, p in s.parameters.items() if n not in ("self", "cls")
        )

    for name in public_names(module):
        value = getattr(module, name)
        if inspect.isclass(value):
            if not all(complete(m) for m in vars(value).values() if inspect.isfunction(m)):
                return False
        elif not inspect.isfunction(value) or not complete(value):
            return False
    return True


def stubs(docs):
    """Path relative to the package -> text, and the modules that need none -> what their stub would be."""
    import rheobase

    package = Package(rheobase)
    files, inline = {}, {}
    for name, module in package.modules.items():
        relative = name.split(".")[1:]
        folder = hasattr(module, "__path__")
        path = "/".join([*relative, "__init__.pyi"] if folder else [*relative[:-1], f"{relative[-1]}.pyi"])
        (inline if is_annotated(module) else files)[path] = Stub(package, module, docs).text()
    return files, inline


def summary():
    """All stubs, those of annotated modules too, as one text without docstrings and the common head."""
    files, inline = stubs(docs=False)
    texts = [f"# {path}\n\n{text.removeprefix(PRELUDE).strip()}\n" for path, text in sorted({**files, **inline}.items())]
    return "\n\n".join(texts)


def main():
    if len(sys.argv) != 2 or sys.argv[1] in ("-h", "--help"):
        print(__doc__, file=sys.stderr)
        return 2
    if sys.argv[1] == "--summary":
        sys.stdout.write(summary())
        return 0
    for path, text in stubs(docs=True)[0].items():
        file = Path(sys.argv[1]) / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
