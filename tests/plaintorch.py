# SPDX-License-Identifier: Apache-2.0
"""Train a case without any guard, and hold its expectation against what torch did."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from types import ModuleType
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

NO_HISTORY = "does not require grad and does not have a grad_fn"
KEYS = {
    "verdict",
    "symptom",
    "cause",
    "line_marker",
    "params",
    "metric_like",
    "source",
    "notes",
}
HOOKS = ("on_after_backward", "on_before_optimizer_step", "on_train_batch_end")
QUIET: dict[str, Any] = {
    "accelerator": "cpu",
    "devices": 1,
    "enable_checkpointing": False,
    "enable_model_summary": False,
    "enable_progress_bar": False,
    "logger": False,
    "num_sanity_val_steps": 0,
}
Snapshot = tuple[int, dict[str, str]]


@dataclass
class Loss:
    """A loss on the way into `backward`."""

    requires_grad: bool
    finite: bool
    registered: int  # leaves that are parameters of the module
    strays: int  # other leaves


@dataclass
class Logged:
    """A value that the module logged in a training step."""

    name: str
    trains: bool
    node: Any


@dataclass
class Seen:
    """All that a run without a guard has shown."""

    model: pl.LightningModule
    before: dict[str, Tensor]
    tolerance: float = 0.0
    step: int = 0
    losses: list[Loss] = field(default_factory=list)
    nodes: set[Any] = field(default_factory=set)
    logged: list[Logged] = field(default_factory=list)
    states: dict[str, list[Snapshot]] = field(default_factory=lambda: {h: [] for h in HOOKS})
    held: set[int] = field(default_factory=set)
    error: Exception | None = None

    @property
    def names(self) -> list[str]:
        """Names of all parameters at the end of the run."""
        return [name for name, _ in self.model.named_parameters()]

    def moved(self, name: str) -> bool:
        """Say whether a parameter that was there from the beginning has another value now."""
        return not torch.equal(self.before[name], dict(self.model.named_parameters())[name])


class Watcher(pl.Callback):
    """Write down losses and the state of each gradient, and change nothing."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen

    def on_train_batch_start(self, *_args: Any) -> None:
        """Count the batches from 1."""
        self.seen.step += 1

    def on_before_backward(self, trainer: Any, pl_module: Any, loss: Tensor) -> None:
        """Look at the graph of a loss."""
        found, nodes = leaves(loss)
        own = sum(any(leaf is param for param in pl_module.parameters()) for leaf in found)
        finite = bool(torch.isfinite(loss.detach()).all())
        self.seen.nodes = nodes
        self.seen.losses.append(Loss(loss.requires_grad, finite, own, len(found) - own))

    def on_after_backward(self, trainer: Any, pl_module: Any) -> None:
        """Look at the gradients before anybody touches them."""
        self._look("on_after_backward")

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        """Look at the gradients that the optimizer will see."""
        self._look("on_before_optimizer_step")

    def on_train_batch_end(self, *_args: Any) -> None:
        """Look at what the batch has left."""
        self._look("on_train_batch_end")

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Note which tensors the optimizers hold."""
        groups = [group for opt in trainer.optimizers for group in opt.param_groups]
        self.seen.held = {id(param) for group in groups for param in group["params"]}

    def _look(self, hook: str) -> None:
        named = self.seen.model.named_parameters()
        states = {name: state(param.grad, self.seen.tolerance) for name, param in named}
        self.seen.states[hook].append((self.seen.step, states))


def state(grad: Tensor | None, tolerance: float = 0.0) -> str:
    """Return `none`, `zero`, `grad` or `nonfinite`."""
    if grad is None:
        return "none"
    values = grad.coalesce().values() if grad.is_sparse else grad
    if not bool(torch.isfinite(values).all()):
        return "nonfinite"
    return "grad" if bool((values.abs() > tolerance).any()) else "zero"


def leaves(loss: Tensor) -> tuple[list[Tensor], set[Any]]:
    """Return the leaf tensors under a loss and all nodes of its graph."""
    if loss.grad_fn is None:
        return ([loss] if loss.requires_grad else []), set()
    nodes: set[Any] = set()
    queue: list[Any] = [loss.grad_fn]
    while queue:
        node = queue.pop()
        if node is not None and node not in nodes:
            nodes.add(node)
            queue += [child for child, _ in node.next_functions]
    return [node.variable for node in nodes if hasattr(node, "variable")], nodes


def train(module: ModuleType) -> Seen:
    """Train a case as its `EXPECT` says."""
    expect = module.EXPECT
    torch.manual_seed(0)
    model = module.Model()
    before = {name: param.detach().clone() for name, param in model.named_parameters()}
    seen = Seen(model, before, expect.get("tol", 0.0))
    if expect.get("term"):
        model.log = _spy(model, seen)
    options = QUIET | {"max_steps": expect.get("steps", 3)} | getattr(module, "TRAINER", {})
    more = list(module.callbacks()) if hasattr(module, "callbacks") else []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = pl.Trainer(callbacks=[Watcher(seen), *more], **options)
        held_out = module.val_dataloader() if hasattr(module, "val_dataloader") else None
        try:
            trainer.fit(model, module.dataloader(), held_out)
        except Exception as error:  # noqa: BLE001 - some cases are there for what they raise
            seen.error = error
        finally:
            torch.set_grad_enabled(True)
    return seen


def _spy(model: pl.LightningModule, seen: Seen) -> Callable[..., Any]:
    """Return a `log` that first asks whether a gradient of the value reaches a parameter."""
    log = model.log

    def spying(name: str, value: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(value, Tensor) and model.training:
            seen.logged.append(Logged(name, _trains(value, model), value.grad_fn))
        return log(name, value, *args, **kwargs)

    return spying


def _trains(value: Tensor, model: pl.LightningModule) -> bool:
    if not value.requires_grad:
        return False
    params = [param for param in model.parameters() if param.requires_grad]
    try:
        grads = torch.autograd.grad(value, params, retain_graph=True, allow_unused=True)
    except RuntimeError:
        return False
    return any(grad is not None and bool(grad.any()) for grad in grads)


# -- expectations


def check(path: Path, module: ModuleType) -> None:
    """Train a case and raise `AssertionError` where its expectation does not hold in torch."""
    expect = module.EXPECT
    seen = train(module)
    if expect["verdict"] == "broken":
        check_form(path, expect)
        SYMPTOMS[expect["symptom"]](seen, expect)
    else:
        check_healthy(path, seen, expect)


def check_form(path: Path, expect: dict[str, Any]) -> None:
    """Hold the keys and the marked lines of a broken case against each other."""
    lines = [line.rstrip() for line in path.read_text().splitlines()]
    assert set(expect) >= KEYS, f"missing: {KEYS - set(expect)}"
    marked = sum(line.endswith("# <-- CAUSE") for line in lines)
    assert marked == (expect["line_marker"] is not None)
    also = any(line.endswith("# <-- ALSO") for line in lines)
    assert also == ("also_marker" in expect)


def check_healthy(path: Path, seen: Seen, expect: dict[str, Any]) -> None:
    """All parameters get gradients by the step that is stated, everything is finite and moves."""
    assert expect["why"]
    assert expect["source"]
    assert "# <-- CAUSE" not in path.read_text()
    _raise(seen)
    first = dict(_first_gradients(seen))
    assert all(loss.finite for loss in seen.losses)
    excused = expect.get("never", [])
    trainable = [n for n, p in seen.model.named_parameters() if p.requires_grad]
    counted = {n: first.get(n) for n in trainable if not _matches(n, excused)}
    assert None not in counted.values(), f"never a gradient: {counted}"
    assert max(s for s in counted.values() if s) == expect["all_grads_by_step"]
    _check_late({n: s for n, s in counted.items() if s and s > 1}, expect.get("late", {}))
    assert any(seen.moved(name) for name in seen.names if name in seen.before)


def _first_gradients(seen: Seen) -> Iterator[tuple[str, int]]:
    """Yield the first step with a gradient for each parameter that gets one."""
    looks = [look for hook in HOOKS for look in seen.states[hook]]
    broken = [(n, step) for step, states in looks for n, s in states.items() if s == "nonfinite"]
    assert not broken
    for step, states in sorted(looks, key=lambda look: -look[0]):
        yield from ((name, step) for name, found in states.items() if found == "grad")


def _check_late(late: dict[str, int], stated: dict[str, int]) -> None:
    for name, step in late.items():
        said = [at for pattern, at in stated.items() if fnmatch(name, pattern)]
        assert said[:1] == [step], f"{name}: first gradient at step {step}, stated {said}"
    assert all(any(fnmatch(name, pattern) for name in late) for pattern in stated)


def _no_grad_loss(seen: Seen, expect: dict[str, Any]) -> None:
    """Torch refuses the loss at the step that is stated, and no gradient exists from then on."""
    assert isinstance(seen.error, RuntimeError)
    assert NO_HISTORY in str(seen.error)
    assert not seen.losses[-1].requires_grad
    assert seen.step == expect.get("onset_step", 1)
    later = seen.states["on_after_backward"][seen.step - 1 :]
    assert all("grad" not in states.values() for _, states in later)


def _backward_error(seen: Seen, expect: dict[str, Any]) -> None:
    assert isinstance(seen.error, RuntimeError)
    assert expect["error"] in str(seen.error)
    assert seen.step == expect.get("onset_step", 1)


def _leaf_loss(seen: Seen, _expect: dict[str, Any]) -> None:
    """Backward runs, meets no parameter, and nothing moves."""
    _raise(seen)
    assert all(loss.requires_grad and not loss.registered and loss.strays for loss in seen.losses)
    for _, states in seen.states["on_after_backward"]:
        assert set(states.values()) == {"none"}
    assert not any(seen.moved(name) for name in seen.before)


def _missing(seen: Seen, expect: dict[str, Any]) -> None:
    _gradless(seen, expect, "none", {"none"})


def _zero(seen: Seen, expect: dict[str, Any]) -> None:
    _gradless(seen, expect, "zero", {"zero", "none"} if expect.get("sometimes_none") else {"zero"})


def _gradless(seen: Seen, expect: dict[str, Any], want: str, allowed: set[str]) -> None:
    """The parameters named, and only these, are without a gradient from the onset on."""
    _raise(seen)
    early, late = _looks(seen, expect)
    hit, rest = _split(seen, expect)
    assert hit
    for name in hit:
        met = _met(late, name)
        assert want in met, f"{name}: {met}"
        assert met <= allowed, f"{name}: {met}"
        assert not early or "grad" in _met(early, name), f"{name} never had a gradient"
    for name in rest:
        assert "grad" in _met(late, name), f"{name} should have a gradient"
    if expect.get("unchanged", True) and not early and not expect.get("weight_decay"):
        assert not any(seen.moved(name) for name in hit if name in seen.before)
    if "loss_finite" in expect:
        assert all(loss.finite == expect["loss_finite"] for loss in seen.losses)


def _nonfinite(seen: Seen, expect: dict[str, Any]) -> None:
    """NaN or inf stands in the gradients of the parameters named, and in none before the onset."""
    if seen.error is not None and expect.get("error"):
        assert expect["error"] in str(seen.error)
        return
    _raise(seen)
    early, late = _looks(seen, expect)
    hit, _ = _split(seen, expect)
    assert hit
    assert all("nonfinite" in _met(late, name) for name in hit)
    assert all("nonfinite" not in states.values() for _, states in early)
    if "loss_finite" in expect:
        assert seen.losses[0].finite == expect["loss_finite"]


def _dead_term(seen: Seen, expect: dict[str, Any]) -> None:
    """Every parameter trains, and the logged term has no part in it."""
    _raise(seen)
    _, late = _looks(seen, expect)
    quiet = expect.get("quiet", [])
    assert all("grad" in _met(late, name) for name in seen.names if not _matches(name, quiet))
    terms = [item for item in seen.logged if item.name == expect["term"]]
    assert terms
    if expect.get("not_in_loss"):
        assert all(term.trains for term in terms)
        assert terms[-1].node not in seen.nodes
    else:
        assert not any(term.trains for term in terms)


def _not_optimized(seen: Seen, expect: dict[str, Any]) -> None:
    """The parameters named, and only these, are in no optimizer and stay what they were."""
    _raise(seen)
    _, late = _looks(seen, expect)
    hit, rest = _split(seen, expect)
    params = dict(seen.model.named_parameters())
    assert hit
    for name in hit:
        assert params[name].requires_grad
        assert id(params[name]) not in seen.held
        assert "grad" in _met(late, name) or not expect.get("has_grad", True)
        stays = name in seen.before and "onset_step" not in expect and not expect.get("replaced")
        assert not stays or not seen.moved(name)
    assert all(id(params[name]) in seen.held for name in rest)


def _not_registered(seen: Seen, _expect: dict[str, Any]) -> None:
    _raise(seen)
    assert all(loss.strays for loss in seen.losses)


SYMPTOMS: dict[str, Callable[[Seen, dict[str, Any]], None]] = {
    "no_grad_loss": _no_grad_loss,
    "backward_error": _backward_error,
    "leaf_loss": _leaf_loss,
    "missing": _missing,
    "zero": _zero,
    "nonfinite": _nonfinite,
    "dead_term": _dead_term,
    "not_optimized": _not_optimized,
    "not_registered": _not_registered,
}


def _raise(seen: Seen) -> None:
    if seen.error is not None:
        raise seen.error


def _matches(name: str, patterns: Any) -> bool:
    return patterns == "all" or any(fnmatch(name, pattern) for pattern in patterns)


def _split(seen: Seen, expect: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Return the parameters that are named as affected, and those that are not excused either."""
    hit = [name for name in seen.names if _matches(name, expect["params"])]
    rest = [n for n in seen.names if n not in hit and not _matches(n, expect.get("quiet", []))]
    return hit, rest


def _looks(seen: Seen, expect: dict[str, Any]) -> tuple[list[Snapshot], list[Snapshot]]:
    """Return what was seen before the onset and from there on."""
    looks = seen.states[expect.get("observe", "on_before_optimizer_step")]
    onset = expect.get("onset_step", 1)
    early = [look for look in looks if look[0] < onset]
    late = [look for look in looks if look[0] >= onset]
    assert late, "never observed"
    return early, late


def _met(looks: list[Snapshot], name: str) -> set[str]:
    return {states[name] for _, states in looks if name in states}
