# SPDX-License-Identifier: Apache-2.0
"""From modules, parameters and optimizers to the lines that make them."""

from collections.abc import Sequence
from types import CodeType
from typing import Any

from torch import nn

from lightning_gradguard import definitions, syntax
from lightning_gradguard.diagnose.scene import Scene
from lightning_gradguard.source import Span, Stack, innermost, is_project_file, locate, project
from lightning_gradguard.trace import LossView

__all__ = [
    "EARLY",
    "called_from",
    "code_of",
    "first_use",
    "inside_package",
    "is_users",
    "late_span",
    "layer_span",
    "loss_span",
    "optimizer_span",
    "owner_of",
    "span_at",
]

# Methods that run before Lightning asks for the optimizers.
EARLY = ("__init__", "setup", "configure_model", "prepare_data", "forward_init", "build")


def code_of(model: nn.Module, method: str) -> CodeType | None:
    """Return the code of a method, `None` where there is none or it is not written in Python."""
    return getattr(getattr(type(model), method, None), "__code__", None)


def first_use(scene: Scene, names: Sequence[str]) -> Span | None:
    """Return the first call of the step that reads one of these parameters."""
    values = {id(v) for n in names if (v := scene.trace.params.get(n)) is not None}
    for call in scene.trace.calls:
        if call.stack and any(id(v) in values for v in call.inputs):
            return locate(call.stack[0])
    return None


def span_at(stack: Stack, label: str = "") -> Span | None:
    """Return the span of the innermost of the user's frames."""
    site = innermost(stack)
    return locate(site, label) if site is not None else None


def called_from(stack: Stack) -> tuple[Span, ...]:
    """Return the nearest place in the user's project where the blamed one lies in a package."""
    mine = project(stack)
    return () if mine is None or mine == stack[0] else (locate(mine, "called from here"),)


def layer_span(model: nn.Module, name: str) -> tuple[Span, ...]:
    """Return where one of torch's own layers is defined, as in a call inside `nn.Sequential(...)`.

    Args:
        model: the module.
        name: dotted name of the layer; nothing is returned for layers that the user wrote.
    """
    path = name.split(".") if name else []
    layer = model.get_submodule(name) if path else model
    for depth in range(len(path) - 1, -1, -1):
        parent = type(model.get_submodule(".".join(path[:depth])))
        if _is_torchs(parent):
            continue
        span = definitions.layer_span(parent, path[depth:], type(layer).__name__)
        if span is None or not _is_torchs(type(layer)):
            return ()
        return (span.labelled(f"the layer `{name}` is defined here"),)
    return ()


def _is_torchs(cls: type) -> bool:
    return cls.__module__.startswith("torch.nn")


def loss_span(view: LossView) -> Span | None:
    """Return where the user's code computes a loss."""
    call = view.value.call if view.value is not None else None
    while call is not None and not call.stack:
        call = next((v.call for v in call.inputs if v.call is not None), None)
    return span_at(call.stack) if call is not None else None


def owner_of(model: nn.Module, name: str) -> tuple[nn.Module, str, str]:
    """Return the user's module that holds a parameter, the attribute there, and its dotted path."""
    path = name.split(".")[:-1]
    for depth in range(len(path) - 1, -1, -1):
        try:
            parent = model.get_submodule(".".join(path[:depth]))
        except AttributeError:
            continue
        if not type(parent).__module__.startswith("torch.nn"):
            return parent, path[depth], ".".join(path[: depth + 1])
    own = path[0] if path else name
    return model, own, own


def is_users(cls: type) -> bool:
    """Say whether a class is the user's own rather than one of an installed package."""
    code = next(
        (c for f in vars(cls).values() if (c := getattr(f, "__code__", None)) is not None), None
    )
    return code is None or is_project_file(code.co_filename)


def inside_package(model: nn.Module, prefix: str) -> bool:
    """Say whether a module lies within one of an installed package that is not torch's."""
    path = prefix.split(".")[:-1]
    parents = [model.get_submodule(".".join(path[:d])) for d in range(1, len(path) + 1)]
    return any(
        not is_users(type(p)) and not type(p).__module__.startswith("torch.nn") for p in parents
    )


def optimizer_span(
    model: nn.Module, optimizers: Sequence[Any], outside: Sequence[str] = ()
) -> Span | None:
    """Return the call that makes the optimizer; of several, one meant for those outside."""
    code = code_of(model, "configure_optimizers")
    if code is None:
        return None
    names = {type(o).__name__ for o in optimizers}
    spans = syntax.calls_named(code, names)
    heads = {f"self.{n.partition('.')[0]}" for n in outside}
    spare = [s for s in spans if any(h + "." in s.text or h + ")" in s.text for h in heads)]
    if spare:
        return spare[0].labelled("made here, but `configure_optimizers` does not return it")
    last = syntax.return_span(type(model), "configure_optimizers")
    return spans[0] if spans else last or syntax.method_span(type(model), "configure_optimizers")


def late_span(model: nn.Module, names: Sequence[str]) -> Span | None:
    """Return what made or changed the module of the first name after construction."""
    if not names:
        return None
    owner, attribute, _ = owner_of(model, names[0])
    for cls in dict.fromkeys((*type(owner).__mro__, *type(model).__mro__)):
        spans = [
            s
            for s in (
                *definitions.filling_spans(cls, attribute),
                *definitions.attribute_spans(cls, attribute),
            )
            if s.function.rpartition(".")[2] not in EARLY
        ]
        if spans:
            return spans[-1]
    if ".parametrizations." in names[0]:
        return definitions.mention_span(
            type(model), names[0].partition(".parametrizations")[0], outside=EARLY
        )
    return None
