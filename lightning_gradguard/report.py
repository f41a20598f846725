# SPDX-License-Identifier: Apache-2.0
"""Findings in, text out: terminal, JSON, SARIF, GitHub annotations, Markdown and the exception.

Everything here is drawing. A `Diagnostic` knows neither width nor colour, and nothing in this file
looks at the terminal, the clock or the environment, so that the same findings give the same text on
every machine and every rank.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from lightning_gradguard.rules import RULES, Diagnostic, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from lightning_gradguard.plots import Gradient
    from lightning_gradguard.source import Span

SCHEMA_VERSION = 1

_COLOURS = {"error": "1;31", "warning": "1;33", "info": "1;36", "frame": "1;34", "strong": "1"}
_SARIF_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_GITHUB_LEVELS = {"error": "error", "warning": "warning", "info": "notice"}
_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
# A stretch in backticks or brackets holds together, and so does a number with its unit.
_WORD = r"(?:`[^`\n]*`|\[[^\[\]\n]{0,40}\]|\S)+"
_UNIT = r"(?:%|ns|us|ms|s|min|h|B|kB|KiB|MB|MiB|GB|GiB)(?![\w`])[^\w\s`]*"
_ATOM = re.compile(rf"[-+(]*\d[\d.,e+-]* {_UNIT}|{_WORD}")
_CODE_INDENT = "    "
_MAX_GROUPS = 4
_MAX_NAMES = 8
_MIN_ROOM = 30
_CONTEXT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a report states about the run besides its findings.

    Attributes:
        coverage: share of the trainable parameter values that have received a non-zero gradient,
            0 to 1, dimensionless.
        limits: what could not be checked, and why.
        trained: number of trainable parameters that have received a gradient.
        total: number of trainable parameters.
        step: global step of the latest look.
        traced_calls: calls that were traced.
        seen_calls: calls that were made while the trace was on.
        trace_ms: time spent tracing, in ms.
    """

    coverage: float = 0.0
    limits: tuple[str, ...] = ()
    trained: int = 0
    total: int = 0
    step: int = 0
    traced_calls: int = 0
    seen_calls: int = 0
    trace_ms: float = 0.0


