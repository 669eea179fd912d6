"""The Python blocks of docs/migrating-from-snntorch.md: run in order as one program, and what they print compared."""

import contextlib
import io
import re
import textwrap
import unittest
from pathlib import Path

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "migrating-from-snntorch.md"
BLOCK = re.compile(r"^( *)```(python|text)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
ENTRY = re.compile(r"^- \*\*(.+?)\.\*\*", re.MULTILINE)


class Guide(unittest.TestCase):
    def setUp(self):
        self.text = GUIDE.read_text(encoding="utf-8")

    def test_blocks_print_what_they_say(self):
        blocks = [
            (m.group(2), textwrap.dedent(m.group(3)), self.text[: m.start()].count("\n") + 2)
            for m in BLOCK.finditer(self.text)
        ]
        names, checked = {"__name__": "guide"}, 0
        for number, (language, code, line) in enumerate(blocks):
            if language != "python":
                continue
            printed = io.StringIO()
            with self.subTest(line=line), contextlib.redirect_stdout(printed):
                exec(compile("\n" * (line - 1) + code, str(GUIDE), "exec"), names)
            following = blocks[number + 1] if number + 1 < len(blocks) else ("", "", 0)
            expected = following[1] if following[0] == "text" else ""
            self.assertEqual(printed.getvalue(), expected, f"{GUIDE.name}:{line}")
            checked += bool(expected)
        self.assertGreaterEqual(checked, 4)

    def test_every_difference_has_a_title_of_its_own(self):
        titles = ENTRY.findall(self.text)
        self.assertEqual(len(titles), len(set(titles)))
        self.assertGreaterEqual(len(titles), 50)


if __name__ == "__main__":
    unittest.main(verbosity=2)
