# SPDX-License-Identifier: Apache-2.0
"""What all parts of the guard share about one run, and how they tell what they found."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from lightning_gradguard import definitions, diagnose, syntax
from lightning_gradguard.audit import Audit
from lightning_gradguard.diagnose import Scene
from lightning_gradguard.flow import Flow
from lightning_gradguard.report import Report
from lightning_gradguard.roster import Roster
from lightning_gradguard.rules import Diagnostic, Severity, matching
from lightning_gradguard.trace import Call, Recorder, Trace

__all__ = ["Run", "Settings", "Traced"]

_log = logging.getLogger("lightning_gradguard")


@dataclass(frozen=True, slots=True)
class Settings:
    """The options that decisions depend on; see `GradGuard` for their meaning."""

    strict: bool = False
    select: tuple[str, ...] = ("GG",)
    ignore: tuple[str, ...] = ()
    ignore_params: tuple[str, ...] = ()
    patience: int = 10
    trace_steps: int = 1
    every_n_steps: int = 1
    agree_every_n_steps: int | None = None

    @property
    def codes(self) -> frozenset[str]:
        """Return the selected codes."""
        return matching(self.select) - matching(self.ignore)


@dataclass(slots=True)
class Traced:
    """A traced step and what its backward passes did."""

    step: int
    trace: Trace
    flows: list[Flow] = field(default_factory=list)
    recorder: Recorder | None = None
    hidden: dict[str, int] = field(default_factory=dict)
    places: dict[str, Any] = field(default_factory=dict)

    @property
    def nonfinite(self) -> list[tuple[Call, str]]:
        """Return the calls that made non-finite values from finite ones, where that was watched."""
        return self.recorder.nonfinite if self.recorder is not None else []


class Run:
    """Options, roster and audit of one run, and the way from a finding into the report.

    Args:
        settings: the options.
        report: where findings go.

    Attributes:
        step: global step of the batch under way.
        batches: number of batches begun.
        said: parameters, and codes of the whole job, that a finding has named.
        sharded: the module holds shards that neither trace nor graph can follow.
        quiet: nothing is open in the batch under way; what is left of it is to look at its loss and
            at its gradients.
        off: the parts of the guard that a bug has ended.
    """

    def __init__(self, settings: Settings, report: Report) -> None:
        self.settings = settings
        self.report = report
        self.audit = Audit()
        self.roster = Roster(settings.ignore_params, self.audit.forget)
        self.automatic = True
        self.scaled = False
        self.step = 0
        self.batches = 0
        self.sharded = False
        self.quiet = False
        self.said: set[str] = set()
        self._fresh: list[Diagnostic] = []
        self.off: set[str] = set()
        self._silenced: set[tuple[str, int, str]] = set()

    @property
    def model(self) -> nn.Module:
        """Return the module in training."""
        return self.roster.model

    @property
    def optimizers(self) -> Sequence[Any]:
        """Return what the run steps with."""
        return self.roster.optimizers

    def judged(self, optimizer: Any = None) -> dict[str, Tensor]:  # noqa: ANN401
        """Return name -> parameter that requires grad and sits in an optimizer."""
        return self.roster.judged(optimizer)

    def trainable(self) -> dict[str, Tensor]:
        """Return name -> registered parameter that requires grad, in an optimizer or not."""
        return self.roster.trainable()

    def untraced(self) -> Traced:
        """Return the record of a step of which nothing was traced."""
        return Traced(self.step, Trace(self.step))

    def scene_of(self, traced: Traced, when: str = "") -> Scene:
        """Return what the rules may look at in a traced step."""
        return Scene(
            traced.trace,
            self.model,
            self.roster.ever or self.judged(),
            traced.flows,
            self.step,
            when,
            automatic=self.automatic,
            sharded=self.sharded,
            sizes=self.audit.numels,
        )

    def lost_whole(self) -> bool:
        """Say whether a finding has told that the loss as a whole trains nothing."""
        return any(d.code in {"GG101", "GG102"} for d in self.report.diagnostics)

    def emit(self, found: Iterable[Diagnostic]) -> None:
        """Take findings into the report, unless switched off or suppressed in the source."""
        for diagnostic in found:
            if not self.wants(diagnostic):
                continue
            if self.report.add(diagnostic) and diagnostic.severity is not Severity.INFO:
                self._fresh.append(diagnostic)
                self.quiet = False

    def _suppressed(self, diagnostic: Diagnostic) -> bool:
        """Say whether a comment on the reported line asks for silence."""
        span = diagnostic.span
        if span is None or diagnostic.code not in syntax.suppressions(span.path, span.line):
            return False
        self._silenced.add((span.path, span.line, diagnostic.code))
        return True

    def tell_idle_suppressions(self) -> None:
        """GG902: comments in the files of the user's modules that have silenced nothing."""
        kinds = {type(m) for m in self.model.modules()}
        files = {f for k in kinds if (f := definitions.file_of(k)) is not None}
        comments = [(f, *s) for f in sorted(files) for s in syntax.all_suppressions(f)]
        for file, span, codes in comments:
            idle = sorted(c for c in codes if (span.path, span.line, c) not in self._silenced)
            if idle and definitions.took_part(file, span.line, kinds):
                comment = f"# gradguard: ignore[{', '.join(idle)}]"
                scene = self.scene_of(self.untraced())
                self.emit(diagnose.unused_suppression(scene, span, comment))

    def wants(self, diagnostic: Diagnostic) -> bool:
        """Say whether a finding is neither switched off nor suppressed in the source."""
        return diagnostic.code in self.settings.codes and not self._suppressed(diagnostic)

    def settle(self, diagnostic: Diagnostic) -> None:
        """Take note of a finding of the whole job: nothing of it is said again."""
        self.report.add(diagnostic)
        self.said.update(diagnostic.params)

    def shut(self, part: str) -> None:
        """Switch a part of the guard off without a word: it has been said elsewhere."""
        self.off.add(part)

    def take_fresh(self) -> list[Diagnostic]:
        """Return the findings since the last call."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def switch_off(self, part: str, fault: BaseException) -> None:
        """Switch a part of the guard off after a bug in it, and say so once."""
        if part in self.off:
            return
        self.off.add(part)
        _log.error("gradguard: the %s failed and is off from here on", part, exc_info=fault)
        why = f"{type(fault).__name__}: {fault}"
        self.report.add_limit(f"the {part} failed with {why}")
        try:
            scene = self.scene_of(self.untraced())
            self.emit(diagnose.unchecked(scene, f"the {part}", why))
        except Exception:  # noqa: BLE001 - what stays is the log
            _log.exception("gradguard: what failed cannot be put into the report either")
