# SPDX-License-Identifier: Apache-2.0
"""What one rank tells the others: its findings, its faults, and what it knows of the step."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from lightning_gradguard.report import Facts
from lightning_gradguard.rules import Diagnostic
from lightning_gradguard.session import Session

__all__ = ["Outbox", "Record"]

_log = logging.getLogger("lightning_gradguard")


@dataclass(frozen=True, slots=True)
class Record:
    """What one rank brings when something is up.

    Attributes:
        found: its findings since it last told.
        faults: parts of the guard that failed on it, and how.
        facts: the numbers of its report.
        suspect: a value that is not finite came up on it.
        link: how its loss hangs together with the parameters.
        blind: part of its graph cannot be seen.
        reached: the parameters that its graph reaches, compressed.
        failure: the error with which it ends, and where.
        last: it has no batch after this one.
    """

    found: tuple[Diagnostic, ...] = ()
    faults: tuple[tuple[str, str], ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    suspect: bool = False
    link: int = 0
    blind: bool = False
    reached: bytes = b""
    failure: str = ""
    last: bool = False


class Outbox:
    """What this rank has not told yet.

    Args:
        session: what this rank sees; its report is for this rank only.
        rank: the number of this rank.
    """

    def __init__(self, session: Session, rank: int) -> None:
        self.session, self.rank = session, rank
        self._told = 0
        self._faults: list[tuple[str, str]] = []

    @property
    def is_full(self) -> bool:
        """Say whether there is anything that the others should hear."""
        return bool(self._faults) or len(self.session.report.diagnostics) > self._told

    def attempt(self, part: str, deed: Callable[..., Any], *args: Any) -> Any:  # noqa: ANN401
        """Do this rank's own part of the work; it must not keep the rank from the comparison."""
        if part in self.session.off:
            return None
        try:
            return deed(*args)
        except Exception as error:  # noqa: BLE001 - told to all ranks at the next comparison
            self.fault(part, error)
            return None

    def fault(self, part: str, error: BaseException) -> None:
        """Take note of a bug in the guard on this rank."""
        if part not in {p for p, _ in self._faults} and part not in self.session.off:
            _log.error("gradguard: the %s failed on rank %d", part, self.rank, exc_info=error)
            self._faults.append((part, f"{type(error).__name__}: {error}"))

    def empty(self, **more: Any) -> Record:  # noqa: ANN401 - the other fields of a record
        """Return what is to be told, and forget it."""
        found = self.findings()
        suspect = bool(self.attempt("audit", self.session.suspects))
        facts = self.facts()
        faults, self._faults = tuple(self._faults), []
        return Record(found, faults, facts, suspect, **more)

    def findings(self) -> tuple[Diagnostic, ...]:
        """Return the findings that have not been told, and count them as told."""
        local = self.session.report.diagnostics
        found, self._told = local[self._told :], len(local)
        return found

    def facts(self) -> dict[str, Any]:
        """Return the numbers of this rank's report."""
        self.attempt("audit", self.session.update_report)
        return {name: getattr(self.session.report, name) for name in asdict(Facts())}
