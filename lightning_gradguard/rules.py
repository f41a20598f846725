# SPDX-License-Identifier: Apache-2.0
"""The rule registry, from a rule's code to its text and examples, and the record of one finding.

Everything a rule says about itself stands once, in `_RULES`; the documentation pages, the output of
`gradguard explain` and the metadata in SARIF files are drawn from it. The examples are complete
programs, so that a test can run them and hold every rule to its word.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from enum import StrEnum
from textwrap import dedent
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from lightning_gradguard.source import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_AUTOGRAD = "https://docs.pytorch.org/docs/stable/notes/autograd.html"
_DDP = "https://docs.pytorch.org/docs/stable/notes/ddp.html"


class Severity(StrEnum):
    """How bad a finding is; equal to its lower-case name.

    Example:
        >>> Severity.ERROR == "error", Severity.INFO.rank < Severity.WARNING.rank
        (True, True)
    """

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """Place in the order info 0, warning 1, error 2."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What one rule says, why, and two programs that show it.

    Attributes:
        code: `GG` and three digits, the first of which is the block; never reused.
        name: the bad pattern in kebab-case.
        message: headline with named slots in braces, filled in when a finding is made.
        severity: the usual level; a finding may carry a lower one where `limits` says so.
        since: first version with this rule.
        removed: version that retired it, `None` while it is in force.
        what: one sentence.
        why: what a user would observe.
        bad: program that leads to exactly this code; `""` where none can.
        good: the repaired program, which leads to no finding.
        limits: known misses and known false alarms.
        sources: where the mechanism is described.
    """

    code: str
    name: str
    message: str
    severity: Severity
    since: str = "0.1"
    removed: str | None = None
    what: str
    why: str
    bad: str
    good: str
    limits: str = ""
    sources: tuple[str, ...] = ()

    def to_markdown(self) -> str:
        """Draw the page of this rule, ending in one newline."""
        parts = [f"# {self.code} {self.name}", self._status(), f"> {self.message}", self.what]
        parts += ["## Why it matters", self.why]
        parts += _code_section("Example", self.bad) + _code_section("Instead", self.good)
        if self.limits:
            parts += ["## Known limits", self.limits]
        if self.sources:
            parts += ["## Sources", "\n".join(f"- <{source}>" for source in self.sources)]
        return "\n\n".join(parts) + "\n"

    def _status(self) -> str:
        status = f"Level: {self.severity}. Since version {self.since}."
        return f"{status} Removed in version {self.removed}." if self.removed else status


def _code_section(title: str, code: str) -> list[str]:
    return [f"## {title}", f"```python\n{code.rstrip()}\n```"] if code else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One finding: which rule, where, with what cause, and which parameters it costs.

    Attributes:
        code: code of the rule.
        name: name of the rule.
        severity: level of this finding.
        message: the headline, lower case, without the repair.
        span: the operation or statement to change, `None` where no line is to blame.
        related: further places, such as where a gradient was lost.
        op: public name of the operation, such as `torch.Tensor.argmax`.
        cause: the mechanism, with shapes and types.
        evidence: numbers of this run.
        effect: what will happen next.
        help: one action; lines that start with four spaces are code.
        params: exactly the parameters left without a useful gradient, under the user's names.
        ranks: the ranks concerned, `None` for all.
        step: global step at which it was found.
        metric: torchmetrics class or call that was recognised.
        params_total: number of trainable parameters.
        values: number of values in `params`.
        values_total: number of values in all trainable parameters.
    """

    code: str
    name: str
    severity: Severity
    message: str
    span: Span | None
    related: tuple[Span, ...] = ()
    op: str | None = None
    cause: str = ""
    evidence: str = ""
    effect: str = ""
    help: str = ""
    params: tuple[str, ...] = ()
    ranks: tuple[int, ...] | None = None
    step: int = 0
    metric: str | None = None
    params_total: int = 0
    values: int = 0
    values_total: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Give the fields as JSON-ready values; `from_dict` reads them back."""
        record = asdict(self)
        record["severity"] = str(self.severity)
        record["related"] = list(record["related"])
        record["params"] = list(self.params)
        record["ranks"] = None if self.ranks is None else list(self.ranks)
        return record

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Diagnostic:
        """Read what `to_dict` gave; unknown keys, written by a later version, are left out."""
        known = {field.name for field in fields(cls)}
        values = {key: value for key, value in record.items() if key in known}
        values["severity"] = Severity(record["severity"])
        values["span"] = _span_from(record["span"])
        values["related"] = tuple(filter(None, map(_span_from, record["related"])))
        values["params"] = tuple(record["params"])
        values["ranks"] = None if record["ranks"] is None else tuple(record["ranks"])
        return cls(**values)

    def concise(self) -> str:
        """Give the finding on one line, as compilers do."""
        place = f"{self.span.path}:{self.span.line}:{self.span.column}: " if self.span else ""
        return f"{place}{self.severity}[{self.code}] {self.message}"


def _span_from(record: Mapping[str, Any] | None) -> Span | None:
    if record is None:
        return None
    known = {field.name for field in fields(Span)}
    return Span(**{key: value for key, value in record.items() if key in known})


def explain(code: str) -> str:
    """Give the page of a rule.

    Args:
        code: code or name, in any case.

    Raises:
        ValueError: there is no such rule; the message lists the ones there are.

    Example:
        >>> explain("gg103").splitlines()[0]
        '# GG103 constant-loss-terms'
    """
    wanted = code.strip().lower()
    for rule in RULES.values():
        if wanted in (rule.code.lower(), rule.name):
            return rule.to_markdown()
    names = {rule.name: rule.code for rule in RULES.values()}
    near = get_close_matches(wanted, names, n=1)
    known = ", ".join(f"{code} {name}" for name, code in names.items())
    hint = f"did you mean {names[near[0]]} {near[0]}?" if near else f"there are: {known}"
    msg = f"expected the code or the name of a rule, got {code!r}; {hint}"
    raise ValueError(msg)


def matching(prefixes: Iterable[str]) -> frozenset[str]:
    """Expand rule codes and prefixes of codes into the codes they stand for.

    Args:
        prefixes: such as `("GG1", "GG204")`; each must stand for at least one rule.

    Raises:
        ValueError: one of them stands for no rule, or a single string came instead of several.

    Example:
        >>> sorted(matching(["GG3", "GG101"]))
        ['GG101', 'GG301', 'GG302']
    """
    if isinstance(prefixes, str):
        msg = f"expected several rule codes or prefixes, got one string: write ({prefixes!r},)"
        raise ValueError(msg)  # noqa: TRY004  # every bad selection is a ValueError to the caller
    return frozenset(code for prefix in prefixes for code in _expand(prefix))


def _expand(prefix: str) -> list[str]:
    codes = [code for code in RULES if prefix.startswith("GG") and code.startswith(prefix)]
    if not codes:
        msg = f"expected a rule code or a prefix of one, got {prefix!r}; {_allowed(prefix)}"
        raise ValueError(msg)
    return codes


def _allowed(text: str) -> str:
    """Name the code that a text which is none stands for, or else all that there are."""
    code = next((rule.code for rule in RULES.values() if rule.name == text), text.upper())
    if code in RULES:
        return f"did you mean {code}?"
    return f"allowed: {', '.join(['GG', *sorted({code[:3] for code in RULES}), *RULES])}"


_IMPORTS = """\
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
"""

_REGRESSION = """\
def dataloader():
    random = torch.Generator().manual_seed(1)
    x, y = torch.randn(12, 4, generator=random), torch.randn(12, 1, generator=random)
    return DataLoader(TensorDataset(x, y), batch_size=4)