class Report:
    """The findings of a run and what was looked at; read-only outside this package.

    Example:
        >>> report = Report()
        >>> report.update(trained=4, total=4, coverage=1.0)
        >>> print(report.render())
        gradguard: no findings at global step 0
        gradguard: 4 of 4 trainable parameters received a gradient
    """

    def __init__(self) -> None:
        self._found: dict[tuple[object, ...], Diagnostic] = {}
        self._facts = Facts()
        # For pictures only, and as they were at the latest look; no part of the saved report.
        self.gradients: tuple[Gradient, ...] = ()
        self.gradients_step = 0

    def __repr__(self) -> str:
        """Say how much was found, for the interactive prompt."""
        return f"Report({_tally(self.diagnostics)} at global step {self.step})"

    def _repr_html_(self) -> str | None:
        """Show the report in a notebook; None, and so plain text, where Jinja2 is missing."""
        from lightning_gradguard import html

        try:
            return html.to_fragment(self)
        except ImportError:
            return None

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Findings in the order found, each once."""
        return tuple(self._found.values())

    @property
    def coverage(self) -> float:
        """Share of the trainable values that have received a non-zero gradient, 0 to 1."""
        return self._facts.coverage

    @property
    def limits(self) -> tuple[str, ...]:
        """What could not be checked, and why."""
        return self._facts.limits

    @property
    def trained(self) -> int:
        """Number of trainable parameters that have received a gradient."""
        return self._facts.trained

    @property
    def total(self) -> int:
        """Number of trainable parameters."""
        return self._facts.total

    @property
    def step(self) -> int:
        """Global step of the latest look."""
        return self._facts.step

    @property
    def traced_calls(self) -> int:
        """Calls that were traced."""
        return self._facts.traced_calls

    @property
    def seen_calls(self) -> int:
        """Calls that were made while the trace was on."""
        return self._facts.seen_calls

    @property
    def trace_ms(self) -> float:
        """Time spent tracing, in ms."""
        return self._facts.trace_ms

    def add(self, diagnostic: Diagnostic) -> bool:
        """Take a finding in; returns False where the same one is there already."""
        key = _identity(diagnostic)
        if key in self._found:
            return False
        self._found[key] = diagnostic
        return True

    def update(self, **facts: Any) -> None:  # noqa: ANN401  # the types are those of `Facts`
        """Set some of the `Facts` by name."""
        self._facts = replace(self._facts, **facts)

    def add_limit(self, text: str) -> None:
        """Note, once, what could not be checked and why."""
        if text not in self.limits:
            self.update(limits=(*self.limits, text))

    def has_findings(self, levels: Collection[str] = (Severity.WARNING, Severity.ERROR)) -> bool:
        """Say whether there is a finding of one of these levels."""
        return any(diagnostic.severity in levels for diagnostic in self.diagnostics)

    @property
    def closing(self) -> str:
        """The one line that a clean run ends with."""
        return f"gradguard: {_trained(self)}"

    def to_dict(self) -> dict[str, Any]:
        """Give everything as JSON-ready values; `from_dict` reads them back."""
        facts = asdict(self._facts) | {"limits": list(self.limits)}
        found = [diagnostic.to_dict() for diagnostic in self.diagnostics]
        return {"schema_version": SCHEMA_VERSION, **facts, "diagnostics": found}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Report:
        """Read what `to_dict` gave.

        Raises:
            ValueError: the record has another schema version.
        """
        if record.get("schema_version") != SCHEMA_VERSION:
            got = record.get("schema_version")
            msg = f"expected a report with schema_version {SCHEMA_VERSION}, got {got!r}"
            raise ValueError(msg)
        report = cls()
        report.update(**{f.name: record[f.name] for f in fields(Facts) if f.name in record})
        report.update(limits=tuple(report.limits))
        for item in record["diagnostics"]:
            report.add(Diagnostic.from_dict(item))
        return report

    def render(self, width: int = 100, color: bool = False) -> str:  # noqa: FBT001, FBT002  # public
        """Draw all findings and the closing lines as text.

        Args:
            width: columns, at least 60.
            color: whether to use ANSI colours.
        """
        blocks = [render(diagnostic, width, color) for diagnostic in self.diagnostics]
        return "\n\n".join([*blocks, "\n".join(_closing(self, width))])

    def to_concise(self) -> str:
        """Give one line for each finding."""
        return "\n".join(diagnostic.concise() for diagnostic in self.diagnostics)

    def to_github(self) -> str:
        """Give one workflow command for each finding, which GitHub shows beside the line."""
        return "\n".join(map(_annotation, self.diagnostics))

    def to_markdown(self) -> str:
        """Give a Markdown page with the text of every finding."""
        parts = ["# gradguard report", "\n".join(f"- {line}" for line in _summary(self))]
        for diagnostic in self.diagnostics:
            parts += [f"## {diagnostic.code} {diagnostic.name}", _fenced(render(diagnostic))]
        return "\n\n".join(parts) + "\n"

    def to_sarif(self) -> dict[str, Any]:
        """Give a SARIF 2.1.0 log, the exchange format of code scanning services."""
        codes = sorted({diagnostic.code for diagnostic in self.diagnostics})
        driver = {"name": "gradguard", "rules": [_sarif_rule(code) for code in codes]}
        run = {
            "tool": {"driver": driver},
            "columnKind": "unicodeCodePoints",
            "invocations": [_sarif_invocation(self.limits)],
            "results": [_sarif_result(found, codes) for found in self.diagnostics],
        }
        return {"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}

    def write(self, path: str | Path) -> None:
        """Write the report in the form of the suffix: `.json`, `.sarif`, `.md` or `.html`.

        Raises:
            ValueError: another suffix.
        """
        path = Path(path)
        text = writer_for(path)(self)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


class GradGuardError(RuntimeError):
    """Raised on every rank when strict mode meets a finding; the text is the rendered report.

    It takes one string, because spawned ranks hand exceptions over as text.
    """

    def __init__(self, message: str, report: Report | None = None) -> None:
        super().__init__(message)
        self.report = Report() if report is None else report

    @classmethod
    def of(cls, report: Report, torch_text: str = "", width: int = 100) -> GradGuardError:
        """Make the error whose text is this report, torch's own words for the same thing last."""
        text = report.render(width)
        return cls(f"{text}\n(torch: {torch_text})" if torch_text else text, report)

    def __reduce__(self) -> tuple[Callable[..., GradGuardError], tuple[str, Report]]:
        """Keep the report on the way between processes."""
        return _rebuild_error, (str(self), self.report)


GradGuardError.__module__ = "lightning_gradguard"


def _rebuild_error(message: str, report: Report) -> GradGuardError:
    return GradGuardError(message, report)


