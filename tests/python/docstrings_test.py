"""Every public name says what it is; a neuron also its equations, shapes and parameters.

    python3 docstrings_test.py

Ends with 77 and a reason where there is no torch."""

import importlib.util
import inspect
import re
import sys
import types
import unittest
from pathlib import Path

if importlib.util.find_spec("torch") is None:
    print("skipped: this Python has no torch")
    sys.exit(77)

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
import make_stubs

import rheobase as snn

package = make_stubs.Package(snn)
METHODS = (types.FunctionType, property, classmethod, staticmethod)


def public_docs():
    """(name, docstring) of every public module, class and function, and of the methods that a public class defines. A method that
    overrides another is explained by that where it says nothing itself."""
    for module_name, module in package.modules.items():
        yield module_name, module.__doc__
        for name in make_stubs.public_names(module):
            value = getattr(module, name)
            if package.homes.get(id(value), ("",))[0] != module_name:
                continue
            yield f"{module_name}.{name}", value.__doc__
            if inspect.isclass(value):
                for method, member in vars(value).items():
                    if not method.startswith("_") and isinstance(member, METHODS):
                        docs = (getattr(vars(c).get(method), "__doc__", None) for c in value.__mro__)
                        yield f"{module_name}.{name}.{method}", next(filter(None, docs), None)


class Docstrings(unittest.TestCase):
    def test_every_public_name_has_one(self):
        docs = list(public_docs())
        self.assertGreater(len(docs), 100)
        self.assertEqual([name for name, doc in docs if not (doc or "").strip()], [])

    def test_they_are_ascii(self):
        self.assertEqual([name for name, doc in public_docs() if not (doc or "").isascii()], [])

    def test_all_lists_what_there_is(self):
        for name, module in package.modules.items():
            for public in make_stubs.public_names(module):
                self.assertTrue(hasattr(module, public), f"{name}.{public}")


class Neurons(unittest.TestCase):
    def neurons(self):
        """Every layer with a state or spikes, and what its constructor takes."""
        for name in make_stubs.public_names(snn):
            value = getattr(snn, name)
            if inspect.isclass(value) and issubclass(value, snn.SpikingNeuron) and value not in (snn.SpikingNeuron, snn.LIF):
                # A layer that derives from another public one need not say again what that says.
                lineage = [c for c in value.__mro__ if id(c) in package.homes and c not in (snn.SpikingNeuron, snn.LIF)]
                yield name, "\n".join(c.__doc__ for c in lineage), inspect.signature(value).parameters

    def test_equations_and_shapes(self):
        found = list(self.neurons())
        self.assertGreaterEqual(len(found), 11)
        for name, doc, _ in found:
            with self.subTest(neuron=name):
                self.assertRegex(doc, r"\w\[t\] = |\w = ", "an equation")
                self.assertRegex(doc, r"\[(T, )?B, ", "a shape")

    def test_every_parameter_is_explained(self):
        # Options that all layers have, and those that are torch's own.
        common = {*inspect.signature(snn.SpikingNeuron).parameters, "bias", "device", "dtype"}
        for name, doc, parameters in self.neurons():
            for parameter in parameters.values():
                if parameter.name in common or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                    continue
                with self.subTest(neuron=name, parameter=parameter.name):
                    self.assertRegex(doc, rf"\b{parameter.name.removeprefix('learn_')}\b")

    def test_the_common_options_are_explained_once(self):
        for name in inspect.signature(snn.SpikingNeuron).parameters:
            self.assertRegex(snn.SpikingNeuron.__doc__, rf"\b{name}\b")

    def test_defaults_and_units_of_the_registry(self):
        for name, doc, parameters in self.neurons():
            info = getattr(getattr(snn, name), "_info", None)
            for parameter in info["params"] if info and not info["layered"] else []:
                line = next((line for line in doc.splitlines() if re.match(rf"\s+{parameter['name']}( \[.*\])?: ", line)), "")
                with self.subTest(neuron=name, parameter=parameter["name"]):
                    self.assertIn(parameter["meaning"], line)
                    if parameter["unit"] != "1":
                        self.assertIn(f"[{parameter['unit']}]", line)
                    if parameter["default"] is not None:
                        self.assertIn(f"{parameter['default']:g}", line)


if __name__ == "__main__":
    unittest.main(verbosity=2)
