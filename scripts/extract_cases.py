#!/usr/bin/env python3
"""Selects the recorded cases that the library can replay and packs them for the tests.

    scripts/extract_cases.py cases.json [out.json.gz]

Kept: neurons, layers, quantisers, state-dicts, the closed-form surrogates and custom_surrogate. The same input gives the same bytes.
"""

import gzip
import json
import pathlib
import sys

SURROGATES = {"atan", "straight_through_estimator", "triangular", "fast_sigmoid", "heaviside", "sigmoid", "spike_rate_escape", "SFS",
              "custom_surrogate"}


def is_kept(case):
    kind, target = case["kind"], case["target"]
    return (kind.startswith("neuron.") or kind in ("batchnorm", "graded_spikes", "quant", "state_dict")
            or kind == "surrogate" and target in SURROGATES)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    root = pathlib.Path(__file__).resolve().parent.parent
    out = pathlib.Path(sys.argv[2]) if len(sys.argv) == 3 else root / "tests/data/cases.json.gz"
    recorded = json.loads(pathlib.Path(sys.argv[1]).read_text())
    cases = [case for case in recorded["cases"] if is_kept(case)]
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    head = json.dumps({key: recorded[key] for key in ("library", "torch")}, separators=(",", ":"))[:-1]
    text = f'{head},"cases":[\n{lines}\n]}}\n'
    assert json.loads(text)["cases"] == cases
    out.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))
    print(f"{len(cases)} cases, {out.stat().st_size} bytes: {out}")


if __name__ == "__main__":
    main()
