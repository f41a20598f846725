# SPDX-License-Identifier: Apache-2.0
"""Train a written program under the guard, and compare what was said with what happened."""

import contextlib
import importlib.util
import json
import random
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from grammar import Expectation, Program, write
from torch import Tensor

from lightning_gradguard.replay import Replay
from lightning_gradguard.report import Report
from lightning_gradguard.session import Session, Settings

__all__ = ["Outcome", "check", "compare", "loaded", "numbered", "train"]

STEPS = 3
RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"
# Findings that name parameters which are left without a useful gradient.
_JUDGING = ("GG101", "GG102", "GG104", "GG105", "GG106", "GG201", "GG202", "GG203", "GG403")
_WHOLE = ("GG101", "GG102")


@dataclass(slots=True)
class Truth:
    """What backward did: name -> states over the steps, and torch's own error."""

    states: dict[str, list[str]] = field(default_factory=dict)
    error: Exception | None = None
    dead: bool = False

    def named(self, state: str) -> set[str]:
        """Return the parameters that were in one state at every step."""
        return {n for n, seen in self.states.items() if set(seen) == {state}}

    @property
    def nonfinite(self) -> set[str]:
        """Return whose gradient was not finite at the first step where any was not."""
        for step in range(max((len(s) for s in self.states.values()), default=0)):
            found = {n for n, s in self.states.items() if s[step] == "nonfinite"}
            if found:
                return found
        return set()


@dataclass(slots=True)
class Outcome:
    """The comparison for one program.

    Attributes:
        faults: what is wrong, nothing if all is right.
        blamed: findings' parameters with a known line to blame.
        right: those whose finding stands on that line, or points to it as related.
        primary: those whose finding stands on that line.
        off: parameter -> lines said and expected, where they differ.
    """

    faults: list[str] = field(default_factory=list)
    blamed: int = 0
    right: int = 0
    primary: int = 0
    off: dict[str, str] = field(default_factory=dict)
    surprise: str = ""


