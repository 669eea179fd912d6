"""Rheobase beside snnTorch 1.0 on the same random work: every public name, forward and gradients, errors and warnings.

    python tests/python/side_by_side_test.py [--only NAME] [--seed N] [--ours MODULE]

Where the libraries differ on purpose a case says so by the title that the difference has in docs/migrating-from-snntorch.md.
Needs snnTorch, and Rheobase as the build leaves it: `./dev test peers`. Ends with 77 and a reason where snnTorch is not installed.
"""

import argparse
import importlib
import inspect
import re
import sys
import warnings
from collections import Counter
from pathlib import Path

try:
    import torch
except ImportError as error:
    print(f"SKIPPED: this Python has no torch ({error})")
    sys.exit(77)
try:
    import snntorch  # noqa: F401
except ImportError as error:
    print(f"SKIPPED: snnTorch is not installed here ({error}); ./dev test peers installs it")
    sys.exit(77)

sys.path.insert(0, str(Path(__file__).resolve().parent))
from side_by_side import cases as table
from side_by_side.cases import SHAKE, Differs, Escaped, Raised, Statistic, difference, outcome

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "migrating-from-snntorch.md"
GROUPS = (
    "stepped",
    "sequences",
    "states",
    "surrogates",
    "encoders",
    "losses",
    "probes",
    "learning",
    "networks",
    "figures",
    "refusals",
    "recipes",
)
MODULES = (
    "",
    "surrogate",
    "spikegen",
    "spikeplot",
    "functional",
    "functional.acc",
    "functional.loss",
    "functional.reg",
    "functional.probe",
    "functional.quant",
    "functional.stdp_learner",
    "backprop",
    "utils",
    "export_nir",
    "import_nir",
)
# Public names that have no case, and why.
WITHOUT = {
    "functional.loss.LossFunctions": "the base of the losses, which have their cases",
    "functional.probe.BaseMonitor": "the base of the monitors, which have their cases",
    "functional.quant.StateQuant": "what state_quant calls, which has its cases",
}


def library(name):
    """The package with all its modules loaded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # backprop is deprecated
        for module in MODULES:
            importlib.import_module(f"{name}.{module}" if module else name)
    return sys.modules[name]


def public_names(name):
    """What the package offers: classes and functions of its own, under the shortest path that leads to them."""
    names = {}
    for module in MODULES:
        for key, value in vars(sys.modules[f"{name}.{module}" if module else name]).items():
            own = (inspect.isclass(value) or inspect.isfunction(value)) and value.__module__.split(".")[0] == name
            if own and not key.startswith("_"):
                path = f"{module}.{key}" if module else key
                # functional takes up what its modules define; those are the paths users write.
                names[value] = max(names.get(value, ""), path, key=lambda p: (p.count("."), p))
    return sorted(set(names.values()))


def titles():
    """Titles of the differences that the migration guide describes."""
    return set(re.findall(r"^- \*\*(.+?)\.\*\*", GUIDE.read_text(encoding="utf-8"), re.MULTILINE))


class Run:
    def __init__(self, ours, seed):
        self.ours, self.theirs, self.seed = ours, library("snntorch"), seed
        self.done, self.excluded, self.named, self.wrong = Counter(), Counter(), set(), []

    def stable(self, case, libraries, seed):
        """A result that a rounding error does not move, with its seed: else a spike may be anybody's."""
        for attempt in range(20):
            tried = seed + 10007 * attempt
            expected = outcome(case, libraries, tried)
            if difference(outcome(case, libraries, tried, SHAKE), expected) is None:
                return expected, tried
        return None, seed

    def one(self, case, seed):
        theirs = [self.theirs, self.theirs] if case.exchange else [self.theirs]
        try:
            expected, seed = self.stable(case, theirs, seed)
        except Differs as differs:
            self.excluded[str(differs)] += 1
            self.named.update(case.names)
            return
        if expected is None:
            self.wrong.append((case, seed, "no seed of twenty gives a result that a rounding error does not move"))
            return
        if isinstance(expected, Escaped):
            # A call that must raise is written raised(...), so this is a mistake of the case.
            self.wrong.append((case, seed, f"snnTorch raises {expected.kind.__name__}: {expected.text[:300]}"))
            return
        pairs = [(self.ours, self.theirs), (self.theirs, self.ours)] if case.exchange else [(self.ours,)]
        for libraries in pairs:
            try:
                found = difference(outcome(case, libraries, seed), expected)
            except Differs as differs:
                found = f"differs here, not there: {differs}"
            if found:
                self.wrong.append((case, seed, found))
                return
        self.done.update(case.names)

    def all(self, only):
        for number, case in enumerate(table.CASES):
            if only and not any(only in name for name in case.names) and only not in case.label:
                continue
            for draw in range(case.draws):
                self.one(case, self.seed + 1000 * number + draw)


def check_comparison():
    """The comparison itself: equal things pass, anything else does not."""
    x = torch.tensor([1.0, 0.0, float("nan")])
    same = [
        (x, x.clone()),
        ([1, {"a": x}], [1, {"a": x + 1e-7}]),
        (Raised(KeyError), Raised(Exception)),
        (Statistic(0.5, 0.01), Statistic(0.52, 0.01)),
        ({"spk": x.double()}, {"spk": x}),
    ]
    other = [
        (x, x + 1e-3),
        (x, x.nan_to_num()),
        (x[:2], x),
        (x.double(), x),
        (x, 1.0),
        ([x], [x, x]),
        ({"a": 1}, {"b": 1}),
        (True, False),
        (Raised(Exception), Raised(KeyError)),
        (x, Raised(KeyError)),
        (Raised(KeyError), x),
        (Statistic(0.5, 0.01), Statistic(0.6, 0.01)),
    ]
    wrong = [pair for pair in same if difference(*pair)] + [pair for pair in other if not difference(*pair)]
    assert not wrong, wrong


def main():
    check_comparison()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", metavar="TEXT", help="cases whose names or label have TEXT in them")
    parser.add_argument("--seed", type=int, default=0, help="of all draws (0)")
    parser.add_argument("--ours", default="rheobase", help="the package beside snntorch (rheobase)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    ours = library(options.ours)
    for group in GROUPS:
        importlib.import_module(f"side_by_side.{group}")
    run = Run(ours, options.seed)
    run.all(options.only)

    names, known = public_names("snntorch"), titles()
    covered = {name for case in table.CASES for name in case.names} | set(WITHOUT)
    for name in sorted(run.done):
        print(f"{run.done[name]:5} cases  {name}")
    for title, count in sorted(run.excluded.items()):
        print(f"{count:5} left out: {title}")
    failures = [f"{' '.join(case.names)}, {case.label}, seed {seed}: {text}" for case, seed, text in run.wrong]
    failures += [f"{name}: public in snnTorch, has no case and no reason" for name in names if name not in covered]
    failures += [f"{name}: has a case, but snnTorch has no such name" for name in covered if name not in names]
    if not options.only:
        failures += [
            f"{name}: no case of it agrees"
            for name in names
            if not run.done[name] and name not in run.named | set(WITHOUT)
        ]
    failures += [f"'{title}' is no title of {GUIDE.name}" for title in run.excluded if title not in known]
    for text in failures:
        print(f"FAILED {text}")
    print(
        f"{sum(run.done.values())} cases of {len(run.done)} public names agree, {sum(run.excluded.values())} left out, "
        f"{len(failures)} failures"
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
