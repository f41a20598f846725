# SPDX-License-Identifier: Apache-2.0
"""Healthy trainings with one fault put in: is it found, on its line, with exactly its parameters?

Every assignment of the models in `healthy/` is a place for a fault, and each of a few kinds is
tried there. Models of other libraries take their faults through a wrapper around a random layer.
What a fault really costs is read from `.grad` over a few steps, so nothing has to be believed.
"""

import argparse
import contextlib
import importlib.util
import json
import random
import re
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from lightning_gradguard.report import Report
from lightning_gradguard.session import Session, Settings

__all__ = ["FAULTS", "Mutant", "mutants", "outcome"]

HERE = Path(__file__).parent
STEPS = 3
# Kind -> the lines that take the place of `{v} = {e}`; the fault's own ends with `#!`.
FAULTS: Mapping[str, tuple[str, ...]] = {
    "detach": ("{v} = ({e}).detach()  #!",),
    "argmax": (
        "{v} = {e}",
        "{v} = torch.nn.functional.one_hot({v}.argmax(-1), {v}.shape[-1]).float()  #!",
    ),
    "round": ("{v} = torch.round({e})  #!",),
    "no_grad": ("with torch.no_grad():  #!", "    {v} = {e}"),
    "item": ("{v} = {e}", "{v} = torch.full({v}.shape, {v}.mean().item())  #!"),
    "numpy": ("{v} = {e}", "{v} = torch.from_numpy({v}.detach().numpy())  #!"),
    "relabel": ("{v} = ({e}).detach().requires_grad_(True)  #!",),
}
_ASSIGNMENT = re.compile(r"^( +)(\w+) = (.+)$")
_LAYER = re.compile(
    r"^( +)self\.(\w+) = (nn\.(?:Linear|Embedding|GRUCell|Conv2d|Sequential)\(.+\))$"
)
_WRAPPER = """\
import torch
from torch import nn


class Faulty(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, *args):
        h = self.inner(*args)
        return h
"""
_JUDGING = frozenset(
    ["GG101", "GG102", "GG104", "GG105", "GG106", "GG201", "GG202", "GG203", "GG204", "GG403"]
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A source text with one fault, which kind it is, and on which line it stands."""

    model: str
    kind: str
    source: str
    line: int


@dataclass(slots=True)
class Truth:
    """Name -> the states of the gradient over the steps; `dead` for a loss without a graph."""

    states: dict[str, list[str]] = field(default_factory=dict)
    hidden: int = 0
    dead: bool = False
    refused: str = ""

    @property
    def lost(self) -> set[str]:
        """Return the parameters that had no useful gradient at any step."""
        if self.dead:
            return set(self.states)
        return {n for n, seen in self.states.items() if set(seen) in ({"none"}, {"zero"})}

    @property
    def late(self) -> set[str]:
        """Return who lost its gradient on the way: named or not, both are right."""
        return {n for n, s in self.states.items() if s and s[-1] != "alive"} - self.lost

    def fits(self, said: set[str]) -> bool:
        """Say whether exactly the right parameters were named."""
        return self.lost <= said <= self.lost | self.late


# ruff: noqa: ANN401, FBT001, PLR0913, PLR0917 - models, batches and flags come as they are


# -- faults


def mutants(path: Path) -> Iterator[Mutant]:
    """Yield every mutant of one healthy model."""
    lines = path.read_text().splitlines()
    inside = ""
    for number, line in enumerate(lines):
        if line.startswith("    def "):
            inside = line.split()[1].partition("(")[0]
        found = _ASSIGNMENT.match(line)
        if found and inside not in {"__init__", "configure_optimizers"}:
            for kind, template in FAULTS.items():
                yield _mutant(path.stem, kind, lines, number, template)
        if line.startswith("        return loss"):
            yield from _dead_terms(path.stem, lines, number)
        layer = _LAYER.match(line)
        if layer:
            yield from _unregistered(path.stem, lines, number, layer.group(2))


def _mutant(
    model: str, kind: str, lines: list[str], number: int, template: Iterable[str]
) -> Mutant:
    """Put the lines of a template in the place of one line."""
    found = _ASSIGNMENT.match(lines[number])
    assert found is not None  # noqa: S101 - the caller looked
    indent, target, expression = found.groups()
    fresh = [indent + t.format(v=target, e=expression) for t in template]
    blamed = next(i for i, t in enumerate(fresh) if t.endswith("  #!"))
    fresh = [t.removesuffix("  #!") for t in fresh]
    text = "\n".join([*lines[:number], *fresh, *lines[number + 1 :]]) + "\n"
    return Mutant(model, kind, text, number + blamed + 1)


def _dead_terms(model: str, lines: list[str], number: int) -> Iterator[Mutant]:
    """Add a term that counts entries, made of each value of the training step with a gradient."""
    start = max(i for i in range(number) if lines[i].startswith("    def "))
    names = [m.group(2) for i in range(start, number) if (m := _ASSIGNMENT.match(lines[i]))]
    for name in dict.fromkeys(names):
        probe = [*lines[:number], f"        return {name}.float().sum()"]
        if not _has_gradient("\n".join([*probe, *lines[number + 1 :]])):
            continue
        term = f"        loss = loss + 0.1 * ({name} > 0.1).float().mean()"
        text = "\n".join([*lines[:number], term, *lines[number:]]) + "\n"
        yield Mutant(model, "dead term", text, number + 1)


def _has_gradient(source: str) -> bool:
    """Say whether the loss of a program has a graph."""
    with _loaded(source) as (module, _):
        loss = module.Model().training_step(module.batch(), 0)
        return bool(loss.requires_grad)


def _unregistered(model: str, lines: list[str], number: int, name: str) -> Iterator[Mutant]:
    """Keep a layer in a plain list."""
    uses = re.compile(rf"self\.{name}\b(?! =)")
    if not any(uses.search(line) for line in lines):
        return
    fresh = [uses.sub(f"self.{name}[0]", line) for line in lines]
    fresh[number] = re.sub(r"= (.+)$", r"= [\1]", lines[number])
    yield Mutant(model, "unregistered", "\n".join(fresh) + "\n", number + 1)


# -- trainings


@contextlib.contextmanager
def _loaded(source: str) -> Iterator[tuple[ModuleType, Path]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mutant.py"
        path.write_text(source)
        spec = importlib.util.spec_from_file_location("mutant", path)
        assert spec is not None  # noqa: S101
        assert spec.loader is not None  # noqa: S101
        module = importlib.util.module_from_spec(spec)
        sys.modules["mutant"] = module
        try:
            spec.loader.exec_module(module)
            yield module, path
        finally:
            sys.modules.pop("mutant", None)


def _train(model: Any, batch: Callable[[], Any], session: Session) -> Truth:
    """Train a few steps under a session, and note every gradient."""
    optimizer = model.configure_optimizers()
    truth = Truth({n: [] for n, p in model.named_parameters() if p.requires_grad})
    truth.hidden = sum(p.numel() for p in _hidden(model))
    try:
        for step in range(STEPS):
            session.attach(model, [optimizer], automatic=True, scaled=False)
            _step(model, optimizer, session, step, batch(), truth)
        session.finish()
    except Exception as error:
        session.failed(error)
        if not truth.dead:
            raise
    return truth


def _step(
    model: Any,
    optimizer: Any,
    session: Session,
    step: int,
    data: Any,
    truth: Truth,
) -> None:
    session.begin_batch(step, data)
    loss = model.training_step(data, step)
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


def _hidden(model: nn.Module) -> list[nn.Parameter]:
    """Return the parameters of layers in plain lists."""
    lists = [v for m in model.modules() for v in vars(m).values() if isinstance(v, list)]
    layers = [v for found in lists for v in found if isinstance(v, nn.Module)]
    return [p for layer in layers for p in layer.parameters()]


def _state(grad: torch.Tensor | None) -> str:
    if grad is None:
        return "none"
    return "alive" if bool((grad != 0).any()) else "zero"


def outcome(mutant: Mutant) -> Counter[str]:
    """Train one mutant and count what was right."""
    report = Report()
    torch.manual_seed(0)
    with warnings.catch_warnings(), _loaded(mutant.source) as (module, path):
        warnings.simplefilter("ignore")
        try:
            truth = _train(module.Model(), module.batch, Session(Settings(), report))
        except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
            return Counter(refused=1, **{f"refused by {type(error).__name__}": 1})
        return judge(mutant.kind, mutant.line, truth, report, path)


def judge(kind: str, line: int, truth: Truth, report: Report, path: Path) -> Counter[str]:
    """Compare what was said with what the fault has cost."""
    loud = [d for d in report.diagnostics if d.severity != "info"]
    said = {n for d in report.diagnostics if d.code in _JUDGING for n in d.params}
    place = [d.span for d in loud if d.span is not None and Path(d.span.path).name == path.name]
    near = [s for d in loud for s in d.related if Path(s.path).name == path.name]
    on_line = any(s.line == line for s in place)
    by_line = on_line or any(s.line == line for s in near)
    counts = Counter({"tried": 1})
    if kind == "dead term" or (not truth.lost and not truth.hidden):
        return counts + _judge_term(kind, loud, said, truth, on_line, by_line)
    exact = truth.fits(said)
    if truth.hidden:
        found = [d for d in report.diagnostics if d.code == "GG107"]
        loud, exact = found, exact and len({n for d in found for n in d.params}) > 0
    counts["harmful"] = 1
    counts["found"] = bool(loud)
    counts["on the line"] = on_line
    counts["points to the line"] = by_line
    counts["parameters exact"] = exact
    return counts


def _judge_term(
    kind: str,
    loud: list[Any],
    said: set[str],
    truth: Truth,
    on_line: bool,
    by_line: bool,
) -> Counter[str]:
    """Count a fault that leaves every parameter a gradient: a term may be dead."""
    terms = [d for d in loud if d.code == "GG103"]
    counts = Counter({"exact silence": int(truth.fits(said))})
    if kind == "dead term":
        return counts + Counter(
            {
                "harmful": 1,
                "found": int(bool(terms)),
                "on the line": int(on_line),
                "points to the line": int(by_line),
                "parameters exact": int(truth.fits(said)),
            }
        )
    counts["thinned"] = 1
    counts["thinned, told as a dead term"] = int(bool(terms))
    counts["false alarm"] = int(bool([d for d in loud if d.code != "GG103"]))
    return counts


# -- models of other libraries


def _foreign(
    seed: int, kinds: Iterable[str], places: int
) -> Iterator[tuple[str, str, Counter[str]]]:
    """Yield model, kind and counts for faults behind random layers of transformers."""
    sys.path.insert(0, str(HERE.parent / "tests"))
    import foreign

    for name, (make, batch) in foreign.MODELS.items():
        rng = random.Random(seed)  # noqa: S311 - reproducible, not secret
        layers = [n for n, m in make().named_modules() if type(m).__name__ in foreign.LAYERS]
        for layer in rng.sample(layers, min(places, len(layers))):
            for kind in kinds:
                yield name, kind, _foreign_outcome(foreign, name, layer, kind, make, batch)


def _foreign_outcome(
    foreign: ModuleType,
    name: str,
    layer: str,
    kind: str,
    make: Callable[[], Any],
    batch: Any,
) -> Counter[str]:
    """Put a wrapper with a fault around one layer, and train."""
    lines = _WRAPPER.splitlines()
    number = next(i for i, t in enumerate(lines) if t.startswith("        h = "))
    mutant = _mutant(name, kind, lines, number, FAULTS[kind])
    report = Report()
    torch.manual_seed(0)
    with warnings.catch_warnings(), _loaded(mutant.source) as (module, path):
        warnings.simplefilter("ignore")
        model = foreign.Wrapped(make())
        parent = model.model.get_submodule(layer.rpartition(".")[0])
        own = layer.rpartition(".")[2]
        setattr(parent, own, module.Faulty(getattr(parent, own)))
        try:
            truth = _train(model, batch, Session(Settings(), report))
        except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
            return Counter(refused=1, **{f"refused by {type(error).__name__}": 1})
        return judge(kind, mutant.line, truth, report, path)


# -- results


def study(*, foreign: bool, places: int = 8) -> dict[str, dict[str, Counter[str]]]:
    """Try every fault and return origin -> kind -> counts."""
    found: dict[str, dict[str, Counter[str]]] = {"own": {}, "foreign": {}}
    for path in sorted((HERE / "healthy").glob("*.py")):
        for mutant in mutants(path):
            counts = found["own"].setdefault(mutant.kind, Counter())
            result = outcome(mutant)
            counts.update(result)
            _show(mutant.model, mutant.kind, mutant.line, result)
    for name, kind, result in _foreign(0, FAULTS, places) if foreign else ():
        found["foreign"].setdefault(kind, Counter()).update(result)
        _show(name, kind, 0, result)
    return found


def _show(model: str, kind: str, line: int, result: Counter[str]) -> None:
    """Print what was not right."""
    wrong = result["harmful"] and not (result["points to the line"] and result["parameters exact"])
    if wrong or result["false alarm"] or (result["thinned"] and not result["exact silence"]):
        print(model, kind, line, dict(result))


def main() -> None:
    """Run the study and write its numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--foreign", action="store_true", help="also models of transformers")
    parser.add_argument("--places", type=int, default=8, help="layers of each of those")
    parser.add_argument("--page", action="store_true", help="only write the page again")
    options = parser.parse_args()
    if options.page:
        write_page()
        return
    torch.set_num_threads(1)
    found = study(foreign=options.foreign, places=options.places)
    results = HERE / "results" / "mutations.json"
    results.parent.mkdir(exist_ok=True)
    results.write_text(json.dumps(found, indent=2, sort_keys=True) + "\n")
    write_page()


# -- the page

_COLUMNS = ("harmful", "found", "on the line", "parameters exact")
_PAGE = """\
<!-- written by benchmarks/mutations.py -->

# Accuracy

How often the guard is right is measured, not claimed. What a fault costs is read from `.grad`
over three steps of the same training; nothing is taken from what the guard believes.

## One fault in a healthy training

Eight small trainings in `benchmarks/healthy` are healthy: the guard is silent about them. Every
assignment in their forward passes takes every kind of fault in turn, every layer is kept in a
plain list once, and every value of a training step with a gradient is counted into a term. A
fault is *harmful* if it leaves at least one parameter without a gradient, adds a term that trains
nothing, or hides a layer. *On the line* means that the finding itself stands on the line of the
fault. *Exact* means that no parameter more is named and none less.

{own}
{quiet}

## The same behind a layer that nobody here wrote

BERT, GPT-2, T5 and ViT of transformers with random weights; a wrapper with the fault goes around
random layers.

{foreign}
{fuzz}
## What is missed, and why

- **A detached branch beside a live one.** If every parameter keeps a gradient, a stop is taken
  for deliberate, as in a straight-through estimator or a frozen target. The gradient is thinner
  than meant, and nothing is said.
- **A zero by coincidence.** Where a rounded loss happens to have the value at which the gradient
  of a learned weight cancels to exactly zero, that weight is not named beside the others. Sums
  that cancel are normal for biases.
- **Two faults in a row.** Of two operations that both stop a gradient one is named. It may be the
  other one.
- **Experts.** An expert that a hard choice leaves out is said after `patience` steps without
  a gradient, whether or not a later batch would have chosen it.

What came out of operations that torch itself refuses (an index of the wrong type, a call on a
number) is no part of the tables.
"""


def write_page() -> None:
    """Write docs/accuracy.md from the stored results."""
    found = json.loads((HERE / "results" / "mutations.json").read_text())
    page = _PAGE.format(
        own=_table(found["own"]),
        quiet=_quiet(found["own"]),
        foreign=_table(found["foreign"]),
        fuzz=_fuzz(HERE / "results" / "fuzz.json"),
    )
    (HERE.parent / "docs" / "accuracy.md").write_text(page)


def _table(kinds: Mapping[str, Mapping[str, int]]) -> str:
    """Return one row a kind of fault, and their sum."""
    rows = ["| fault | " + " | ".join(_COLUMNS) + " |", "|---|" + "---:|" * len(_COLUMNS)]
    total: Counter[str] = Counter()
    for kind, counts in kinds.items():
        total.update(counts)
        rows.append(f"| {kind} | " + " | ".join(str(counts.get(c, 0)) for c in _COLUMNS) + " |")
    rows.append("| **all** | " + " | ".join(f"**{total[c]}**" for c in _COLUMNS) + " |")
    return "\n".join(rows)


def _quiet(kinds: Mapping[str, Mapping[str, int]]) -> str:
    """Return what was said of faults that leave every parameter a gradient."""
    total: Counter[str] = Counter()
    for counts in kinds.values():
        total.update(counts)
    return (
        f"\nAnother {total['thinned']} faults leave every parameter some gradient. Of these, "
        f"{total['thinned, told as a dead term']} are said as a term without a gradient (GG103), "
        f"the others are silent; a parameter was named wrongly in {total['false alarm']}."
    )


def _fuzz(path: Path) -> str:
    """Return what random programs have shown, where that was stored."""
    if not path.is_file():
        return ""
    facts = json.loads(path.read_text())
    share = 100 * facts["primary"] / max(facts["blamed"], 1)
    return (
        "\n## Random programs\n\n"
        "`make fuzz` writes trainings at random and compares with autograd. "
        f"Of {facts['programs']:,} programs,\nguard and autograd disagreed about "
        f"the parameters or terms of {facts['wrong']:,}. Of {facts['blamed']:,} verdicts\n"
        f"whose line the writer of the program knows, {share:.2f} % stand on it.\n"
    )


if __name__ == "__main__":
    main()
