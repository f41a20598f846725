# SPDX-License-Identifier: Apache-2.0
"""A pytest session in, a guard in every Trainer of its tests and a table of what they trained out.

Loaded in every pytest session of an environment in which this package is installed, so it imports
neither torch nor Lightning until a test asks for a guard. What is learned in a worker of
pytest-xdist travels with the reports of the tests.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pytest

from lightning_gradguard import environment

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from lightning_gradguard.callback import GradGuard
    from lightning_gradguard.report import Report

_MODES = ("strict", "warn")
_MARK = (
    "gradguard(**options): watch the trainings of this test, with options of GradGuard such as "
    "ignore=['GG103']; gradguard(enabled=False) leaves the test out"
)


@dataclass(frozen=True, slots=True)
class Training:
    """What is remembered of one `fit`.

    Attributes:
        model: class of the LightningModule.
        reached: names of the parameters that received a gradient.
        missed: names of the trainable parameters that did not.
        findings: errors and warnings, as codes.
        annotations: workflow commands for GitHub.
    """

    model: str
    reached: tuple[str, ...]
    missed: tuple[str, ...]
    findings: tuple[str, ...]
    annotations: str = ""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options to the command line."""
    group = parser.getgroup("gradguard", "watching gradients with lightning-gradguard")
    group.addoption(
        "--gradguard",
        nargs="?",
        const="strict",
        type=_mode,
        metavar="strict|warn",
        help="put a guard into every Lightning Trainer; strict (the default) fails a test with a "
        "finding, warn only lists it",
    )
    group.addoption(
        "--gradguard-fail-under",
        type=_percentage,
        metavar="MIN",
        help="fail the session if less than MIN percent of the trainable parameters of all models "
        "received a gradient; implies --gradguard=warn where no mode is given",
    )


def _mode(text: str) -> str:
    if text not in _MODES:
        import argparse

        message = f"expected strict or warn, got {text!r}; before a path write --gradguard=strict"
        raise argparse.ArgumentTypeError(message)
    return text


def _percentage(text: str) -> float:
    value = float(text) if text.replace(".", "", 1).isdecimal() else -1.0
    if not 0 <= value <= 100:  # noqa: PLR2004  # per cent
        import argparse

        raise argparse.ArgumentTypeError(f"expected a percentage from 0 to 100, got {text!r}")
    return value


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and the part that works through the session."""
    config.addinivalue_line("markers", _MARK)
    threshold = config.getoption("gradguard_fail_under")
    mode = config.getoption("gradguard") or (None if threshold is None else "warn")
    config.pluginmanager.register(Watch(mode, threshold), "gradguard-watch")


@pytest.fixture
def gradguard(request: pytest.FixtureRequest) -> Generator[GradGuard]:
    """A fresh `GradGuard` for `Trainer(callbacks=[gradguard])`, asserted clean at the end."""
    from lightning_gradguard.callback import GradGuard

    guard = GradGuard(**_marked(request.node))
    yield guard
    if guard.report.has_findings():
        pytest.fail(guard.report.render(), pytrace=False)


def _marked(item: pytest.Item) -> dict[str, Any]:
    """Return the options that the markers of a test set; the nearest one wins."""
    options: dict[str, Any] = {}
    for mark in reversed(list(item.iter_markers("gradguard"))):
        options |= mark.kwargs
    options.pop("enabled", None)
    return options


def _is_enabled(item: pytest.Item) -> bool:
    mark = item.get_closest_marker("gradguard")
    return mark is None or bool(mark.kwargs.get("enabled", True))


class Watch:
    """The session as the plugin sees it.

    Args:
        mode: `strict`, `warn`, or None for marked tests only.
        threshold: percentage of the parameters that has to be reached, or None.
    """

    def __init__(self, mode: str | None, threshold: float | None) -> None:
        self.mode = mode
        self.threshold = threshold
        self.running: list[Training] = []
        self.trainings: list[Training] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Hand a guard to every Trainer that is made while this test runs."""
        options = self._options(item)
        if options is None and _is_enabled(item):
            return (yield)
        token = environment.override.set(
            lambda: [] if options is None else [self._stand_in(options)]
        )
        try:
            return (yield)
        finally:
            environment.override.reset(token)

    def _options(self, item: pytest.Item) -> dict[str, Any] | None:
        if not _is_enabled(item):
            return None
        if self.mode is None and item.get_closest_marker("gradguard") is None:
            return None
        return {"strict": self.mode != "warn"} | _marked(item)

    def _stand_in(self, options: dict[str, Any]) -> Any:  # noqa: ANN401  # made once torch is there
        from lightning_gradguard.standin import Observed

        return Observed(self._remember, **options)

    def _remember(self, model: str, names: dict[str, bool], report: Report) -> None:
        self.running.append(
            Training(
                model,
                tuple(name for name, reached in names.items() if reached),
                tuple(name for name, reached in names.items() if not reached),
                tuple(d.code for d in report.diagnostics if d.severity != "info"),
                report.to_github() if os.environ.get("GITHUB_ACTIONS") == "true" else "",
            )
        )

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self) -> Generator[None, object, object]:
        """Treat a training in a fixture as one in the test."""
        return (yield from _plainly())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        """Fail a test by the diagnostic itself, without the way through Lightning."""
        return (yield from _plainly())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Send what was learned along with the last report of the test."""
        report = yield
        if call.when == "teardown" and self.running:
            vars(report)["gradguard"] = [asdict(training) for training in self.running]
            self.running = []
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in what a test sent, from this process or from a worker."""
        self.trainings += [Training(**record) for record in getattr(report, "gradguard", ())]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Fail a session that reached too little."""
        if not hasattr(session.config, "workerinput") and self._falls_short() and exitstatus == 0:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _falls_short(self) -> bool:
        return self.threshold is not None and coverage(self.trainings) < self.threshold

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write the table, and the verdict on the threshold."""
        if self.mode is None and not self.trainings:
            return
        terminalreporter.section("gradients", sep="-", bold=False)
        for line in table(self.trainings):
            terminalreporter.write_line(line)
        if self.threshold is not None:
            good = not self._falls_short()
            line = verdict(self.trainings, self.threshold)
            terminalreporter.write_line(line, green=good, red=not good, bold=not good)
        if os.environ.get("GITHUB_ACTIONS") == "true":
            self._publish(terminalreporter)

    def _publish(self, terminalreporter: pytest.TerminalReporter) -> None:
        for commands in dict.fromkeys(t.annotations for t in self.trainings if t.annotations):
            terminalreporter.write_line(commands)
        lines = "\n".join(table(self.trainings))
        environment.summarise(f"## Gradients\n\n```text\n{lines}\n```\n")


