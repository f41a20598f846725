# SPDX-License-Identifier: Apache-2.0
"""A finding in, lines for a terminal out: the source with its marks, and the notes below it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lightning_gradguard.drawing.wording import notes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lightning_gradguard.rules import Diagnostic
    from lightning_gradguard.source import Span

_COLOURS = {"error": "1;31", "warning": "1;33", "info": "1;36", "frame": "1;34", "strong": "1"}
# A stretch in backticks or brackets holds together, and so does a number with its unit.
_WORD = r"(?:`[^`\n]*`|\[[^\[\]\n]{0,40}\]|\S)+"
_UNIT = r"(?:%|ns|us|ms|s|min|h|B|kB|KiB|MB|MiB|GB|GiB)(?![\w`])[^\w\s`]*"
_ATOM = re.compile(rf"[-+(]*\d[\d.,e+-]* {_UNIT}|{_WORD}")
_CODE_INDENT = "    "
_MIN_ROOM = 30
_CONTEXT = 8


def render(diagnostic: Diagnostic, width: int = 100, color: bool = False) -> str:  # noqa: FBT001, FBT002  # as in Report
    """Draw one finding as text.

    Args:
        diagnostic: the finding.
        width: columns, at least 60; source and code are never broken.
        color: whether to use ANSI colours.
    """
    paint = _paint if color else _plain
    windows = _windows(diagnostic)
    gutter = max((len(str(span.line)) for window in windows for span in window), default=1)
    page = _Page(max(width, 60), gutter, diagnostic.severity, paint)
    lines = [_header(diagnostic, paint)]
    for window in windows:
        lines += page.window(window, diagnostic.span, first=window is windows[0])
    lines += [line for label, text in notes(diagnostic) for line in page.note(label, text)]
    return "\n".join(line.rstrip() for line in lines)


def _paint(style: str, text: str) -> str:
    return f"\x1b[{_COLOURS[style]}m{text}\x1b[0m" if text else text


def _plain(_style: str, text: str) -> str:
    return text


def _header(diagnostic: Diagnostic, paint: Callable[[str, str], str]) -> str:
    level = paint(diagnostic.severity, f"{diagnostic.severity}[{diagnostic.code}]")
    return level + paint("strong", f": {diagnostic.message}")


def _windows(diagnostic: Diagnostic) -> list[list[Span]]:
    """Sort the spans by file, that of the primary span first, and by line within a file."""
    primary = diagnostic.span
    files: dict[str, list[Span]] = {}
    for span in dict.fromkeys((primary, *diagnostic.related)):
        if span is not None:
            files.setdefault(span.path, []).append(span)
    for window in files.values():
        window.sort(key=lambda span: (span.line, span is not primary, span.column))
    return list(files.values())


@dataclass(frozen=True, slots=True)
class _Page:
    """Where to draw: width of the page, width of the line numbers, level, and the paint."""

    width: int
    gutter: int
    level: str
    paint: Callable[[str, str], str]

    def window(self, spans: Sequence[Span], primary: Span | None, *, first: bool) -> list[str]:
        """Draw the source lines of one file with all their marks."""
        head = next((span for span in spans if span is primary), spans[0])
        lines = [self._place(head, first=first), self._bar()]
        before: int | None = None
        for number in dict.fromkeys(span.line for span in spans):
            if before is not None and number > before + 1:
                lines.append(self.paint("frame", "..."))
            lines += self._line([s for s in spans if s.line == number], primary)
            before = number
        return [*lines, self._bar()]

    def note(self, label: str, text: str) -> list[str]:
        """Draw one of the closing notes with its text indented behind the label."""
        margin = " " * (self.gutter + 1)
        hang = " " * len(f"{margin}= {label}: ")
        first, *rest = wrap(text, self.width - len(hang))
        head = f"{margin}{self.paint('frame', '=')} {self.paint('strong', label + ':')} {first}"
        return [head, *(hang + line for line in rest)]

    def _place(self, span: Span, *, first: bool) -> str:
        arrow = self.paint("frame", "-->" if first else ":::")
        where = f" in {span.function}" if span.function else ""
        return f"{' ' * self.gutter}{arrow} {span.path}:{span.line}:{span.column}{where}"

    def _bar(self) -> str:
        return " " * (self.gutter + 1) + self.paint("frame", "|")

    def _line(self, spans: Sequence[Span], primary: Span | None) -> list[str]:
        """Draw one source line and below it a row of marks for each span on it."""
        number = self.paint("frame", f"{spans[0].line:>{self.gutter}} |")
        room = self.width - self.gutter - 3
        text = next((span.text for span in spans if span.text), "")
        if not text:
            labels = [line for span in spans for line in wrap(span.label, room) if line]
            rows = [f"{self._bar()} {line}" for line in labels]
            return [f"{number} (source not available)", *rows]
        view = _View.of(text, spans, room)
        marks = [row for span in spans for row in self._marks(span, view, primary=span is primary)]
        return [f"{number} {view.shown}", *marks]

    def _marks(self, span: Span, view: _View, *, primary: bool) -> list[str]:
        """Draw the marks under a span, with its label beside them or, if too long, below."""
        style, sign = (self.level, "^") if primary else ("frame", "-")
        start, length = view.extent(span)
        marks = f"{self._bar()} {' ' * start}{self.paint(style, sign * length)}"
        room = self.width - self.gutter - 3
        if start + length + 1 + len(span.label) <= room or not span.label:
            return [f"{marks} {self.paint(style, span.label)}".rstrip()]
        start = min(start, max(0, room - min(len(span.label), max(_MIN_ROOM, room - start))))
        rows = wrap(span.label, room - start)
        return [marks, *(f"{self._bar()} {' ' * start}{self.paint(style, row)}" for row in rows)]


@dataclass(frozen=True, slots=True)
class _View:
    """The part of a source line that fits on the page.

    Attributes:
        text: the whole line.
        shown: what is printed.
        offset: columns by which the printed part is moved to the left.
    """

    text: str
    shown: str
    offset: int

    @classmethod
    def of(cls, text: str, spans: Sequence[Span], room: int) -> _View:
        """Cut a line that is too long so that the first marked part stays in sight."""
        line = _expand(text).rstrip()
        if _cells(line) <= room:
            return cls(text, line, 0)
        start = _cells(_expand(text[: spans[0].column - 1]))
        stop = _cells(_expand(text[: spans[0].end_column - 1]))
        skip = min(start - _CONTEXT, stop + _CONTEXT - room)
        if stop <= room - 3 or skip <= 0:
            return cls(text, _fit(line, room - 3) + "...", 0)
        rest = line[skip + 3 :]
        tail = rest if _cells(rest) <= room - 3 else _fit(rest, room - 6) + "..."
        return cls(text, "..." + tail, _cells(line[: skip + 3]) - 3)

    def extent(self, span: Span) -> tuple[int, int]:
        """Give the first printed column of a span, from 0, and its length, both within sight."""
        last = max(span.column, min(span.end_column - 1, len(self.text.rstrip())))
        start = _cells(_expand(self.text[: span.column - 1])) - self.offset
        stop = _cells(_expand(self.text[:last])) - self.offset
        edge = _cells(self.shown)
        start = min(max(start, 0), max(edge - 1, 0))
        return start, max(1, min(stop, edge) - start)


def _expand(text: str) -> str:
    """Replace tabs and control characters, so that columns on the page can be counted."""
    return re.sub(r"[\x00-\x1f\x7f]", " ", text.expandtabs(4))


def _cells(text: str) -> int:
    """Count the columns that a text takes on a terminal."""
    return sum(map(_cell, text))


def _cell(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _fit(text: str, room: int) -> str:
    while _cells(text) > room:
        text = text[:-1]
    return text


def wrap(text: str, room: int) -> list[str]:
    """Break a text into lines; code lines, which start with four spaces, stay whole."""
    lines: list[str] = []
    for line in text.splitlines():
        lines += [line.rstrip()] if line.startswith(_CODE_INDENT) else _fill(line, room)
    return lines or [""]


def _fill(line: str, room: int) -> list[str]:
    """Break one line; parts set apart by two spaces are columns and stay whole."""
    if "  " in line.strip():
        return [line] if len(line) <= room else _join(re.split(r" {2,}", line), room, "  ")
    return _join(_ATOM.findall(line), room, " ")


def _join(atoms: Iterable[str], room: int, gap: str) -> list[str]:
    """Put atoms on lines, as many on each as fit."""
    lines = [""]
    for atom in atoms:
        longer = f"{lines[-1]}{gap}{atom}" if lines[-1] else atom
        if lines[-1] and len(longer) > room:
            lines.append(atom)
        else:
            lines[-1] = longer
    return lines