def writer_for(path: str | Path) -> Callable[[Report], str]:
    """Find the writer for a file name, so that a bad one is refused before the run starts.

    Raises:
        ValueError: the suffix is none of those allowed.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _WRITERS:
        msg = f"expected a report path that ends in {', '.join(_WRITERS)}, got {str(path)!r}"
        raise ValueError(msg)
    return _WRITERS[suffix]


def _html_text(report: Report) -> str:
    from lightning_gradguard import html

    return html.to_html(report)


def _json_text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2) + "\n"


_WRITERS: dict[str, Callable[[Report], str]] = {
    ".json": lambda report: _json_text(report.to_dict()),
    ".sarif": lambda report: _json_text(report.to_sarif()),
    ".md": Report.to_markdown,
    ".html": _html_text,
}


def _identity(diagnostic: Diagnostic) -> tuple[object, ...]:
    """Give what makes two findings the same; without a place, the headline has to tell."""
    span = diagnostic.span
    place = (span.path, span.line, span.column) if span else (diagnostic.message,)
    return (diagnostic.code, place, diagnostic.params)


def count(number: int, noun: str) -> str:
    """Write a number with its noun.

    Example:
        >>> count(1, "error"), count(1234, "value")
        ('1 error', '1,234 values')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _closing(report: Report, width: int) -> list[str]:
    lines = []
    for text in _summary(report):
        first, *rest = _wrap(text, max(width, 60) - len("gradguard: "))
        lines += [f"gradguard: {first}", *(f"           {line}" for line in rest)]
    return lines


def _summary(report: Report) -> Iterator[str]:
    """Say in a few sentences what was found, what was trained and what was out of sight."""
    traced = _traced(report)
    yield f"{_tally(report.diagnostics)} at global step {report.step}{traced}"
    if report.total:
        yield _trained(report)
    yield from (f"not checked: {limit}" for limit in report.limits)


def _trained(report: Report) -> str:
    noun = "trainable parameter" if report.total == 1 else "trainable parameters"
    return f"{report.trained:,} of {report.total:,} {noun} received a gradient"


def _tally(diagnostics: Iterable[Diagnostic]) -> str:
    numbers = Counter(str(diagnostic.severity) for diagnostic in diagnostics)
    nouns = (("error", "error"), ("warning", "warning"), ("info", "note"))
    parts = [count(numbers[level], noun) for level, noun in nouns if numbers[level]]
    return ", ".join(parts) or "no findings"


def _traced(report: Report) -> str:
    if not report.seen_calls:
        return ""
    time = f", {report.trace_ms:.1f} ms" if report.trace_ms else ""
    return f" (traced {report.traced_calls:,} of {report.seen_calls:,} calls{time})"


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
    lines += [line for label, text in _notes(diagnostic) for line in page.note(label, text)]
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
        first, *rest = _wrap(text, self.width - len(hang))
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
            labels = [line for span in spans for line in _wrap(span.label, room) if line]
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
        rows = _wrap(span.label, room - start)
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


def _wrap(text: str, room: int) -> list[str]:
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


def _notes(diagnostic: Diagnostic) -> Iterator[tuple[str, str]]:
    """Give label and text of the closing notes, in their fixed order."""
    if diagnostic.ranks is not None:
        yield "ranks", ", ".join(map(str, diagnostic.ranks))
    for label in ("cause", "evidence", "effect"):
        if text := getattr(diagnostic, label):
            yield label, text
    if affected := _affected(diagnostic):
        yield "affected", affected
    if diagnostic.help:
        yield "help", diagnostic.help
    yield "rule", f"{diagnostic.name}, see `gradguard explain {diagnostic.code}`"


def _affected(diagnostic: Diagnostic) -> str:
    number, total = len(diagnostic.params), diagnostic.params_total
    if not number:
        return "0 parameters lose their gradient" if total else ""
    share = f"{number:,} of {total:,}" if total else f"{number:,}"
    noun = "parameter" if max(number, total) == 1 else "parameters"
    return f"{share} trainable {noun}{_values(diagnostic)}\n{fold_names(diagnostic.params)}"


def _values(diagnostic: Diagnostic) -> str:
    values, total = diagnostic.values, diagnostic.values_total
    if not values:
        return ""
    return (
        f" ({count(values, 'value')})" if values >= total else f" ({values:,} of {total:,} values)"
    )


