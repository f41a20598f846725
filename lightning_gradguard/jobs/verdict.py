# SPDX-License-Identifier: Apache-2.0
"""From what all ranks brought to the report of the job, the same on every rank."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from lightning_gradguard import diagnose
from lightning_gradguard.jobs.outbox import Outbox, Record
from lightning_gradguard.ranks import Ranks, merge_findings, words
from lightning_gradguard.report import Report
from lightning_gradguard.rules import Diagnostic, Severity

__all__ = ["Verdict"]

_log = logging.getLogger("lightning_gradguard")


class Verdict:
    """What the job as a whole has found.

    Args:
        outbox: what this rank has not told yet; what is said here need not be told by it.
        report: where the findings of the job go.

    Attributes:
        fresh: findings that have not been printed.
        fatal: going on would leave ranks waiting for each other.
        lame: parts of the guard failed in a way that leaves nothing to compare.
    """

    def __init__(self, outbox: Outbox, report: Report) -> None:
        self.outbox, self.session, self.report = outbox, outbox.session, report
        self.fresh: list[Diagnostic] = []
        self.fatal = False
        self.lame = False

    def take(self, records: Sequence[Record], drop: frozenset[str] = frozenset()) -> None:
        """Make the findings of all ranks findings of the job.

        Args:
            records: what the ranks brought, in their order.
            drop: codes that another finding is going to explain.
        """
        suspects = [i for i, r in enumerate(records) if r.suspect]
        found = merge_findings([r.found for r in records], suspects)
        self.adopt([r.facts for r in records])
        self._take_faults(records)
        self.conclude([d for d in found if d.code not in drop])

    def share(self, ranks: Ranks) -> None:
        """Let all ranks tell what they have found; every rank must call this."""
        self.take(ranks.gather(self.outbox.empty()))

    def conclude(self, found: Sequence[Diagnostic]) -> bool:
        """Take findings into the report of the job; say whether one of them was new and counts.

        Args:
            found: the same findings on every rank, none of which the user wants not to hear.
        """
        loud = False
        for diagnostic in found:
            self.outbox.attempt("audit", self.session.settle, diagnostic)
            if self.report.add(diagnostic) and diagnostic.severity is not Severity.INFO:
                self.fresh.append(diagnostic)
                loud = True
        self.outbox.findings()
        return loud

    def unchecked(self, what: str, why: str) -> None:
        """Say that something is not checked, in the same words on every rank."""
        codes = self.session.settings.codes
        try:
            found = diagnose.unchecked(self.session.scene(bare=True), what, why)
            self.conclude([d for d in found if d.code in codes])
        except Exception:  # noqa: BLE001 - what stays is the log
            _log.exception("gradguard: what failed cannot be put into the report either")

    def adopt(self, facts: Sequence[Mapping[str, Any]]) -> None:
        """Take the numbers of the first rank and the limits of all."""
        limits = dict.fromkeys((*self.report.limits, *(t for f in facts for t in f["limits"])))
        self.report.update(**{**facts[0], "limits": tuple(limits)})

    def keep_own(self) -> None:
        """Without the others, the report holds what this rank has found."""
        self.conclude(self.outbox.findings())
        self.adopt([self.outbox.facts()])

    def take_fresh(self) -> list[Diagnostic]:
        """Return the findings of the job since the last call."""
        fresh, self.fresh = self.fresh, []
        return fresh

    def _take_faults(self, records: Sequence[Record]) -> None:
        """Switch the parts off that failed on some rank; strict jobs end with them."""
        parts: dict[str, tuple[str, list[int]]] = {}
        for rank, record in enumerate(records):
            for part, text in record.faults:
                parts.setdefault(part, (text, []))[1].append(rank)
        for part, (text, where) in parts.items():
            why = f"on {words(where)}: {text}"
            self.session.shut(part)
            self.lame |= part == "ranks"
            self.report.add_limit(f"the {part} failed {why}")
            self.unchecked(f"the {part}", why)
            self.fatal |= self.session.settings.strict
