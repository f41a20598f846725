# SPDX-License-Identifier: Apache-2.0
"""Record one step over a few parameters, with its loss, its graph and its backward pass."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from lightning_gradguard.flow import Flow
from lightning_gradguard.lineage import Lineage
from lightning_gradguard.source import Span, locate
from lightning_gradguard.trace import Call, LossView, Recorder, Trace, walk


def marked(span: Span | None) -> str:
    """Return the part of the line that a span marks."""
    assert span is not None
    return span.text[span.column - 1 : span.end_column - 1]


def watch(loss: Tensor, params: Mapping[str, Tensor]) -> Flow:
    """Run a backward pass under hooks on all of its nodes."""
    view, nodes = walk(loss, {id(param): name for name, param in params.items()})
    flow = Flow(view, nodes)
    loss.backward()
    flow.close()
    return flow


class Recorded:
    """A step that was recorded and asked for its loss.

    Args:
        step: takes the parameters by name and returns the loss.
        params: the parameters.
        options: those of `Recorder`.
    """

    def __init__(
        self, step: Callable[..., Any], params: Mapping[str, Tensor], **options: Any
    ) -> None:
        self.params = params
        self.recorder = Recorder(params, **options)
        with self.recorder:
            self.loss = step(**params)
        self.view = self._look()
        self.lineage = Lineage(self.trace, params.keys())

    @property
    def trace(self) -> Trace:
        """The record."""
        return self.recorder.trace

    def call(self, name: str) -> Call:
        """Return the first call of a name."""
        return next(call for call in self.trace.calls if call.name == name)

    def cuts_of(self, name: str) -> list[str]:
        """Return the source text at each cut above a parameter, the likeliest culprit first."""
        found = self.lineage.cuts([view.value for view in self.trace.losses if view.value])
        cuts = found.get(self.trace.params[name], ())
        return [marked(locate(cut.stack[0])) for cut in cuts]

    def _look(self) -> LossView:
        view, _ = walk(self.loss, {id(param): name for name, param in self.params.items()})
        view.value = self.recorder.value(self.loss)
        self.trace.losses.append(view)
        return view


def weights(**shapes: tuple[int, ...]) -> dict[str, Tensor]:
    """Make parameters of the given shapes with different values between 0 and 1."""
    import torch

    made: dict[str, Tensor] = {}
    for name, shape in shapes.items():
        size = int(torch.Size(shape).numel())
        made[name] = nn.Parameter(torch.linspace(0.1, 0.9, size).reshape(shape))
    return made
