"""Runs a script with another library in its import lines: `python with_library.py snntorch tutorial_5.py`.

`import rheobase ...` and `from rheobase ...` become those of the library; nothing else of the script is touched.
"""

import re
import sys
from pathlib import Path

library, script, *arguments = sys.argv[1:]
source = re.sub(
    r"^(import|from) rheobase\b", rf"\1 {library}", Path(script).read_text(encoding="utf-8"), flags=re.MULTILINE
)
sys.argv = [script, *arguments]
sys.path.insert(0, str(Path(script).resolve().parent))
exec(compile(source, script, "exec"), {"__name__": "__main__"})
