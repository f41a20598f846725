# SPDX-License-Identifier: Apache-2.0
"""The findings of a run and what was looked at; every form in which they are handed out.

How a finding is drawn is the matter of `lightning_gradguard.drawing`; nothing here looks at the
terminal, the clock or the environment either.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_gradguard.drawing import markdown, sarif
from lightning_gradguard.drawing.github import annotation
from lightning_gradguard.drawing.text import render, wrap
from lightning_gradguard.drawing.wording import count, fold_names
from lightning_gradguard.rules import Diagnostic, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from lightning_gradguard.plots import Gradient

__all__ = [
    "SCHEMA_VERSION",
    "Facts",
    "GradGuardError",
    "Report",
    "count",
    "fold_names",
    "render",
    "writer_for",
]

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a report states about the run besides its findings.

    Attributes:
        coverage: share of the trainable parameter values that have received a non-zero gradient,
            0 to 1, dimensionless.
        limits: what could not be checked, and why.
        offers: metrics that are computed beside the loss and could be routed; nothing is wrong.
        trained: number of trainable parameters that have received a gradient.
        total: number of trainable parameters.
        step: global step of the latest look.
        traced_calls: calls that were traced.
        seen_calls: calls that were made while the trace was on.
        trace_ms: time spent tracing, in ms.
    """

    coverage: float = 0.0
    limits: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()
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
    def offers(self) -> tuple[str, ...]:
        """Metrics beside the loss that `metrics="route"` would compute; these are no findings."""
        return self._facts.offers

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

    def add_offer(self, text: str) -> None:
        """Note, once, a metric that could be routed."""
        if text not in self.offers:
            self.update(offers=(*self.offers, text))

    def has_findings(self, levels: Collection[str] = (Severity.WARNING, Severity.ERROR)) -> bool:
        """Say whether there is a finding of one of these levels."""
        return any(diagnostic.severity in levels for diagnostic in self.diagnostics)

    @property
    def closing(self) -> str:
        """The one line that a clean run ends with."""
        return f"gradguard: {_trained(self)}"

    def to_dict(self) -> dict[str, Any]:
        """Give everything as JSON-ready values; `from_dict` reads them back."""
        lists = {"limits": list(self.limits), "offers": list(self.offers)}
        facts = asdict(self._facts) | lists
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
        report.update(limits=tuple(report.limits), offers=tuple(report.offers))
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
        return "\n".join(map(annotation, self.diagnostics))

    def to_markdown(self) -> str:
        """Give a Markdown page with the text of every finding."""
        summary = (*_summary(self), *(f"offer: {offer}" for offer in self.offers))
        return markdown.page(summary, self.diagnostics)

    def to_sarif(self) -> dict[str, Any]:
        """Give a SARIF 2.1.0 log, the exchange format of code scanning services."""
        return sarif.log(self.diagnostics, self.limits)

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


def _closing(report: Report, width: int) -> list[str]:
    lines = []
    for text in _summary(report):
        first, *rest = wrap(text, max(width, 60) - len("gradguard: "))
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
    if not report.total:
        return "no optimizer step was seen, so no gradient was judged"
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
