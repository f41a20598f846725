# SPDX-License-Identifier: Apache-2.0
"""A report in, one HTML page out that needs nothing else: no network, no scripts, no other file.

Jinja2 fills the template; what is decided here is what there is to see: which characters of a line
are code of which kind, which path leads from the parameters to the loss, and where it is cut.
"""

from __future__ import annotations

import hashlib
import io
import keyword
import math
import tokenize
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from lightning_gradguard.report import fold_names, render

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lightning_gradguard.plots import Gradient
    from lightning_gradguard.report import Report
    from lightning_gradguard.rules import Diagnostic
    from lightning_gradguard.source import Span

__all__ = ["to_fragment", "to_html"]

_BOX, _GAP, _LETTERS = 210, 62, 27
# For these, the place to change is behind the place where the gradient was lost.
_LOST_BEFORE = ("GG102", "GG103")
# No path from parameters to the loss is at fault.
_PATHLESS = ("GG107", "GG108", "GG3", "GG4", "GG9")
_KINDS = {
    tokenize.STRING: "str",
    tokenize.NUMBER: "num",
    tokenize.COMMENT: "com",
    tokenize.OP: "op",
}


def to_html(report: Report) -> str:
    """Draw a report as a page of its own.

    Raises:
        ImportError: Jinja2 is not installed; the message says how to install it.
    """
    return _render(report, page=True)


def to_fragment(report: Report) -> str:
    """Draw a report as a part of a page, as notebooks show it.

    Raises:
        ImportError: Jinja2 is not installed; the message says how to install it.
    """
    return _render(report, page=False)


