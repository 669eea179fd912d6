"""The text of a class in a stub; of layers with a state also what all of them have in common."""

import inspect

from stubs.functions import (
    UNKNOWN,
    arguments,
    call,
    docstring,
    function,
    indented,
    misordered,
    note,
    type_name,
    type_of,
)
from stubs.known_types import RETURNS, TYPES, VALUE, VALUES

# Methods that a layer of one's own defines or calls; the rest with a leading underscore is nobody's business.
FOR_LAYERS = ("_register_value", "_state_shape", "_fresh", "_step", "_sequence")
SPECIAL = ("__call__", "__len__", "__getitem__", "__iter__", "__contains__", "__enter__", "__exit__")


class ClassStub:
    """A class: what it and the private classes behind it define."""

    def __init__(self, stub, name, cls):
        self.stub, self.name, self.cls = stub, name, cls
        self.bases = self.visible(cls)
        above = {c for base in self.bases for c in base.__mro__}
        self.own = {}
        self.notes = {}
        for part in reversed([c for c in cls.__mro__ if c not in above and c is not object]):
            self.own |= vars(part)
            self.notes |= inspect.get_annotations(part)
        self.neuron = "_state_names" in dir(cls)

    def visible(self, cls):
        bases = []
        for base in cls.__bases__:
            if base is object:
                continue
            hidden = self.stub.package.is_ours(base) and id(base) not in self.stub.package.homes
            bases += self.visible(base) if hidden else [base]
        return list(dict.fromkeys(bases))

    def lines(self):
        if issubclass(self.cls, tuple) and hasattr(self.cls, "_fields"):
            methods = [
                line for name, m in sorted(vars(self.cls).items()) if inspect.isfunction(m) for line in self.member(name, m)
            ]
            return [*self.named_tuple(self.name, self.cls._fields, self.notes), *indented(methods)]
        bases = ", ".join(self.stub.base_name(base) for base in self.bases)
        if any(base.__name__ == "Function" and base.__module__.startswith("torch.autograd") for base in self.bases):
            # Called by apply only, which torch leaves untyped.
            return [
                f"class {self.name}({bases}):",
                "    @classmethod",
                "    def apply(cls, *args: Any, **kwargs: Any) -> Any: ...",
            ]
        body = [*self.attributes(), *self.constructor(), *(self.neuron_methods() if self.neuron else [])]
        for name, member in sorted(self.own.items()):
            body += self.member(name, member)
        doc = docstring(self.cls.__dict__.get("__doc__")) if self.stub.docs else []
        return [f"class {self.name}{f'({bases})' if bases else ''}:", *indented(doc + body or ["..."])]

    def named_tuple(self, name, fields, notes):
        lines = [f"    {f}: {note(notes.get(f)) or self.type_of(f)}" for f in fields]
        return [f"class {name}(NamedTuple):", *(lines or ["    ..."])]

    def is_base(self):
        """Whether other public layers derive from it: then its calls must not be told too narrowly."""
        return any(
            home_class is not self.cls and issubclass(home_class, self.cls) for home_class in self.stub.package.classes
        )

    def type_of(self, name, default=inspect.Parameter.empty, method="__init__"):
        return type_of([f"{self.name}.{method}.{name}", f"{self.name}.{name}", name], default, self.parameters())

    def parameters(self):
        info = getattr(self.cls, "_info", None)
        return {*(p["name"] for p in info["params"]), *VALUES} if info else set(VALUES) if self.neuron else set()

    def attributes(self):
        """Attributes that a base has not told already."""
        above = {line for base in self.bases for line in self.of_base(base)}
        return [line for line in self.all_attributes() if line not in above]

    def of_base(self, base):
        if not self.stub.package.is_ours(base):
            return []
        stub = ClassStub(self.stub, self.stub.package.homes[id(base)][1], base)
        return [*stub.all_attributes(), *(line for above in stub.bases for line in self.of_base(above))]

    def all_attributes(self):
        found = {n: note(a) for n, a in self.notes.items() if not n.startswith("_")}
        if self.neuron:
            arguments = self.signature()
            found |= {state: "Tensor" for state in self.cls._state_names}
            found |= {n: "Tensor" for n in arguments if self.type_of(n) == VALUE}
            found |= {
                n: "bool"
                for n in ("init_hidden", "inhibition", "output", "reset_delay", "fused", "all_to_all")
                if n in arguments
            }
            if "all_to_all" in arguments:
                found["recurrent"] = "nn.Module"
        for name, value in self.own.items():
            if not name.startswith("_") and isinstance(value, (bool, int, float, str, tuple)):
                found.setdefault(name, type_name(type(value)))
        return [f"{n}: {t}" for n, t in sorted(found.items())]

    def signature(self):
        """The constructor's arguments; what a layer hands on as keywords are the options of SpikingNeuron."""
        if "__init__" not in self.own and "__signature__" not in self.own:
            return {}
        found = dict(inspect.signature(self.cls).parameters)
        rest = next((n for n, p in found.items() if p.kind is p.VAR_KEYWORD), None)
        if self.neuron and rest:
            del found[rest]
            common = inspect.signature(self.stub.package.common).parameters.items()
            found |= {n: p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for n, p in common if n not in found}
        return found

    def constructor(self):
        parameters = list(self.signature().values())
        if "__init__" not in self.own and "__signature__" not in self.own:
            return []

        def one(parameters, keyword_only=False):
            given = arguments(parameters, lambda p: self.type_of(p.name, p.default), star=keyword_only)
            return call("__init__", ["self", *(["*"] if keyword_only else []), *given], "None") + " ..."

        gap = misordered(parameters)
        if gap is None:
            return one(parameters).splitlines()
        # Python has no argument without a default behind one with a default; a call has.
        required = [p.replace(default=inspect.Parameter.empty) if i < gap else p for i, p in enumerate(parameters)]
        named = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
        return ["@overload", *one(required).splitlines(), "@overload", *one(named).splitlines()]

    def neuron_methods(self):
        states = self.cls._state_names
        result = ", ".join(["Tensor"] * len(states))
        lines = []
        if "State" in self.own and not self.is_base():
            lines += self.named_tuple("State", states, dict.fromkeys(states, "Tensor"))
            lines += ["@property", "def state(self) -> State: ..."]
            lines += [
                "@overload",
                "def sequence(self, input_: Tensor | TimeConstant, state: None = None) -> tuple[Tensor, Tensor]: ...",
            ]
            lines += [
                "@overload",
                "def sequence(",
                "    self,",
                "    input_: Tensor | TimeConstant,",
                "    state: Sequence[Tensor | None] | Tensor,",
                ") -> tuple[Tensor, Tensor, State]: ...",
            ]
            if "TimeConstant" not in vars(self.stub.module):
                self.stub.imports.add("from rheobase import TimeConstant")
            if self.has_common_forward():
                given = "".join(f", {state}: Tensor | None = None" for state in states)
                lines += [f"def {method}(self, input_: Tensor{given}) -> Any: ..." for method in ("__call__", "forward")]
            if "reset_mem" not in self.own:
                given_back = "Tensor" if len(states) == 1 else f"tuple[{result or '()'}]"
                for name in ("reset_mem", f"init_{self.cls.__name__.lower()}"):
                    lines.append(f"def {name}(self) -> {given_back}: ...")
        return lines

    def has_common_forward(self):
        """Whether a call takes the input and the states in their order."""
        kinds = [p.kind for p in inspect.signature(self.cls.forward).parameters.values()]
        return kinds[2:] == [inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD]

    def member(self, name, member):
        for_layers = self.neuron and self.is_base() and "_step" in self.own and name in FOR_LAYERS
        told = self.neuron and name.startswith("init_")
        if self.neuron and "State" in self.own and not self.is_base():
            told = (
                told
                or name in ("State", "state", "sequence", "reset_mem")
                or (name == "forward" and self.has_common_forward())
            )
        if told or (name.startswith("_") and name not in SPECIAL and not for_layers):
            return []
        if isinstance(member, property):
            if self.neuron and self.type_of(name) == VALUE:
                return []  # told as an attribute, as it is of other layers
            lines = ["@property", f"def {name}(self) -> {self.result(name, member.fget)}: ..."]
            if member.fset:
                lines += [f"@{name}.setter", f"def {name}(self, value: {self.result(name, member.fget)}) -> None: ..."]
            return lines
        decorator = {staticmethod: ["@staticmethod"], classmethod: ["@classmethod"]}.get(type(member), [])
        target = member.__func__ if decorator else member
        if not inspect.isfunction(target):
            return []
        text = function(
            name, target, f"{self.name}.{name}", self.stub.docs, self.stub.module.__name__, self.name, self.parameters()
        )
        if name == "forward" and "__call__" not in self.own and any(base.__name__ == "Module" for base in self.cls.__mro__):
            text += function(
                "__call__", target, f"{self.name}.forward", False, self.stub.module.__name__, self.name, self.parameters()
            )
        return decorator + text

    def result(self, name, getter):
        told = note(inspect.get_annotations(getter).get("return"))
        return told or RETURNS.get(f"{self.name}.{name}") or RETURNS.get(name) or TYPES.get(name, UNKNOWN)
