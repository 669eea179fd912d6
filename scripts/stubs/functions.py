"""The text of a function in a stub: arguments, defaults, types by annotation, name or default."""

import ast
import inspect
import textwrap

from stubs.known_types import RETURNS, TYPES, VALUE

UNKNOWN = "Incomplete"
WIDTH = 110


def function(name, target, qualified, docs, module, owner="", values=()):
    signature = inspect.signature(target)

    def type_here(p):
        if owner and p.name in ("self", "cls"):
            return None
        return type_of([f"{qualified}.{p.name}", *([f"{owner}.{p.name}"] if owner else []), p.name], p.default, values)

    given = arguments(signature.parameters.values(), type_here)
    result = note(signature.return_annotation) or result_of(target, qualified, name, module)
    head = call(name, given, result)
    doc = docstring(target.__doc__) if docs else []
    return [*head.splitlines(), *indented(doc)] if doc else [*f"{head} ...".splitlines()]


def call(name, given, result):
    """The head of a function; a long one has a line for each argument, as differences are easier to read then."""
    head = f"def {name}({', '.join(given)}) -> {result}:"
    if len(head) <= WIDTH:
        return head
    return "\n".join([f"def {name}(", *(f"    {g}," for g in given), f") -> {result}:"])


def result_of(target, qualified, name, module):
    """The type of what a function without an annotation returns."""
    for known in (qualified, name, qualified.rpartition(".")[2]):
        if known in RETURNS:
            return RETURNS[known]
    return "None" if returns_nothing(target) else RETURNS.get(module, UNKNOWN)


def returns_nothing(target):
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(target))).body[0]
    except (OSError, TypeError, SyntaxError):
        return False
    if not isinstance(tree, ast.FunctionDef):
        return False
    inner = {
        id(n) for f in ast.walk(tree) if isinstance(f, (ast.FunctionDef, ast.Lambda)) and f is not tree for n in ast.walk(f)
    }
    own = [n for n in ast.walk(tree) if id(n) not in inner]
    gives = any(
        isinstance(n, (ast.Yield, ast.YieldFrom)) or (isinstance(n, ast.Return) and n.value is not None) for n in own
    )
    return not gives and not isinstance(tree.body[-1], ast.Raise)


def arguments(parameters, type_here, star=False):
    """The text of each argument, with the * before keywords unless there is one already."""
    texts = []
    for p in parameters:
        kind = note(p.annotation) or type_here(p)
        if p.kind is p.VAR_POSITIONAL:
            star = True
            texts.append(f"*{p.name}: {kind if kind != UNKNOWN else 'Any'}")
        elif p.kind is p.VAR_KEYWORD:
            texts.append(f"**{p.name}: {kind if kind != UNKNOWN else 'Any'}")
        else:
            if p.kind is p.KEYWORD_ONLY and not star:
                star = True
                texts.append("*")
            default = (
                "" if p.default is p.empty else f" = {default_text(p.default)}" if kind else f"={default_text(p.default)}"
            )
            texts.append(p.name + (f": {kind}" if kind else "") + default)
    return texts


def misordered(parameters):
    """The index of the first argument without a default behind one with a default, or None."""
    seen = False
    for i, p in enumerate(parameters):
        if p.kind is not p.POSITIONAL_OR_KEYWORD:
            break
        if p.default is not p.empty:
            seen = True
        elif seen:
            return i
    return None


def type_of(names, default, values=()):
    """The type of an argument by its names, most special first, or by its default; None is a value where it is the default."""
    found = type_by_name(names, default, values)
    return f"{found} | None" if default is None and found not in (UNKNOWN, "Any") and not found.endswith("None") else found


def type_by_name(names, default, values):
    for name in names:
        if name in TYPES:
            return TYPES[name]
    if names[-1] in values:
        return VALUE
    if isinstance(default, (bool, int, str)):
        return type(default).__name__
    if isinstance(default, float):
        return "float"
    return UNKNOWN


def note(annotation):
    """An annotation as text, empty where there is none."""
    if annotation is None or annotation is inspect.Signature.empty:
        return ""
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def type_name(kind):
    return {"NoneType": "None", "dict": "dict[str, Any]", "tuple": "tuple[Any, ...]", "list": "list[Any]"}.get(
        kind.__name__, kind.__name__
    )


def default_text(value):
    plain = isinstance(value, (bool, int, float, str, type(None))) or (
        isinstance(value, tuple) and all(isinstance(v, (int, float, str)) for v in value)
    )
    return repr(value) if plain and value not in (float("inf"), float("-inf")) else "..."


def docstring(text):
    if not text:
        return []
    body = inspect.cleandoc(text).replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return f'"""{body}"""'.splitlines()


def indented(lines):
    return textwrap.indent("\n".join(lines), "    ").splitlines()