@contextlib.contextmanager
def loaded(source: str, folder: Path | None = None) -> Iterator[tuple[ModuleType, Path]]:
    """Import a source text from a file of its own, so that its lines exist."""
    with (
        tempfile.TemporaryDirectory() if folder is None else contextlib.nullcontext(folder) as where
    ):
        path = Path(where) / "program.py"
        path.write_text(source)
        spec = importlib.util.spec_from_file_location(f"fuzz_{abs(hash(source))}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        try:
            spec.loader.exec_module(module)
            yield module, path
        finally:
            sys.modules.pop(spec.name, None)


def train(module: ModuleType, session: Session, seed: int = 0) -> Truth:
    """Train the module of a program for a few steps under a session."""
    torch.manual_seed(seed)
    model = module.Model()
    optimizer = model.configure_optimizers()
    truth = Truth({n: [] for n, p in model.named_parameters() if p.requires_grad})
    try:
        for step in range(STEPS):
            session.attach(model, [optimizer], automatic=True, scaled=False)
            _step(model, optimizer, session, step, truth)
        session.finish()
    except (RuntimeError, ArithmeticError, ValueError) as error:
        session.failed(error)
        truth.error = error
    finally:
        torch.set_grad_enabled(True)
    return truth


def _step(model: Any, optimizer: Any, session: Session, step: int, truth: Truth) -> None:
    batch = (torch.randn(4, 3),)
    session.begin_batch(step, batch, Replay(model, (batch, step)))
    loss = model.training_step(batch, step)
    optimizer.zero_grad()
    session.before_backward(loss)
    truth.dead = not loss.requires_grad
    loss.backward()
    session.after_backward()
    params = dict(model.named_parameters())
    for name, seen in truth.states.items():
        seen.append(_state(params[name].grad))
    session.before_step(optimizer)
    optimizer.step()
    session.end_batch()


def _state(grad: Tensor | None) -> str:
    if grad is None:
        return "none"
    if not bool(torch.isfinite(grad).all()):
        return "nonfinite"
    return "alive" if bool((grad != 0).any()) else "zero"


def check(program: Program, seed: int = 0) -> Outcome:
    """Train one program and compare."""
    report = Report()
    session = Session(Settings(), report)
    with warnings.catch_warnings(), loaded(program.source) as (module, _):
        warnings.simplefilter("ignore")
        truth = train(module, session, seed)
        return compare(program.expected, truth, report)


def compare(expected: Expectation, truth: Truth, report: Report) -> Outcome:
    """Compare findings with the truth of autograd, and lines with what the writer knows."""
    outcome = Outcome()
    found = report.diagnostics
    outcome.faults += [f"internal: {d.cause}" for d in found if d.code == "GG901"]
    if truth.error is not None and not truth.dead:
        _compare_refusal(expected, truth, report, outcome)
        return outcome
    outcome.faults += ["false GG108" for d in found if d.code == "GG108"]
    everything = set(truth.states)
    missing = everything if truth.dead else truth.named("none")
    zero = set() if truth.dead else truth.named("zero")
    said = {n for d in found if d.code in _JUDGING for n in d.params}
    broken = {n for d in found if d.code == "GG204" for n in d.params}
    want = missing | zero
    mixed = {n: s for n, s in truth.states.items() if len(set(s)) > 1 and s[-1] in {"none", "zero"}}
    skipped = {n for n, s in mixed.items() if s[-1] == "none" and expected.state[n] == "l"}
    maybe = {n for n, s in mixed.items() if n not in skipped or "alive" not in s}
    if truth.dead and not expected.cut:
        want = said = set()  # a loss of frozen parameters: the finding names those
    if any(d.code in _WHOLE for d in found):
        maybe |= expected.rare  # one step decides, in which they may not have run
    if said - want - maybe:
        outcome.faults.append(f"too many: {sorted(said - want - maybe)}")
    # A value that happens to be zero and is trained itself will not stay so: silence is right.
    heals = {n for n in zero if expected.state[n] == "l"}
    if want - said - heals:
        outcome.faults.append(f"missed: {sorted(want - said - heals)}")
    if broken != truth.nonfinite:
        outcome.faults.append(f"non-finite: said {sorted(broken)}, are {sorted(truth.nonfinite)}")
    _compare_terms(expected, truth, report, outcome)
    _compare_lines(expected, missing, zero, report, outcome)
    return outcome


def _compare_refusal(expected: Expectation, truth: Truth, report: Report, outcome: Outcome) -> None:
    """Compare an error of the backward pass with the operation said to cause it."""
    said = [d for d in report.diagnostics if d.code == "GG108"]
    text = str(truth.error).splitlines()[0]
    if "not implemented" not in text:
        outcome.surprise = text
    elif not said:
        outcome.faults.append(f"missed GG108: {text}")
    else:
        right = any(d.span is not None and d.span.line in expected.refused for d in said)
        outcome.blamed, outcome.primary, outcome.right = 1, int(right), int(right)


def _compare_terms(expected: Expectation, truth: Truth, report: Report, outcome: Outcome) -> None:
    """Compare terms without a gradient; those of lost parameters need no word."""
    said = [d for d in report.diagnostics if d.code == "GG103"]
    lost = truth.named("none") | truth.named("zero")
    terms = [lines for _, lines, _ in expected.dead_terms]
    surely = [names for names, _, cut in expected.dead_terms if cut and not names & lost]
    if said and (not terms or (truth.dead and not any(truth.states.values()))):
        outcome.faults.append(f"false GG103 on line {said[0].span and said[0].span.line}")
    if surely and not said and not truth.dead:
        outcome.faults.append("missed GG103")
    if said and terms:
        lines = set().union(*terms)
        spans = {s.line for d in said for s in (d.span, *d.related) if s is not None}
        outcome.blamed += 1
        outcome.right += bool(lines & spans)
        outcome.primary += bool(lines & spans)
        if not lines & spans:
            outcome.off["term"] = f"GG103 {sorted(spans)} for {sorted(lines)}"


def _compare_lines(
    expected: Expectation, missing: set[str], zero: set[str], report: Report, outcome: Outcome
) -> None:
    if any(d.code in _WHOLE for d in report.diagnostics):
        _compare_loss_line(expected, report, outcome)
        return
    for name in missing | zero:
        if (expected.state[name] == "z") != (name in zero) or expected.state[name] == "l":
            continue
        mine = [d for d in report.diagnostics if d.code in _JUDGING and name in d.params]
        spans = {d.span.line for d in mine if d.span is not None}
        related = {s.line for d in mine for s in d.related}
        lines = expected.lines[name]
        outcome.blamed += 1
        outcome.primary += bool(spans & lines)
        outcome.right += bool((spans | related) & lines)
        if not spans & lines:
            codes = ",".join(d.code for d in mine)
            outcome.off[name] = f"{codes} {sorted(spans)} ({sorted(related)}) for {sorted(lines)}"


def _compare_loss_line(expected: Expectation, report: Report, outcome: Outcome) -> None:
    """Compare where a disconnected loss was cut; one finding stands for all parameters."""
    lines = {line for n in expected.cut - expected.rare for line in expected.lines[n]}
    if not lines:
        return
    finding = next(d for d in report.diagnostics if d.code in _WHOLE)
    said = finding.span.line if finding.span is not None else 0
    related = {s.line for s in finding.related}
    outcome.blamed += 1
    outcome.primary += said in lines
    outcome.right += said in lines or not lines.isdisjoint(related)
    if said not in lines and (finding.code == "GG101" or lines.isdisjoint(related)):
        outcome.off["loss"] = f"{finding.code} {said} ({sorted(related)}) for {sorted(lines)}"


def numbered(number: int) -> Program:
    """Return the program of a number."""
    return write(random.Random(number))  # noqa: S311 - reproducible, not secret


def main(count: int, start: int = 0) -> int:
    """Check many programs by number and print what is wrong; returns how many disagree.

    Where there is a folder for them, the counts are kept in `benchmarks/results/fuzz.json`.
    """
    torch.set_num_threads(1)
    tally: Counter[str] = Counter()
    started = time.perf_counter()
    for seed in range(start, start + count):
        outcome = check(numbered(seed), seed)
        tally["programs"] += 1
        tally["wrong"] += bool(outcome.faults)
        tally["raised"] += bool(outcome.surprise)
        tally["blamed"] += outcome.blamed
        tally["primary"] += outcome.primary
        tally["right"] += outcome.right
        if outcome.faults or outcome.surprise or outcome.off:
            print(seed, outcome.faults, outcome.surprise, outcome.off, flush=True)  # noqa: T201
    seconds = round(time.perf_counter() - started)
    print(dict(tally), f"{seconds} s")  # noqa: T201
    if RESULTS.is_dir():
        facts = dict(tally) | {"first": start, "seconds": seconds}
        (RESULTS / "fuzz.json").write_text(json.dumps(facts, indent=2) + "\n")
    return tally["wrong"]


if __name__ == "__main__":
    sys.exit(bool(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)))
