"""Printing: lines for a person, on a terminal or not."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click


def tell(lines: Sequence[str]) -> None:
    """Prints the lines, the first one bold and the word "implemented" green where the output is a terminal."""
    first, *rest = lines
    green = click.style("implemented", fg="green")
    text = "\n".join([click.style(first, bold=True), *(line.replace(" implemented", f" {green}") for line in rest)])
    click.echo(text, color=False if os.environ.get("NO_COLOR") else None)