def fold_names(names: Sequence[str]) -> str:
    """Write parameter names folded by module, at most 4 groups of at most 8 names.

    Example:
        >>> fold_names(["head.weight", "head.bias", "scale"])
        'head.{weight, bias}  scale'
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for name in names:
        module, _, leaf = name.rpartition(".")
        groups.setdefault((module, "" if module else name), []).append(leaf)
    shown = list(groups.items())[:_MAX_GROUPS]
    written = sum(len(leaves[:_MAX_NAMES]) for _, leaves in shown)
    rest = [f"... and {len(names) - written:,} more"] if written < len(names) else []
    return "  ".join([_group(module, leaves) for (module, _), leaves in shown] + rest)


def _group(module: str, leaves: Sequence[str]) -> str:
    if len(leaves) == 1:
        return f"{module}.{leaves[0]}" if module else leaves[0]
    cut = ", ..." if len(leaves) > _MAX_NAMES else ""
    return f"{module}.{{{', '.join(leaves[:_MAX_NAMES])}{cut}}}"


def _fenced(text: str) -> str:
    """Put text in a code block whose fence is longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _story(diagnostic: Diagnostic) -> str:
    """Tell a finding as plain paragraphs, for places that draw the source themselves."""
    told = {"Cause": "cause", "Evidence": "evidence", "Effect": "effect", "Help": "help"}
    parts = [
        f"{title}: {text}" for title, key in told.items() if (text := getattr(diagnostic, key))
    ]
    return "\n".join([diagnostic.message, *parts])


def _annotation(diagnostic: Diagnostic) -> str:
    span = diagnostic.span
    properties: dict[str, object] = {}
    if span:
        properties = {"file": _slashes(span.path), "line": span.line}
        properties |= {"col": span.column, "endColumn": span.end_column}
    properties["title"] = f"{diagnostic.code} {diagnostic.name}"
    head = ",".join(f"{key}={_escape(str(value), ',:')}" for key, value in properties.items())
    return f"::{_GITHUB_LEVELS[diagnostic.severity]} {head}::{_escape(_story(diagnostic))}"


def _escape(text: str, more: str = "") -> str:
    """Escape what a workflow command gives a meaning to; `%` first, as it starts the escapes."""
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def _slashes(path: str) -> str:
    return path.replace("\\", "/")


def _sarif_rule(code: str) -> dict[str, Any]:
    rule = RULES[code]
    return {
        "id": code,
        "name": rule.name,
        "shortDescription": {"text": rule.what},
        "fullDescription": {"text": f"{rule.what} {rule.why}"},
        "help": {"text": rule.to_markdown(), "markdown": rule.to_markdown()},
        "defaultConfiguration": {"level": _SARIF_LEVELS[rule.severity]},
    }


def _sarif_invocation(limits: Sequence[str]) -> dict[str, Any]:
    notes = [{"level": "note", "message": {"text": f"not checked: {limit}"}} for limit in limits]
    return {"executionSuccessful": True, "toolExecutionNotifications": notes}


def _sarif_result(diagnostic: Diagnostic, codes: Sequence[str]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": diagnostic.code,
        "ruleIndex": codes.index(diagnostic.code),
        "level": _SARIF_LEVELS[diagnostic.severity],
        "message": {"text": _story(diagnostic)},
        "properties": {
            "parameters": list(diagnostic.params),
            "operation": diagnostic.op,
            "metric": diagnostic.metric,
            "step": diagnostic.step,
        },
    }
    if diagnostic.span:
        result["locations"] = [_sarif_location(diagnostic.span)]
    if diagnostic.related:
        related = enumerate(diagnostic.related, start=1)
        result["relatedLocations"] = [{"id": n, **_sarif_location(span)} for n, span in related]
    return result


def _sarif_location(span: Span) -> dict[str, Any]:
    region: dict[str, Any] = {
        "startLine": max(span.line, 1),
        "startColumn": max(span.column, 1),
        "endColumn": max(span.end_column, span.column, 1),
    }
    if span.text:
        region["snippet"] = {"text": span.text}
    artifact = {"uri": _uri(span.path)}
    location: dict[str, Any] = {
        "physicalLocation": {"artifactLocation": artifact, "region": region}
    }
    if span.function:
        location["logicalLocations"] = [{"fullyQualifiedName": span.function}]
    if span.label:
        location["message"] = {"text": span.label}
    return location


def _uri(path: str) -> str:
    return Path(path).as_uri() if Path(path).is_absolute() else quote(_slashes(path))
