"""A small chart that writes itself as SVG: axes, lines, bands, marks, limits and words, in colors for light and for dark pages.

The picture brings its own paper, so that it can be read wherever it is put. Numbers are rounded to a tenth of a pixel, which
makes the same data the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 62, 24, 24, 52
LIGHT = {
    "paper": "#fcfbf8", "ink": "#1d1f21", "soft": "#55595e", "rule": "#d9d6cd",
    "blue": "#1f5a86", "red": "#b03a22", "green": "#3c6e47", "gold": "#8a5a00",
}  # fmt: skip
DARK = {
    "paper": "#15171a", "ink": "#e6e3dc", "soft": "#b4b5b3", "rule": "#393d42",
    "blue": "#78b3e0", "red": "#f08a70", "green": "#8cc498", "gold": "#e5b45a",
}  # fmt: skip


def _rules(colors: dict[str, str]) -> str:
    names = ("ink", "soft", "rule", "blue", "red", "green", "gold")
    rules = [f".paper{{fill:{colors['paper']}}}", *(f".{name}{{stroke:{colors[name]}}}.f-{name}{{fill:{colors[name]}}}" for name in names)]
    rules.append(f"text{{paint-order:stroke;stroke:{colors['paper']};stroke-width:4px;stroke-linejoin:round}}")
    return "".join(rules)


STYLE = (
    "text{font:13px system-ui,-apple-system,'Segoe UI','Helvetica Neue','Noto Sans','Liberation Sans',Arial,sans-serif}"
    ".line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}.thin{fill:none;stroke-width:1}.dash{stroke-dasharray:5 4}"
    ".band{stroke:none;opacity:.16}.bar{stroke:none;opacity:.75}.small{font-size:12px}.bold{font-weight:600}" + _rules(LIGHT)
    + "@media(prefers-color-scheme:dark){" + _rules(DARK) + "}"
)  # fmt: skip


@dataclass
class Chart:
    """x, y: the ranges (from, to) of the axes; title and description are read aloud, not shown."""

    title: str
    description: str
    x: tuple[float, float]
    y: tuple[float, float]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    parts: list[str] = field(default_factory=list)

    def px(self, x: float) -> float:
        return self.left + (self.width - self.left - self.right) * (x - self.x[0]) / (self.x[1] - self.x[0])

    def py(self, y: float) -> float:
        return self.height - BOTTOM - (self.height - TOP - BOTTOM) * (y - self.y[0]) / (self.y[1] - self.y[0])

    def axes(self, x_label: str, y_label: str, x_ticks: Iterable[tuple[float, str]], y_ticks: Iterable[tuple[float, str]]) -> Chart:
        for value, word in y_ticks:
            y = self.py(value)
            self.parts.append(f'<path class="thin rule" d="M{self.left} {y:.1f}H{self.width - self.right}"/>')
            self._text(self.left - 8, y + 4.5, word, "soft", "end", "small")
        base = self.height - BOTTOM
        self.parts.append(f'<path class="thin soft" d="M{self.left} {base}H{self.width - self.right}"/>')
        for value, word in x_ticks:
            self.parts.append(f'<path class="thin soft" d="M{self.px(value):.1f} {base}v4"/>')
            self._text(self.px(value), base + 18, word, "soft", "middle", "small")
        self._text((self.left + self.width - self.right) / 2, self.height - 12, x_label, "soft", "middle", "small")
        self._text(self.left, 15, y_label, "soft", "start" if self.left < 100 else "middle", "small")
        return self

    def line(self, xs: Sequence[float], ys: Sequence[float], color: str, *, dash: bool = False, thin: bool = False) -> Chart:
        kind = ("thin" if thin else "line") + (" dash" if dash else "")
        self.parts.append(f'<path class="{kind} {color}" d="{self._path(xs, ys)}"/>')
        return self

    def band(self, xs: Sequence[float], low: Sequence[float], high: Sequence[float], color: str) -> Chart:
        there = self._path(xs, high)
        back = self._path(list(xs)[::-1], list(low)[::-1]).replace("M", "L", 1)
        self.parts.append(f'<path class="band f-{color}" d="{there}{back}Z"/>')
        return self

    def box(self, x: tuple[float, float], y: tuple[float, float], color: str, kind: str = "bar") -> Chart:
        left, right = sorted(map(self.px, x))
        top, bottom = sorted(map(self.py, y))
        shape = f'x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{bottom - top:.1f}"'
        self.parts.append(f'<rect class="{kind} f-{color}" {shape}/>')
        return self

    def limits(self, x: float, low: float, high: float, color: str, *, cap: bool = True) -> Chart:
        """An upright whisker from low to high, with caps where those are statements."""
        at, a, b = self.px(x), self.py(low), self.py(high)
        caps = f"M{at - 4:.1f} {a:.1f}h8M{at - 4:.1f} {b:.1f}h8" if cap else ""
        self.parts.append(f'<path class="line {color}" d="M{at:.1f} {a:.1f}V{b:.1f}{caps}"/>')
        return self

    def span(self, y: float, low: float, high: float, color: str) -> Chart:
        """A level whisker from low to high."""
        at, a, b = self.py(y), self.px(low), self.px(high)
        self.parts.append(f'<path class="line {color}" d="M{a:.1f} {at:.1f}H{b:.1f}M{a:.1f} {at - 5:.1f}v10M{b:.1f} {at - 5:.1f}v10"/>')
        return self

    def dot(self, x: float, y: float, color: str, size: float = 4.5) -> Chart:
        self.parts.append(f'<circle class="f-{color}" cx="{self.px(x):.1f}" cy="{self.py(y):.1f}" r="{size}"/>')
        return self

    def say(
        self, x: float, y: float, words: str, color: str = "ink", anchor: str = "start", *, dx: float = 0, dy: float = 0, kind: str = ""
    ) -> Chart:
        """Words at a place of the chart, moved by dx, dy pixels."""
        self._text(self.px(x) + dx, self.py(y) + dy, words, color, anchor, kind)
        return self

    def arrow(self, x: tuple[float, float], y: tuple[float, float], color: str) -> Chart:
        x0, x1, y0, y1 = self.px(x[0]), self.px(x[1]), self.py(y[0]), self.py(y[1])
        length = max(((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5, 1e-9)
        u, v = (x1 - x0) / length, (y1 - y0) / length
        head = "".join(f"M{x1:.1f} {y1:.1f}L{x1 - 9 * u - s * 4.5 * v:.1f} {y1 - 9 * v + s * 4.5 * u:.1f}" for s in (1, -1))
        self.parts.append(f'<path class="line {color}" d="M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}{head}"/>')
        return self

    def svg(self) -> str:
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" width="{self.width}" '
            f'height="{self.height}" role="img" aria-labelledby="t d">\n'
            f'<title id="t">{escape(self.title)}</title>\n<desc id="d">{escape(self.description)}</desc>\n'
            f'<style>{STYLE}</style>\n<rect class="paper" width="100%" height="100%" rx="6"/>\n' + "\n".join(self.parts) + "\n</svg>\n"
        )

    def _path(self, xs: Sequence[float], ys: Sequence[float]) -> str:
        points = [f"{self.px(float(x)):.1f} {self.py(float(y)):.1f}" for x, y in zip(xs, ys, strict=True)]
        return "M" + "L".join(points)

    def _text(self, x: float, y: float, words: str, color: str, anchor: str, kind: str = "") -> None:
        self.parts.append(
            f'<text class="f-{color} {kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'.replace(' "', '"')
        )


def ticks(values: Iterable[float], form: str = "g") -> list[tuple[float, str]]:
    """Values with the words that stand at them."""
    return [(value, format(value, form)) for value in values]
