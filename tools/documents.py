"""Runs the code of a Markdown document and holds what it prints against what the document says.

    python tools/documents.py DOCUMENT ... [--write]

```python blocks run one after the other in one namespace and an empty folder; a ```text block right below is what they print.
In a ```console block a line "$ hartley ..." is a command, and what follows is what it prints. Numbers may differ by TOLERANCE,
since the last digit is not the same on every processor; words may not. --write puts what was printed in place of what is said.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TOLERANCE = 0.02
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.M)
_NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?")


@dataclass(frozen=True)
class Printed:
    """What the block at `line` printed, and what the document says it prints: characters start to end of the document."""

    line: int
    said: str
    got: str
    start: int
    end: int

    @property
    def agrees(self) -> bool:
        """Words equal, numbers within TOLERANCE (whole numbers exactly)."""
        words = [" ".join(_NUMBER.sub("#", text).split()) for text in (self.said, self.got)]
        figures = [_NUMBER.findall(text) for text in (self.said, self.got)]
        return words[0] == words[1] and all(map(_close, *figures))


def printed(document: Path) -> Iterator[Printed]:
    """Runs a document and yields what each block with an output printed. Whatever a block raises comes out."""
    text = document.read_text(encoding="utf-8")
    fences = list(_FENCE.finditer(text))
    namespace: dict[str, object] = {"__name__": "__document__"}
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            for fence, following in zip(fences, [*fences[1:], None], strict=True):
                line = text.count("\n", 0, fence.start()) + 1
                if fence[1] == "python":
                    buffer = io.StringIO()
                    with contextlib.redirect_stdout(buffer):
                        exec(compile("\n" * line + fence[2], str(document), "exec"), namespace)
                    if following is not None and following[1] == "text" and not text[fence.end() : following.start()].strip():
                        yield Printed(line, following[2], buffer.getvalue(), *following.span(2))
                    elif buffer.getvalue():
                        raise ValueError(f"{document}, line {line}: prints, but no text block below says what")
                elif fence[1] == "console":
                    yield Printed(line, fence[2], "".join(_commanded(fence[2])), *fence.span(2))
        finally:
            os.chdir(here)


def _commanded(block: str) -> Iterator[str]:
    from click.testing import CliRunner

    from hartley.cli import main

    for line in block.splitlines():
        if line.startswith("$ "):
            name, *arguments = shlex.split(line[2:])
            if name != "hartley":
                raise ValueError(f"{line}: takes hartley alone")
            result = CliRunner().invoke(main, arguments, env={"COLUMNS": "100"})
            if result.exception is not None and not isinstance(result.exception, SystemExit):
                raise result.exception
            yield f"{line}\n{result.output}"


def _close(said: str, got: str) -> bool:
    if re.fullmatch(r"-?[\d,]+", said):
        return said == got
    return abs(float(said.replace(",", "")) - float(got.replace(",", ""))) <= TOLERANCE


def main() -> int:
    """Prints what disagrees, or with --write makes the documents say it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("document", nargs="+", type=Path)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    wrong = 0
    for document in options.document:
        text = document.read_text(encoding="utf-8")
        for one in reversed(list(printed(document.absolute()))):
            if options.write:
                text = text[: one.start] + one.got + text[one.end :]
            elif not one.agrees:
                wrong += 1
                print(f"{document}, line {one.line}, says:\n{one.said}and prints:\n{one.got}")
        if options.write:
            document.write_text(text, encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