"""

_CLASSES = """\
def dataloader():
    random = torch.Generator().manual_seed(1)
    x, y = torch.randn(12, 4, generator=random), torch.randint(0, 3, (12,), generator=random)
    return DataLoader(TensorDataset(x, y), batch_size=4)
"""

_SEQUENCES = """\
def dataloader():
    random = torch.Generator().manual_seed(1)
    x, y = torch.randn(12, 6, 4, generator=random), torch.randn(12, 1, generator=random)
    return DataLoader(TensorDataset(x, y), batch_size=4)
"""


def _program(model: str, data: str, *, imports: str = "") -> str:
    """Put an example together: imports, the model, and the loader that feeds it."""
    return "\n\n".join([_IMPORTS + imports, dedent(model).strip() + "\n", data])


_RULES = (
    Rule(
        code="GG101",
        name="non-differentiable-loss",
        message="the loss is not connected to any trainable parameter",
        severity=Severity.ERROR,
        what=(
            "Values flow from the parameters into the loss, but an operation on the way, which the "
            "finding names, gives a result that carries no gradient."
        ),
        why=(
            "`backward()` raises that element 0 of tensors does not require grad, and says neither "
            "where the gradient was lost nor what to do about it."
        ),
        bad=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.net = nn.Linear(4, 3)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    grade = self.net(x).argmax(dim=1)
                    return F.smooth_l1_loss(grade.float(), y.float())

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _CLASSES,
        ),
        good=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.net = nn.Linear(4, 3)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    share = torch.softmax(self.net(x), dim=1)
                    grade = (share * torch.arange(3.0, device=self.device)).sum(dim=1)
                    return F.smooth_l1_loss(grade, y.float())

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _CLASSES,
        ),
        limits=(
            "A loss into which no parameter flows at all, such as a constant, is reported without "
            "an operation. Calls made inside compiled regions and C++ extensions are not seen; the "
            "finding then names the first visible operation behind them."
        ),
        sources=(_AUTOGRAD,),
    ),
    Rule(
        code="GG102",
        name="relabelled-loss",
        message="`{op}` hides a cut graph, no parameter will be trained",
        severity=Severity.ERROR,
        what=(
            "The loss was cut off from the parameters and then declared to require a gradient, "
            "which makes it a new leaf and reconnects nothing."
        ),
        why=(
            "`backward()` no longer raises, every parameter keeps `grad = None`, and the optimizer "
            "skips parameters without a gradient. The run goes through and learns nothing."
        ),
        bad=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.mean = nn.Linear(4, 1)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    error = F.mse_loss(self.mean(x), y)
                    size = self.mean.weight.abs().sum()
                    return torch.tensor(error.item() + 0.01 * size.item(), requires_grad=True)

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        good=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.mean = nn.Linear(4, 1)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    error = F.mse_loss(self.mean(x), y)
                    size = self.mean.weight.abs().sum()
                    return error + 0.01 * size

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        limits=(
            "A tensor that requires a gradient on purpose, such as the input of a gradient "
            "penalty, is no finding as long as the loss reaches a parameter."
        ),
        sources=(_AUTOGRAD,),
    ),
    Rule(
        code="GG103",
        name="constant-loss-terms",
        message="one term of the loss cannot change any parameter",
        severity=Severity.WARNING,
        what=(
            "A term of the loss is computed from the parameters, but only through an operation "
            "that carries no gradient, while another term trains the model."
        ),
        why=(
            "Training works and the logged loss contains the term, so it looks as if it were "
            "being minimised; to the parameters it is a constant, whatever its weight."
        ),
        bad=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.net = nn.Linear(4, 1)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    score = self.net(x)
                    alarms = (score > 0).float().mean()
                    return F.binary_cross_entropy_with_logits(score, (y > 0).float()) + 0.5 * alarms

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        good=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.net = nn.Linear(4, 1)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    score = self.net(x)
                    alarms = torch.sigmoid(score).mean()
                    return F.binary_cross_entropy_with_logits(score, (y > 0).float()) + 0.5 * alarms

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        limits=(
            "Constants that do not depend on a parameter are never reported. A term that was "
            "detached to show its value only, such as `loss - loss.detach() + value`, is an idiom "
            "and stays silent."
        ),
        sources=(_AUTOGRAD,),
    ),
    Rule(
        code="GG104",
        name="cut-parameters",
        message="`{op}` cuts {parameters} off from the loss",
        severity=Severity.ERROR,
        what=(
            "All paths from these parameters to the loss lead through an operation that carries "
            "no gradient; the rest of the model is trained."
        ),
        why=(
            "The loss falls, because the other parameters learn, while this part of the model "
            "stays at its initial values for the whole run."
        ),
        bad=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.router = nn.Linear(4, 3)
                    self.codes = nn.Embedding(3, 5)
                    self.head = nn.Linear(5, 1)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    choice = self.router(x).argmax(dim=1)
                    return F.mse_loss(self.head(self.codes(choice)), y)

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        good=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.router = nn.Linear(4, 3)
                    self.codes = nn.Embedding(3, 5)
                    self.head = nn.Linear(5, 1)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    share = torch.softmax(self.router(x), dim=1)
                    return F.mse_loss(self.head(share @ self.codes.weight), y)

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        limits=(
            "`detach`, `.data` and `no_grad` are often meant: they lead to a warning, only for "
            "parameters that nothing else trains, and only after the patience is used up. "
            "Straight-through estimators are recognised and silent."
        ),
        sources=(_AUTOGRAD,),
    ),
    Rule(
        code="GG105",
        name="values-left-torch",
        message="a value left torch at `{op}` and came back without its gradient",
        severity=Severity.ERROR,
        what=(
            "A tensor was turned into a Python number, a list or an array, or copied by "
            "`torch.tensor`, and the result was used in the loss."
        ),
        why=(
            "The numbers are right and their history is gone: whatever produced the value "
            "receives no gradient through it."
        ),
        bad=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.scale = nn.Linear(4, 1)
                    self.head = nn.Linear(4, 1)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    scale = [1.0 + value for value in self.scale(x).flatten().tolist()]
                    factor = torch.tensor(scale, device=self.device).unsqueeze(1)
                    return F.mse_loss(factor * self.head(x), y)

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        good=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.scale = nn.Linear(4, 1)
                    self.head = nn.Linear(4, 1)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    factor = 1.0 + self.scale(x)
                    return F.mse_loss(factor * self.head(x), y)

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        limits=(
            "What happens outside torch is not recorded. Where the value cannot be followed "
            "back, the finding points at the nearest place in the same step at which a value "
            "with a gradient left torch."
        ),
        sources=("https://docs.pytorch.org/docs/stable/generated/torch.tensor.html",),
    ),
    Rule(
        code="GG106",
        name="unused-parameters",
        message="no gradient reaches {parameters}",
        severity=Severity.WARNING,
        what=(
            "The optimizer holds parameters that no operation of the step used, or whose results "
            "reached no loss."
        ),
        why=(
            "They keep their initial values, and are saved, counted and synchronised all the same. "
            "Under DDP with `find_unused_parameters=False` the next step raises, which makes this "
            "finding an error there."
        ),
        bad=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.body = nn.Linear(4, 8)
                    self.price = nn.Linear(8, 1)
                    self.volume = nn.Linear(8, 1)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    return F.mse_loss(self.price(torch.tanh(self.body(x))), y)

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        good=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.body = nn.Linear(4, 8)
                    self.price = nn.Linear(8, 1)
                    self.volume = nn.Linear(8, 1).requires_grad_(False)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    return F.mse_loss(self.price(torch.tanh(self.body(x))), y)

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        limits=(
            "Reported after the patience, or at the end of the fit if that comes first: "
            "parameters used in some batches only are healthy. A part that is used less often than "
            "the patience lasts is reported too early; raise `patience` or list it in "
            "`ignore_params`. Layers that an installed package builds and never calls are info."
        ),
        sources=(_DDP,),
    ),
    Rule(
        code="GG107",
        name="unregistered-parameters",
        message="`{name}` is used in the loss but is not registered with the module",
        severity=Severity.ERROR,
        what=(
            "A tensor that requires a gradient and receives one is no parameter of the module: it "
            "sits in a plain list or dict, or is made anew inside the step."
        ),
        why=(
            "`self.parameters()` does not contain it, so the optimizer never updates it, it does "
            "not move to the device with the module, and checkpoints lack it."
        ),
        bad=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.experts = [nn.Linear(4, 4) for _ in range(2)]
                    self.head = nn.Linear(4, 1)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    mixed = sum(torch.tanh(expert(x)) for expert in self.experts)
                    return F.mse_loss(self.head(mixed), y)

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        good=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.experts = nn.ModuleList(nn.Linear(4, 4) for _ in range(2))
                    self.head = nn.Linear(4, 1)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    mixed = sum(torch.tanh(expert(x)) for expert in self.experts)
                    return F.mse_loss(self.head(mixed), y)

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        limits=(
            "A leaf that the user hands to an optimizer directly, or whose gradient the step asks "
            "for with `torch.autograd.grad`, is meant to be outside the module and is silent."
        ),
        sources=("https://docs.pytorch.org/docs/stable/generated/torch.nn.ModuleList.html",),
    ),
    Rule(
        code="GG108",
        name="undifferentiable-ops",
        message="torch has no derivative for `{op}`",
        severity=Severity.ERROR,
        what=(
            "An operation on the way from the parameters to the loss records itself in the graph "
            "but has no backward formula."
        ),
        why=(
            "`backward()` raises that a derivative is not implemented and names an internal "
            "operator, not the line that called it."
        ),
        bad=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.current = nn.Linear(4, 8)
                    self.readout = nn.Linear(8, 1)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    membrane = self.current(x)
                    spikes = torch.heaviside(membrane, torch.zeros_like(membrane))
                    return F.mse_loss(self.readout(spikes), y)

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        good=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.current = nn.Linear(4, 8)
                    self.readout = nn.Linear(8, 1)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    membrane = self.current(x)
                    spikes = torch.sigmoid(4 * membrane)
                    return F.mse_loss(self.readout(spikes), y)

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        limits=(
            "Which operations lack a derivative depends on the version of torch and on the "
            "device. Operations of other packages are named only when torch itself has raised."
        ),
        sources=("https://docs.pytorch.org/docs/stable/generated/torch.heaviside.html",),
    ),
    Rule(
        code="GG109",
        name="overwritten-values",
        message="`{op}` overwrites a value that the backward pass needs",
        severity=Severity.ERROR,
        what=(
            "A tensor that an operation keeps for its derivative is changed in place before "
            "`backward()`."
        ),
        why=(
            "`backward()` raises that a variable was modified by an in-place operation and names a "
            "shape and a version number, not the line that wrote."
        ),
        bad=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.gate = nn.Linear(4, 4)
                    self.out = nn.Linear(4, 1)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    gate = torch.sigmoid(self.gate(x))
                    gate *= 0.9
                    return F.mse_loss(self.out(gate * x), y)

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        good=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.gate = nn.Linear(4, 4)
                    self.out = nn.Linear(4, 1)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    gate = torch.sigmoid(self.gate(x))
                    gate = gate * 0.9
                    return F.mse_loss(self.out(gate * x), y)

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        limits=(
            "Said after torch has raised, and only for a step that was traced. Where several "
            "in-place calls write to tensors of the same shape, the first that fits is named."
        ),
        sources=(_AUTOGRAD,),
    ),
    Rule(
        code="GG110",
        name="kept-graphs",
        message="{what} carries the graph of an earlier step into this one",
        severity=Severity.ERROR,
        what=(
            "A value that is kept on the module between steps still holds the graph it was made in."
        ),
        why=(
            "The second `backward()` raises that the graph is gone through a second time; with "
            "`retain_graph=True` memory grows with every step instead."
        ),
        bad=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.cell = nn.GRUCell(4, 4)
                    self.out = nn.Linear(4, 1)
                    self.state = torch.zeros(4, 4)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    self.state = self.cell(x, self.state)
                    return F.mse_loss(self.out(self.state), y)

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        good=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.cell = nn.GRUCell(4, 4)
                    self.out = nn.Linear(4, 1)
                    self.state = torch.zeros(4, 4)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    state = self.cell(x, self.state)
                    self.state = state.detach()
                    return F.mse_loss(self.out(state), y)

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        limits=(
            "Said after torch has raised. A value kept outside of the module, in a global or a "
            "closure, is named by the operation that made it, if its step was traced."
        ),
        sources=(_AUTOGRAD,),
    ),
    Rule(
        code="GG111",
        name="refused-backwards",
        message="torch refuses the backward pass: {what}",
        severity=Severity.ERROR,
        what=(
            "The loss, or a custom function on the way to it, is such that torch cannot run its "
            "backward pass."
        ),
        why=(
            "`backward()` raises from inside of the framework; the text names neither the line "
            "that made the loss nor the line of the function."
        ),
        bad=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.net = nn.Linear(4, 1)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    return F.mse_loss(self.net(x), y, reduction="none")

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        good=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.net = nn.Linear(4, 1)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    return F.mse_loss(self.net(x), y, reduction="none").mean()

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        limits=(
            "Said after torch has raised. Where the text of the error does not tell, the operation "
            "is the one whose derivative had its turn; running out of memory is left alone."
        ),
        sources=(_AUTOGRAD,),
    ),
    Rule(
        code="GG201",
        name="constant-outputs",
        message="the gradient of `{name}` is exactly zero, by construction",
        severity=Severity.ERROR,
        what=(
            "An operation returns the same value whatever it is given, such as softmax over a "
            "dimension with one entry or a loss between a tensor and itself."
        ),
        why=(
            "Gradients exist and are all zero, so no check for missing gradients fires, and the "
            "parameters in front of the operation never move."
        ),
        bad=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.score = nn.Linear(4, 1)
                    self.head = nn.Linear(4, 1)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    attention = F.softmax(self.score(x), dim=2)
                    return F.mse_loss(self.head((attention * x).sum(dim=1)), y)

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _SEQUENCES,
        ),
        good=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.score = nn.Linear(4, 1, bias=False)
                    self.head = nn.Linear(4, 1)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    attention = F.softmax(self.score(x), dim=1)
                    return F.mse_loss(self.head((attention * x).sum(dim=1)), y)

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _SEQUENCES,
        ),
        limits=(
            "Only exact zeros count. A gradient that is zero on paper and rounding noise in "
            "floating point, such as that of a bias in front of a softmax or a normalisation, is "
            "not reported."
        ),
        sources=(
            "https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.softmax.html",
        ),
    ),
    Rule(
        code="GG202",
        name="zero-derivative-ops",
        message="the derivative of `{op}` is zero everywhere",
        severity=Severity.ERROR,
        what=(
            "The only path from these parameters to the loss leads through a step function or a "
            "random draw, whose derivative torch defines as zero."
        ),
        why=(
            "`round`, `floor`, `sign`, `bernoulli` and their like keep the graph and pass zeros "
            "back: nothing raises, no gradient is missing, and the parameters never move."
        ),
        bad=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.encoder = nn.Linear(4, 6)
                    self.decoder = nn.Linear(6, 1)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    code = self.encoder(x)
                    return F.mse_loss(self.decoder(torch.round(8 * code) / 8), y)

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        good=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.encoder = nn.Linear(4, 6)
                    self.decoder = nn.Linear(6, 1)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    code = self.encoder(x)
                    code = code + (torch.round(8 * code) / 8 - code).detach()
                    return F.mse_loss(self.decoder(code), y)

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        limits=(
            "Silent where another path with a derivative leads to the same parameters. Step "
            "functions written as a custom `autograd.Function` are judged by the gradients they "
            "return, not by their name."
        ),
        sources=("https://arxiv.org/abs/1308.3432", "https://arxiv.org/abs/1312.6114"),
    ),
    Rule(
        code="GG203",
        name="silent-parameters",
        message="the gradient of {parameters} was exactly zero in {steps}",
        severity=Severity.WARNING,
        what=(
            "Parameters are connected to the loss, but every value of their gradient was zero "
            "in every step looked at."
        ),
        why=(
            "Saturation, dead units, a clamp out of its range or a factor of zero stop training "
            "of a part of the model, and nothing else shows it."
        ),
        bad=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.net = nn.Linear(4, 3)
                    self.sharpness = nn.Parameter(torch.tensor(5.0))

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    factor = self.sharpness.clamp(max=4.0).exp()
                    return F.cross_entropy(factor * F.normalize(self.net(x), dim=1), y)

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.001)
            """,
            _CLASSES,
        ),
        good=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.net = nn.Linear(4, 3)
                    self.sharpness = nn.Parameter(torch.tensor(1.0))

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    factor = self.sharpness.clamp(max=4.0).exp()
                    return F.cross_entropy(factor * F.normalize(self.net(x), dim=1), y)

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.001)
            """,
            _CLASSES,
        ),
        limits=(
            "Reported after the patience, or at the end of the fit if that comes first. Zeros that "
            "heal by themselves, such as those behind a branch initialised with zeros, and batches "
            "that say nothing, such as an expert without tokens, do not count. A schedule that "
            "keeps a loss weight at zero for longer than the patience is reported. Where the cause "
            "lies wholly inside an installed package, the finding is info."
        ),
        sources=("https://docs.pytorch.org/docs/stable/generated/torch.clamp.html",),
    ),
    Rule(
        code="GG204",
        name="non-finite-gradients",
        message="{subject} is not finite",
        severity=Severity.ERROR,
        what=(
            "A gradient holds NaN or infinity; the finding names the operation in which the first "
            "such value appeared during the backward pass."
        ),
        why=(
            "The next optimizer step makes the parameters NaN, and from then on every output, "
            "although the loss of the failing step may still be finite."
        ),
        bad=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.embed = nn.Linear(4, 2, bias=False)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    z = self.embed(x)
                    distance = (z[:, None] - z[None]).square().sum(dim=2).sqrt()
                    return F.mse_loss(distance, (y - y.T).abs())

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        good=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.embed = nn.Linear(4, 2, bias=False)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    z = self.embed(x)
                    distance = ((z[:, None] - z[None]).square().sum(dim=2) + 1e-6).sqrt()
                    return F.mse_loss(distance, (y - y.T).abs())

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        limits=(
            "With 16-bit gradient scaling infinite gradients are part of finding the scale and "
            "count only after the patience. The operation is known only for a step that was "
            "traced; in strict mode the failing batch is run once more with the trace on."
        ),
        sources=("https://docs.pytorch.org/docs/stable/generated/torch.sqrt.html",),
    ),
    Rule(
        code="GG301",
        name="rank-divergent-parameters",
        message="a gradient reaches {parameters} on {some} but not on {others}",
        severity=Severity.ERROR,
        what=(
            "In one and the same step the loss depends on these parameters on some ranks and does "
            "not on others."
        ),
        why=(
            "DDP waits for gradients that never come, or, with `find_unused_parameters=True`, "
            "counts the missing ranks as zero and divides by their number as well, so the "
            "gradients shrink in silence."
        ),
        bad=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.main = nn.Linear(4, 1)
                    self.extra = nn.Linear(4, 1)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    loss = F.mse_loss(self.main(x), y)
                    if self.global_rank == 0:
                        loss = loss + F.mse_loss(self.extra(x), y)
                    return loss

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        good=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.main = nn.Linear(4, 1)
                    self.extra = nn.Linear(4, 1)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    weight = 1.0 if self.global_rank == 0 else 0.0
                    extra = F.mse_loss(self.extra(x), y)
                    return F.mse_loss(self.main(x), y) + weight * extra

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        limits=(
            "Needs at least 2 ranks; the example is silent on one. Not checked where a strategy "
            "spreads parameters over ranks so that the graph of one rank shows only its own part; "
            "the report says so."
        ),
        sources=(_DDP,),
    ),
    Rule(
        code="GG302",
        name="rank-divergent-losses",
        message="the loss is connected to the parameters on {some} but not on {others}",
        severity=Severity.ERROR,
        what="The loss has a path to parameters on some ranks and none to any on at least one.",
        why=(
            "One rank raises in `backward()` or skips it, and the others wait for it in the "
            "gradient exchange until the time limit ends the job, 30 minutes by default."
        ),
        bad=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.net = nn.Linear(4, 1)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    if self.global_rank == 1:
                        return torch.zeros((), device=self.device, requires_grad=True)
                    return F.mse_loss(self.net(x), y)

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        good=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.net = nn.Linear(4, 1)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    weight = 0.0 if self.global_rank == 1 else 1.0
                    return weight * F.mse_loss(self.net(x), y)

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        limits=(
            "Needs at least 2 ranks; the example is silent on one. A rank that returns `None` "
            "is ended by Lightning with an error of its own, which the other ranks are told."
        ),
        sources=(_DDP,),
    ),
    Rule(
        code="GG401",
        name="unoptimized-parameters",
        message="no optimizer updates {parameters}",
        severity=Severity.WARNING,
        what="Parameters require a gradient and receive one, but no optimizer holds them.",
        why=(
            "Time and memory are spent on gradients that change nothing, and a part of the model "
            "that looks trainable keeps its initial values."
        ),
        bad=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.features = nn.Linear(4, 8)
                    self.head = nn.Linear(8, 1)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    return F.mse_loss(self.head(torch.tanh(self.features(x))), y)

                def configure_optimizers(self):
                    return torch.optim.SGD(self.head.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        good=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.features = nn.Linear(4, 8).requires_grad_(False)
                    self.head = nn.Linear(8, 1)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    return F.mse_loss(self.head(torch.tanh(self.features(x))), y)

                def configure_optimizers(self):
                    return torch.optim.SGD(self.head.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        limits=(
            "Parameters that a later stage adds with `add_param_group` are reported while they "
            "wait for it unless they are frozen until then. Updates written by hand, without an "
            "optimizer, are not seen."
        ),
        sources=("https://docs.pytorch.org/docs/stable/optim.html",),
    ),
    Rule(
        code="GG402",
        name="stale-optimizer-parameters",
        message="an optimizer holds {tensors} that the module no longer has",
        severity=Severity.ERROR,
        what=(
            "A layer or a parameter was replaced after the optimizer had been built, so that the "
            "optimizer still holds the old tensors."
        ),
        why=(
            "The new tensors are used and never updated, the old ones are updated and never used; "
            "the loss stops falling at the level that the rest of the model can reach."
        ),
        bad=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.body = nn.Linear(4, 8)
                    self.head = nn.Linear(8, 3)

                def on_train_start(self):
                    self.head = nn.Linear(8, 1, device=self.device)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    return F.mse_loss(self.head(torch.tanh(self.body(x))), y)

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        good=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.body = nn.Linear(4, 8)
                    self.head = nn.Linear(8, 3)

                def setup(self, stage):
                    self.head = nn.Linear(8, 1)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    return F.mse_loss(self.head(torch.tanh(self.body(x))), y)

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        limits=(
            "Tensors that were never parameters of the module, such as a leaf optimised on "
            "purpose, are no finding. Strategies that give the optimizer flattened copies of the "
            "parameters are not checked; the report says so."
        ),
        sources=("https://docs.pytorch.org/docs/stable/optim.html",),
    ),
    Rule(
        code="GG403",
        name="unchanged-parameters",
        message="the optimizer step does not change {parameters}",
        severity=Severity.WARNING,
        what=(
            "Gradients are there and not zero, the optimizer steps, and the parameters keep their "
            "values bit by bit."
        ),
        why=(
            "A learning rate of zero, gradients cleared between `backward()` and the step, or a "
            "step that is skipped every time: every gradient check passes and nothing is learned."
        ),
        bad=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.net = nn.Linear(4, 1)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    return F.mse_loss(self.net(x), y)

                def configure_optimizers(self):
                    warmup = self.trainer.current_epoch / 5
                    return torch.optim.SGD(self.parameters(), lr=0.1 * warmup)
            """,
            _REGRESSION,
        ),
        good=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.net = nn.Linear(4, 1)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    return F.mse_loss(self.net(x), y)

                def configure_optimizers(self):
                    optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
                    warmup = torch.optim.lr_scheduler.LinearLR(optimizer, 0.2, total_iters=5)
                    return {"optimizer": optimizer, "lr_scheduler": warmup}
            """,
            _REGRESSION,
        ),
        limits=(
            "An update smaller than the spacing of floating point numbers at the parameter's value "
            "counts as none. A warm-up whose rate stays at zero for longer than the patience is "
            "reported."
        ),
        sources=("https://docs.pytorch.org/docs/stable/optim.html",),
    ),
    Rule(
        code="GG501",
        name="metrics-in-loss",
        message="the loss contains the metric `{metric}`, which cannot be trained on",
        severity=Severity.INFO,
        what=(
            "The operation that lost the gradient is part of a known metric, for which "
            "torchmetrics has a class."
        ),
        why=(
            "A metric counts decisions, and counts do not change when a parameter moves a little; "
            "its place is the log, next to a loss that can be differentiated."
        ),
        bad=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.net = nn.Linear(4, 3)
                    self.accuracy = MulticlassAccuracy(num_classes=3)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    return 1.0 - self.accuracy(self.net(x), y)

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _CLASSES,
            imports="from torchmetrics.classification import MulticlassAccuracy\n",
        ),
        good=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.net = nn.Linear(4, 3)
                    self.accuracy = MulticlassAccuracy(num_classes=3)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    logits = self.net(x)
                    self.accuracy(logits, y)
                    self.log("accuracy", self.accuracy, on_step=False, on_epoch=True)
                    return F.cross_entropy(logits, y)

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _CLASSES,
            imports="from torchmetrics.classification import MulticlassAccuracy\n",
        ),
        limits=(
            "The level is that of the finding it belongs to, GG101 to GG104, which names the "
            "operation and carries the metric. Metrics written in an unusual way are "
            "reported without a name."
        ),
        sources=("https://lightning.ai/docs/torchmetrics/stable/pages/overview.html",),
    ),
    Rule(
        code="GG901",
        name="unchecked",
        message="{what} could not be checked",
        severity=Severity.INFO,
        what="A part of the training lies outside what GradGuard can see; the finding says which.",
        why=("Without this note, silence about that part would read as a clean bill of health."),
        bad=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.automatic_optimization = False
                    self.net = nn.Linear(4, 1)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    optimizer = self.optimizers(use_pl_optimizer=False)
                    optimizer.zero_grad()
                    F.mse_loss(self.net(x), y).backward()
                    optimizer.step()

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        good=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.automatic_optimization = False
                    self.net = nn.Linear(4, 1)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    optimizer = self.optimizers()
                    optimizer.zero_grad()
                    self.manual_backward(F.mse_loss(self.net(x), y))
                    optimizer.step()

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        limits=(
            "Never warns and never fails strict mode. Only what is known to be out of sight can be "
            "named here; an error inside GradGuard itself is reported under this code as well."
        ),
        sources=(_AUTOGRAD,),
    ),
    Rule(
        code="GG902",
        name="unused-suppressions",
        message="`{comment}` suppresses nothing",
        severity=Severity.INFO,
        what="A comment silences a rule on a line on which that rule has found nothing.",
        why=(
            "The comment outlives the problem it was written for and would hide the next one on "
            "the same line."
        ),
        bad=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.net = nn.Linear(4, 1)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    return F.mse_loss(self.net(x), y)  # gradguard: ignore[GG103]

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        good=_program(
            """
            class Model(pl.LightningModule):
                def __init__(self):
                    super().__init__()
                    self.net = nn.Linear(4, 1)

                def training_step(self, batch, batch_idx):
                    x, y = batch
                    return F.mse_loss(self.net(x), y)

                def configure_optimizers(self):
                    return torch.optim.SGD(self.parameters(), lr=0.1)
            """,
            _REGRESSION,
        ),
        limits=(
            "Only lines that the traced steps ran through are looked at: a comment in a branch "
            "that was not taken is neither used nor unused. Rules that are switched off do not "
            "count."
        ),
    ),
)

RULES: Mapping[str, Rule] = MappingProxyType({rule.code: rule for rule in _RULES})
