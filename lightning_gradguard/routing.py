# SPDX-License-Identifier: Apache-2.0
"""Compute recognised metrics properly: over the epoch, over the ranks, by torchmetrics.

A recognised metric is fed from a forward hook on the submodule that makes its scores and from a
place in the batch; the few calls in between are run again without a graph, and nothing is recorded
on later steps. Metrics that the user names are fed from what `training_step` returns. The
torchmetrics objects live here, never in the user's module.
"""

import importlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gradguard import libraries
from lightning_gradguard.metrics import Metric, beside
from lightning_gradguard.rerun import Unreplayable, can_run, run_calls
from lightning_gradguard.trace import HARD, Call, Trace, Value, unseen
from lightning_gradguard.tracer import batch_tensors
from lightning_gradguard.usage import attribute_name

__all__ = ["Plan", "Routing", "plan_route"]

_log = logging.getLogger("lightning_gradguard")
_MAX_CALLS = 60
_FAMILY = "torchmetrics has no class that takes its two sides as they are"
_UNROUTED = {
    "share": _FAMILY,
    "sides": _FAMILY,
    "boxes": _FAMILY,
    "text": "it compares texts that are built outside of torch",
}
_LEFT = frozenset(["lt", "le", "less", "less_equal", "__lt__", "__le__"])
_RANK_STRIDE = 1 << 40


@dataclass(slots=True)
class Plan:
    """How the inputs of one metric come about.

    Attributes:
        metric: what was recognised.
        preds: value that goes in first: hard predictions, or scores where the order counts.
        target: value that goes in second.
        calls: what is run again, in order.
        modules: value -> submodule, number of its call within a step, position in its output.
        batch: value -> place in the batch, as in `batch[1]`.
        states: value -> parameter or buffer.
    """

    metric: Metric
    preds: Value
    target: Value
    calls: list[Call] = field(default_factory=list)
    modules: dict[Value, tuple[str, int, int]] = field(default_factory=dict)
    batch: dict[Value, str] = field(default_factory=dict)
    states: dict[Value, str] = field(default_factory=dict)

    @property
    def sources(self) -> str:
        """Return the sources in words."""
        parts = [f"the output of `{name or 'the module'}`" for name, _, _ in self.modules.values()]
        parts += [f"`{place}`" for place in self.batch.values()]
        return " and ".join(dict.fromkeys(parts))


def plan_route(trace: Trace, metric: Metric) -> Plan | str:
    """Return how to feed a metric on later steps, or why that is not possible.

    Args:
        trace: the step in which it was recognised.
        metric: what was recognised.
    """
    if metric.kind in _UNROUTED:
        return _UNROUTED[metric.kind]
    if metric.scores is None or metric.target is None:
        return "its scores and target could not be told apart"
    preds = _input(metric)
    if metric.kind in {"binary", "multilabel", "integer", "image"} and preds.mark != HARD:
        return "its decisions are made outside of torch"
    plan = Plan(metric, preds, metric.target)
    calls: dict[int, Call] = {}
    stack, seen = [preds, metric.target], set[Value]()
    while stack:
        value = stack.pop()
        if value in seen or _is_source(trace, plan, value):
            continue
        seen.add(value)
        call = value.call
        if call is None or not can_run(call) or len(calls) > _MAX_CALLS:
            return f"`{value.describe()}` could not be traced to a submodule's output and the batch"
        calls[call.index] = call
        stack.extend(call.inputs)
    if not plan.modules:
        return "its scores could not be traced to the output of a submodule"
    plan.calls = [calls[i] for i in sorted(calls)]
    return plan


def _input(metric: Metric) -> Value:
    """Return what goes into the metric: the decision where there is one."""
    assert metric.scores is not None  # noqa: S101 - `plan_route` made sure
    if (
        metric.kind in {"label", "binary", "multilabel", "integer", "image"}
        and metric.decision is not None
    ):
        hard = [o for o in metric.decision.outputs if o.mark == HARD]
        return hard[0] if hard else metric.scores
    return metric.scores


def _is_source(trace: Trace, plan: Plan, value: Value) -> bool:
    """Note a value that will be at hand on every step."""
    if value in plan.modules or value in plan.batch or value in plan.states:
        return True
    made = trace.made_by.get(value)
    if made is not None:
        plan.modules[value] = made
    elif value.kind == "batch":
        plan.batch[value] = value.name
    elif value.kind in {"param", "buffer"}:
        plan.states[value] = value.name
    else:
        return False
    return True