def _plainly() -> Generator[None, object, object]:
    """Run the inner hooks; an error of the guard is told in its own words."""
    try:
        return (yield)
    except RuntimeError as error:
        # By name: the class would have to be imported, and torch with it.
        if not any(cls.__name__ == "GradGuardError" for cls in type(error).__mro__):
            raise
        raise pytest.fail.Exception(str(error), pytrace=False) from None


def _merged(trainings: Iterable[Training]) -> dict[str, tuple[set[str], set[str], list[str]]]:
    """Return model -> parameters reached in some training, all parameters, findings."""
    models: dict[str, tuple[set[str], set[str], list[str]]] = {}
    for training in trainings:
        reached, known, findings = models.setdefault(training.model, (set(), set(), []))
        reached.update(training.reached)
        known.update(training.reached, training.missed)
        findings += training.findings
    return dict(sorted(models.items()))


def _percent(reached: int, total: int) -> float:
    return 100 * reached / total if total else 0.0


def coverage(trainings: Iterable[Training]) -> float:
    """Return the share of trainable parameters of all models that received a gradient, in percent.

    Example:
        >>> coverage([Training("Net", ("a", "b"), ("c",), ()), Training("Net", ("c",), ("d",), ())])
        75.0
    """
    models = _merged(trainings).values()
    return _percent(
        sum(len(reached) for reached, _, _ in models), sum(len(k) for _, k, _ in models)
    )


def table(trainings: Iterable[Training]) -> list[str]:
    r"""Draw a line for each model and one for all.

    Example:
        >>> print("\n".join(table([Training("Net", ("a", "b"), ("c",), ("GG106",))])))
        Model   Params   Missed  Reached  Findings
        ------------------------------------------
        Net          3        1      66%  GG106
        ------------------------------------------
        TOTAL        3        1      66%  1
    """
    models = _merged(trainings)
    if not models:
        return ["no training was watched"]
    rows = [
        (name, len(known), len(known - reached), " ".join(sorted(set(findings))))
        for name, (reached, known, findings) in models.items()
    ]
    number = sum(len(findings) for _, _, findings in models.values())
    total = ("TOTAL", sum(row[1] for row in rows), sum(row[2] for row in rows), str(number))
    width = max(len(row[0]) for row in (*rows, total))
    head = f"{'Model':<{width}}  {'Params':>7}  {'Missed':>7}  {'Reached':>7}  Findings"
    rule = "-" * len(head)
    return [head, rule, *(_row(row, width) for row in rows), rule, _row(total, width)]


def _row(row: tuple[str, int, int, str], width: int) -> str:
    name, known, missed, findings = row
    share = f"{int(_percent(known - missed, known))}%"
    return f"{name:<{width}}  {known:>7,}  {missed:>7,}  {share:>7}  {findings}".rstrip()


def verdict(trainings: list[Training], threshold: float) -> str:
    """Say whether enough was reached.

    Example:
        >>> verdict([Training("Net", ("a",), ("b",), ())], 95.0)
        'FAIL required gradient coverage of 95% not reached, got 50.00%'
    """
    share = coverage(trainings)
    if not trainings:
        return f"FAIL required gradient coverage of {threshold:g}% not reached, no training watched"
    if share < threshold:
        return f"FAIL required gradient coverage of {threshold:g}% not reached, got {share:.2f}%"
    return f"required gradient coverage of {threshold:g}% reached, got {share:.2f}%"