def _render(report: Report, *, page: bool) -> str:
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        message = "an HTML report needs Jinja2: pip install 'lightning-gradguard[html]'"
        raise ImportError(message) from error
    environment = Environment(
        loader=PackageLoader("lightning_gradguard"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["code"] = _with_code
    text: str = environment.get_template("report.html.jinja").render(
        page=page,
        report=report,
        # Several reports may stand on one page of a notebook.
        key=hashlib.sha256(report.render().encode()).hexdigest()[:8],
        status=status_of(report),
        findings=[_Finding.of(diagnostic) for diagnostic in report.diagnostics],
        bars=_bars(report.gradients),
    )
    return text


def _with_code(text: str) -> str:
    """Escape a text, and set what stands in backticks as code."""
    from markupsafe import Markup, escape

    parts = enumerate(text.split("`"))
    return Markup().join(  # every part is escaped here
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part)
        for number, part in parts
    )


def status_of(report: Report) -> str:
    """Return `error`, `warning` or `clean`, by the worst finding; notes do not count.

    Example:
        >>> from lightning_gradguard.report import Report
        >>> status_of(Report())
        'clean'
    """
    levels = {str(diagnostic.severity) for diagnostic in report.diagnostics}
    return next((level for level in ("error", "warning") if level in levels), "clean")


@dataclass(frozen=True, slots=True)
class _Finding:
    """What the template shows of one finding."""

    diagnostic: Diagnostic
    lines: list[dict[str, Any]]
    steps: list[_Step]
    affected: str
    help_parts: list[tuple[bool, str]]
    text: str

    @classmethod
    def of(cls, diagnostic: Diagnostic) -> _Finding:
        """Prepare a diagnostic for the template."""
        return cls(
            diagnostic,
            _lines(diagnostic),
            _path(diagnostic),
            fold_names(diagnostic.params),
            _help_parts(diagnostic.help),
            render(diagnostic),
        )


def _help_parts(text: str) -> list[tuple[bool, str]]:
    """Split a help text into prose and code, `(is code, text)`."""
    groups = groupby(text.splitlines(), key=lambda line: line.startswith("    "))
    return [
        (code, "\n".join(line.removeprefix("    ") for line in lines) if code else " ".join(lines))
        for code, lines in groups
    ]


def _lines(diagnostic: Diagnostic) -> list[dict[str, Any]]:
    """Return the source lines to show: file, number, coloured pieces and labels."""
    spans = [s for s in dict.fromkeys((diagnostic.span, *diagnostic.related)) if s is not None]
    places = dict.fromkeys((span.path, span.line) for span in spans)
    shown = []
    for path, number in sorted(places, key=lambda place: (place[0] != spans[0].path, place)):
        here = [span for span in spans if (span.path, span.line) == (path, number)]
        labels = [(span is diagnostic.span, span.label) for span in here if span.label]
        pieces = list(_pieces(here[0].text, here, diagnostic.span))
        shown.append(
            {"path": path, "number": number, "function": here[0].function}
            | {"column": here[0].column, "pieces": pieces, "labels": labels}
        )
    return shown


def _pieces(
    text: str, spans: Sequence[Span], primary: Span | None
) -> Iterator[tuple[str, str, str]]:
    """Give a line in pieces `(text, kind of code, kind of mark)`."""
    kinds, marks = _token_kinds(text), [""] * len(text)
    for span in sorted(spans, key=lambda span: span is primary):
        word = "primary" if span is primary else "related"
        for index in range(max(span.column - 1, 0), min(span.end_column - 1, len(text))):
            marks[index] = word
    position = 0
    for (kind, mark), run in groupby(zip(kinds, marks, strict=True)):
        length = len(list(run))
        yield text[position : position + length], kind, mark
        position += length


def _token_kinds(text: str) -> list[str]:
    """Return the kind of code of every character; what cannot be read stays plain."""
    kinds = [""] * len(text)
    indent = len(text) - len(text.lstrip())
    try:
        for token in tokenize.generate_tokens(io.StringIO(text[indent:]).readline):
            kind = _KINDS.get(token.type, "")
            if token.type == tokenize.NAME and keyword.iskeyword(token.string):
                kind = "key"
            if token.start[0] == token.end[0] == 1:
                stop = min(token.end[1] + indent, len(text))
                kinds[token.start[1] + indent : stop] = [kind] * (stop - token.start[1] - indent)
    except (tokenize.TokenError, SyntaxError):
        return kinds  # a line out of the middle of a statement: as far as it went
    return kinds


@dataclass(frozen=True, slots=True)
class _Step:
    """One box on the way from the parameters to the loss.

    Attributes:
        title: first line.
        place: second line.
        kind: `start`, `cut`, `step` or `loss`.
        left: where the box begins, in px.
        used: whether data flow here from the box before.
        lost: whether no gradient flows from here to the box before.
    """

    title: str
    place: str
    kind: str
    left: int
    used: bool
    lost: bool


def _path(diagnostic: Diagnostic) -> list[_Step]:
    """Return the boxes of the drawing, none where no path is at fault."""
    if diagnostic.code.startswith(_PATHLESS):
        return []
    names = fold_names(diagnostic.params).split("  ")
    first = names[0] + (" ..." if len(names) > 1 else "")
    boxes = [("parameters", first, "start", True), *_between(diagnostic)]
    unused = _is_unused(diagnostic)
    boxes.append(("loss", "", "loss", not unused))
    lost = {"GG102": 2, "GG103": 3}.get(diagnostic.code, 2 if unused else 1)
    return [
        _Step(_cut(title), _cut(place), kind, index * (_BOX + _GAP), used, index <= lost)
        for index, (title, place, kind, used) in enumerate(boxes)
    ]


def _is_unused(diagnostic: Diagnostic) -> bool:
    return diagnostic.code == "GG106" and diagnostic.op is None


def _between(diagnostic: Diagnostic) -> Iterator[tuple[str, str, str, bool]]:
    primary = diagnostic.span
    if _is_unused(diagnostic):
        yield "not used", _place(primary), "cut", False
    elif diagnostic.code in _LOST_BEFORE and diagnostic.related:
        lost = diagnostic.related[0]
        yield _marked_text(lost), _place(lost), "cut", True
        yield _marked_text(primary), _place(primary), "step", True
    else:
        title = (diagnostic.op or _marked_text(primary) or "?").removeprefix("torch.")
        yield title, _place(primary), "cut", True


def _marked_text(span: Span | None) -> str:
    return span.text[span.column - 1 : span.end_column - 1] if span else ""


def _place(span: Span | None) -> str:
    return f"{span.path.replace(chr(92), '/').rpartition('/')[2]}:{span.line}" if span else ""


def _cut(text: str) -> str:
    return text if len(text) <= _LETTERS else text[: _LETTERS - 3] + "..."


def _bars(gradients: Sequence[Gradient]) -> list[dict[str, Any]]:
    """Return a bar for each gradient, with lengths in per cent of a common log scale."""
    values = [v for g in gradients for v in (g.largest, g.mean) if v > 0]
    low = math.floor(math.log10(min(values))) - 1 if values else -1
    high = max(math.ceil(math.log10(max(values))), low + 1) if values else 0

    def share(value: float) -> float:
        """Say how far along the scale a value lies, in per cent."""
        return 100 * (math.log10(value) - low) / (high - low) if value > 0 else 0.0

    return [
        {"name": g.name, "state": g.state, "largest": g.largest, "mean": g.mean}
        | {"largest_share": round(share(g.largest), 1), "mean_share": round(share(g.mean), 1)}
        for g in gradients
    ]