class _Route:
    """One metric that is computed from a plan."""

    def __init__(self, name: str, plan: Plan, metric: Any, device: torch.device) -> None:  # noqa: ANN401
        self.name, self.plan = name, plan
        self.metric = metric.to(device)
        self._held: dict[Value, Tensor] = {}
        self._queries = 0
        self.offset = 0

    def begin(self, batch: Mapping[str, Tensor], states: Mapping[str, Tensor]) -> None:
        """Take what is known before the step; missing places raise."""
        self._held = {v: batch[place] for v, place in self.plan.batch.items()}
        self._held |= {v: states[name] for v, name in self.plan.states.items()}

    def take(self, module: str, turn: int, outputs: Sequence[Tensor]) -> None:
        """Take the output of a submodule; with the last one the metric is updated."""
        for value, (name, wanted, place) in self.plan.modules.items():
            if name == module and wanted == turn and place < len(outputs):
                self._held[value] = outputs[place].detach()
        if all(v in self._held for v in self.plan.modules):
            held, self._held = self._held, {}
            with torch.no_grad():
                run_calls(self.plan.calls, held)
                self.update(held[self.plan.preds], held[self.plan.target])

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Add one batch to the metric."""
        found = self.plan.metric
        if found.name.startswith("Retrieval"):
            self._retrieve(preds, target)
            return
        self.metric.update(*_arguments(found, preds, target))

    def _retrieve(self, scores: Tensor, target: Tensor) -> None:
        if target.shape != scores.shape:
            target = nn.functional.one_hot(target.long().reshape(-1), scores.shape[-1])
        rows = scores.reshape(-1, scores.shape[-1])
        queries = torch.arange(len(rows), device=rows.device) + self._queries + self.offset
        self._queries += len(rows)
        graded = self.plan.metric.name.endswith("DCG")
        flags = target.reshape(-1).long() if graded else target.reshape(-1) > 0
        # These metrics leave entries with a score below 0 out.
        self.metric.update(
            rows.sigmoid().reshape(-1), flags, indexes=queries.repeat_interleave(rows.shape[1])
        )

    def drop(self) -> None:
        """Let go of the tensors of a step that was left early."""
        self._held = {}


def _arguments(found: Metric, preds: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Bring both sides into the shape and type that the torchmetrics class takes."""
    if found.kind == "rank":
        flat = preds.reshape(-1), target.reshape(-1)
        return (flat[0], flat[1].long()) if found.name.startswith("Binary") else flat
    if found.kind == "topk":
        return preds.movedim(_class_dim(preds, target), 1), target.long()
    if found.kind in {"integer", "image"}:
        return preds.reshape(target.shape).to(target.dtype), target
    if found.kind == "label":
        return _labels(found, preds, target)
    left = found.decision is not None and found.decision.name in _LEFT
    hard = preds.reshape(target.shape) > 0
    return (~hard if left else hard).long(), (target > 0).long()


def _class_dim(scores: Tensor, target: Tensor) -> int:
    """Return the dimension that the target does not have."""
    shape = tuple(target.shape)
    every = range(scores.dim())
    return next(d for d in every if (*scores.shape[:d], *scores.shape[d + 1 :]) == shape)


