#!/usr/bin/env python3
"""Packs the recorded cases for the tests.

    scripts/extract_cases.py cases.json [out.json.gz]

The same input gives the same bytes.
"""

import gzip
import json
import pathlib
import sys

def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    root = pathlib.Path(__file__).resolve().parent.parent
    out = pathlib.Path(sys.argv[2]) if len(sys.argv) == 3 else root / "tests/data/cases.json.gz"
    recorded = json.loads(pathlib.Path(sys.argv[1]).read_text())
    cases = recorded["cases"]
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    head = json.dumps({key: recorded[key] for key in ("library", "torch")}, separators=(",", ":"))[:-1]
    text = f'{head},"cases":[\n{lines}\n]}}\n'
    assert json.loads(text)["cases"] == cases
    out.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))
    print(f"{len(cases)} cases, {out.stat().st_size} bytes: {out}")


if __name__ == "__main__":
    main()