def _labels(found: Metric, preds: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    decision = found.decision
    if decision is not None and decision.name in {"argsort", "sort", "topk", "msort"}:
        preds = preds[..., 0]
    if preds.dtype.is_floating_point and preds.dim() > target.dim():
        preds = preds.argmax(_class_dim(preds, target))
    if preds.numel() != target.numel():
        count = found.arguments.get("num_classes", 2)
        target = target.argmax(next(d for d, n in enumerate(target.shape) if d and n == count))
    return preds.reshape(target.shape).long(), target.long()


class Routing:
    """All metrics of a run.

    Args:
        metrics: name -> torchmetrics object, or a `MetricCollection`; else what is recognised.
        keys: names under which `training_step` returns predictions and target.
    """

    def __init__(self, metrics: Any = None, keys: tuple[str, str] = ("preds", "target")) -> None:  # noqa: ANN401
        self.explicit: dict[str, Any] = _named_metrics(metrics)
        self.keys = keys
        self.limits: list[str] = []
        self._pending: dict[str, Any] = {}
        self._clear()

    def _clear(self) -> None:
        self._routes: dict[str, _Route] = {}
        self._hooks: list[Any] = []
        self._turns: dict[str, int] = {}
        self._active = False
        self._model: nn.Module | None = None
        self._rank, self._step = 0, -1

    def __getstate__(self) -> dict[str, Any]:
        """Leave hooks and plans behind; they belong to one process and one fit."""
        gone = {"_routes": {}, "_hooks": [], "_turns": {}, "_active": False, "_model": None}
        return self.__dict__ | gone

    # -- the course of a run

    def start(self, model: nn.Module, device: torch.device, rank: int = 0) -> None:
        """Begin a fit."""
        self.close()
        self._model, self._device, self._rank = model, device, rank
        for name, metric in self.explicit.items():
            metric.to(device)
            self._restore(name, metric)

    def begin_batch(self, batch: object) -> None:
        """Take the batch before its step."""
        if not self._routes or self._model is None:
            return
        self._turns, self._active = {}, True
        tensors, states = batch_tensors(batch), _states(self._model)
        for route in list(self._routes.values()):
            self._attempt(route, lambda it: it.begin(tensors, states))

    def watch(self, trace: Trace, goal: Value | None) -> None:
        """Make routes for what is recognised in a traced step, and count the step itself."""
        if self.explicit or (self._routes and trace.step != self._step):
            return
        self._step = trace.step
        found = [m for m in trace.recognised.values() if m is not None]
        for metric in (*found, *beside(trace, goal)):
            self._add(trace, metric)

    def end_batch(self, outputs: object) -> None:
        """Feed the named metrics from what `training_step` returned."""
        self._active = False
        for route in self._routes.values():
            route.drop()
        if self.explicit and not _is_skipped(outputs):
            preds, target = _sides(outputs, self.keys)
            for metric in self.explicit.values():
                metric.update(preds, target)

    def end_epoch(self, gather: Callable[[Any], list[Any]] | None = None) -> dict[str, float]:
        """Return name -> value over the epoch and start anew.

        Args:
            gather: hands something to all ranks; what not all of them have is left out on all.
        """
        metrics = {n: r.metric for n, r in self._routes.items()} | self.explicit
        if gather is not None:
            theirs = [set(names) for names in gather(list(metrics))]
            metrics = {n: m for n, m in metrics.items() if all(n in names for names in theirs)}
        values: dict[str, float] = {}
        for name, metric in metrics.items():
            if metric.update_called or gather is not None:
                values |= dict(_flat(f"gradguard/{name}", _computed(metric)))
            metric.reset()
        return values

    def close(self) -> None:
        """Remove every hook and forget the routes."""
        for hook in self._hooks:
            hook.remove()
        self._clear()

    # -- state

    def state_dict(self) -> dict[str, Any]:
        """Return the accumulated states by name."""
        metrics = {n: r.metric for n, r in self._routes.items()} | self.explicit
        return {n: _saved(m) for n, m in metrics.items()} or dict(self._pending)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up states; those of recognised metrics wait until they are recognised again."""
        self._pending = dict(state)
        for name, metric in self.explicit.items():
            self._restore(name, metric)

    def _restore(self, name: str, metric: Any) -> None:  # noqa: ANN401
        saved = self._pending.pop(name, None)
        if saved is not None and self._rank == 0:  # the saved state is that of all ranks together
            for key, content in saved["states"].items():
                setattr(metric, key, _moved(content, metric.device))
            metric._update_count = saved["updates"]  # noqa: SLF001 - so that `compute` does not warn

    # -- routes

    def _add(self, trace: Trace, found: Metric) -> None:
        name = attribute_name(found)
        if any(_is_same(r.plan.metric, found) for r in self._routes.values()):
            return
        while name in self._routes:
            name = f"{name.rstrip('0123456789_')}_{len(self._routes) + 1}"
        plan = plan_route(trace, found)
        if isinstance(plan, str):
            self.limits.append(f"`{found.call}` is not routed: {plan}")
            return
        try:
            route = _Route(name, plan, _build(found), self._device)
        except Exception as fault:  # noqa: BLE001 - whatever torchmetrics says about the arguments
            self.limits.append(f"`{found.call}` is not routed: {fault}")
            return
        route.offset = self._rank * _RANK_STRIDE
        self._routes[name] = route
        self._hook(plan)
        self._restore(name, route.metric)
        self._count_traced(trace, route)

    def _count_traced(self, trace: Trace, route: _Route) -> None:
        """Add the traced batch itself, from the tensors that the trace still holds."""
        preds, target = trace.tensor_of(route.plan.preds), trace.tensor_of(route.plan.target)
        if preds is None or target is None:
            self.limits.append(
                f"`gradguard/{route.name}` counts from the second batch on: the first was too large"
            )
            return
        with torch.no_grad():
            self._attempt(route, lambda it: it.update(preds, target))

    def _hook(self, plan: Plan) -> None:
        assert self._model is not None  # noqa: S101 - `start` came first
        hooked = {h.module_name for h in self._hooks}
        for name, _, _ in plan.modules.values():
            if name not in hooked:
                module = self._model.get_submodule(name)
                self._hooks.append(_Hook(name, module, self._on_output))

    def _on_output(self, module: str, output: object) -> None:
        if self._active:  # modes of the user, which may be open here, see the user's calls only
            unseen(self._hand_out, module, output)

    def _hand_out(self, module: str, output: object) -> None:
        turn = self._turns.get(module, 0)
        self._turns[module] = turn + 1
        tensors = list(_tensors(output))
        for route in list(self._routes.values()):
            self._attempt(route, lambda it: it.take(module, turn, tensors))

    def _attempt(self, route: _Route, deed: Callable[[_Route], None]) -> None:
        """Do something with a route; one that fails is given up, the training goes on."""
        try:
            deed(route)
        except (
            Unreplayable,
            RuntimeError,
            ValueError,
            TypeError,
            KeyError,
            IndexError,
            StopIteration,
        ) as fault:
            self._routes.pop(route.name, None)
            self.limits.append(
                f"`gradguard/{route.name}` was given up: {type(fault).__name__}: {fault}"
            )
            _log.warning("gradguard: the route of %s was given up: %r", route.name, fault)


class _Hook:
    """A forward hook that only looks."""

    def __init__(self, name: str, module: nn.Module, tell: Callable[[str, object], None]) -> None:
        self.module_name = name
        self._handle = module.register_forward_hook(lambda _m, _a, output: tell(name, output))

    def remove(self) -> None:
        """Take the hook out."""
        self._handle.remove()


# -- torchmetrics


def _build(found: Metric) -> Any:  # noqa: ANN401
    """Make the torchmetrics object; its own checks of values would wait for the device."""
    cls = getattr(importlib.import_module(libraries.module_of(found.name)), found.name)
    options = {k: v for k, v in found.arguments.items() if k not in {"note", "threshold"}}
    if found.name.startswith(("Binary", "Multiclass", "Multilabel")):
        options["validate_args"] = False
    return cls(**options)


def _named_metrics(metrics: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return name -> metric of a mapping or a `MetricCollection`."""
    if metrics is None or isinstance(metrics, str):
        return {}
    if hasattr(metrics, "compute_groups"):
        return dict(metrics.items(keep_base=False, copy_state=False))
    return {str(name): metric for name, metric in metrics.items()}


def _saved(metric: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the state of a metric, that of all ranks together where there are several."""
    several = metric._is_synced is False and metric.distributed_available_fn()  # noqa: SLF001
    if several:
        metric.sync()
    states = {key: _moved(getattr(metric, key), torch.device("cpu")) for key in metric._defaults}  # noqa: SLF001
    if several:
        metric.unsync()
    return {"states": states, "updates": metric._update_count}  # noqa: SLF001


def _moved(content: Any, device: torch.device) -> Any:  # noqa: ANN401
    if isinstance(content, Tensor):
        return content.detach().clone().to(device)
    return [_moved(c, device) for c in content]


def _computed(metric: Any) -> Any:  # noqa: ANN401
    """Return the value over the epoch; of one value a sample, the mean."""
    value = metric.compute()
    each = getattr(metric, "multidim_average", "") == "samplewise" and isinstance(value, Tensor)
    return value.mean() if each else value


def _flat(name: str, value: Any) -> Iterator[tuple[str, float]]:  # noqa: ANN401
    """Yield scalars of a computed value: one a class of a vector, one a key of a dict."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _flat(f"{name}_{key}", part)
    elif isinstance(value, Tensor) and value.numel() != 1:
        for place, part in enumerate(value.reshape(-1).tolist()):
            yield f"{name}_{place}", float(part)
    else:
        yield name, float(value)


# -- what a step hands over


def _sides(outputs: object, keys: tuple[str, str]) -> tuple[Any, Any]:
    """Return predictions and target of the dict that `training_step` returned."""
    if isinstance(outputs, Mapping) and all(key in outputs for key in keys):
        return tuple(o.detach() if isinstance(o, Tensor) else o for o in (outputs[k] for k in keys))  # type: ignore[return-value]
    got = (
        f"a dict with {sorted(map(str, outputs))}"
        if isinstance(outputs, Mapping)
        else type(outputs).__name__
    )
    wanted = ", ".join(f"{key!r}: ..." for key in ("loss", *keys))
    message = (
        f"expected `training_step` to return {{{wanted}}} for `GradGuard(metrics=...)`, got {got}"
    )
    raise ValueError(message)


def _is_skipped(outputs: object) -> bool:
    """Say whether `training_step` returned `None`, which skips the batch."""
    return outputs is None or (isinstance(outputs, Mapping) and not outputs)


def _states(model: nn.Module) -> dict[str, Tensor]:
    return dict(model.named_parameters()) | dict(model.named_buffers())


def _tensors(output: object) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, Mapping):
        for part in output.values():
            yield from _tensors(part)
    elif isinstance(output, (list, tuple)):
        for part in output:
            yield from _tensors(part)


def _is_same(one: Metric, other: Metric) -> bool:
    return (one.name, dict(one.arguments), one.scores, one.target) == (
        other.name, dict(other.arguments), other.scores, other.target,
    )  # fmt: skip
