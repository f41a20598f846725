# SPDX-License-Identifier: Apache-2.0
"""The traced step: when the recorder runs, what it keeps, and how a step is run once more."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node

from lightning_gradguard import diagnose
from lightning_gradguard.flow import Flow
from lightning_gradguard.roster import clean, names_of
from lightning_gradguard.run import Run, Traced
from lightning_gradguard.trace import Collector, LossView, Recorder, walk

if TYPE_CHECKING:
    from lightning_gradguard.replay import Replay

__all__ = ["Tracer", "batch_tensors"]

_LARGE_GRAPH = 10_000  # nodes


class Tracer:
    """Records steps of a run.

    Args:
        run: whose steps.

    Attributes:
        now: the step under way, where it is traced.
        kept: what the traced steps so far have left.
        names_metrics: metrics are to be recognised, which needs values.
        replay: runs the step under way again, should it fail.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.now: Traced | None = None
        self.kept: list[Traced] = []
        self.names_metrics = True
        self.replay: Replay | None = None
        self._recording = False
        self._parked: list[tuple[int, Node]] = []
        self._stance: Any = None
        self._collector = Collector()

    @property
    def latest(self) -> Traced:
        """Return the last step that was traced to its end."""
        return self.kept[-1] if self.kept else self.run.untraced()

    def begin(self, batch: object, on_loss: Callable[[Tensor], None]) -> None:
        """Record from here on; `on_loss` hears of a `backward()` that the user calls himself."""
        self.run.judged()
        recorder = self._recorder(self.run.model, batch, on_loss=on_loss)
        recorder.trace.names_metrics = self.names_metrics
        self.now = Traced(self.run.step, recorder.trace, recorder=recorder)
        self._collector.calm()
        self.enter()

    def _recorder(self, model: nn.Module, batch: object, **options: Any) -> Recorder:  # noqa: ANN401
        return Recorder(
            {clean(n): p for n, p in model.named_parameters()},
            dict(model.named_buffers()),
            {clean(n): m for n, m in model.named_modules()},
            batch_tensors(batch),
            step=self.run.step,
            **options,
        )

    def run_again(self, error: BaseException | None = None) -> Traced | None:
        """Replay the step under a trace that looks at values too; `None` where that fails.

        Args:
            error: what the step raises; the replay goes as far as that, and has no loss.
        """
        if self.replay is None or not self.run.automatic:
            return None
        try:
            twin = self.replay.copy()
            recorder = self._recorder(twin, None, check_values=True)
            traced = Traced(self.run.step, recorder.trace, recorder=recorder)
            self._hold_compiler()
            expected = (type(error),) if error is not None else ()
            loss = None
            with (
                suppress(*expected),
                torch._C._EnableTorchFunction(),  # noqa: SLF001 - off within a torch function
                recorder,
            ):
                loss = self.replay.run(twin)
            if error is not None:
                return traced if recorder.trace.fault is None else None
            if loss is None or recorder.trace.fault is not None:
                return None
            self._walk(traced, twin, loss)
            for flow in traced.flows:
                loss.sum().backward()
                flow.close()
        except Exception as fault:  # noqa: BLE001 - the first run of the step has its own error
            self.run.report.add_limit(
                f"the failing step could not be repeated: {type(fault).__name__}: {fault}"
            )
            return None
        finally:
            self._release_compiler()
        return traced

    def _walk(self, traced: Traced, model: nn.Module, loss: Tensor) -> LossView:
        """Walk the graph of a loss, tie it to its trace, and hook what its backward pass meets."""
        assert traced.recorder is not None  # noqa: S101 - asked while a step is traced
        view, nodes = walk(loss, names_of(model))
        view.value = traced.recorder.value(loss)
        traced.trace.losses.append(view)
        if nodes:
            traced.flows.append(Flow(view, nodes))
        self._park(view, nodes)
        return view

    def enter(self) -> None:
        """Go on recording, where the step under way is traced."""
        if self.now is None or self.now.recorder is None or self._recording:
            return
        self._hold_compiler()
        try:
            self.now.recorder.__enter__()
        except BaseException:
            self._release_compiler()
            raise
        self._recording = True

    def leave(self) -> None:
        """Stop recording until the next `enter`."""
        if self._recording and self.now is not None and self.now.recorder is not None:
            self._recording = False
            self.now.recorder.__exit__(None, None, None)
            self._release_compiler()

    def _hold_compiler(self) -> None:
        """Run compiled parts eagerly while recording: the compiler would trace the recorder too."""
        import sys

        if "torch._dynamo" in sys.modules and self._stance is None:
            self._stance = torch.compiler.set_stance("force_eager")
            self._stance.__enter__()

    def _release_compiler(self) -> None:
        if self._stance is not None:
            self._stance.__exit__(None, None, None)
            self._stance = None

    def look(self, loss: Tensor) -> LossView:
        """Look at the graph of a loss of the step under way, and at leaves that nobody knows."""
        now = self.now
        assert now is not None  # noqa: S101 - asked while a step is traced
        view = self._walk(now, self.run.model, loss)
        if view.value is not None:
            now.trace.keep(view.value, loss)
        return view

    def _park(self, view: LossView, nodes: Sequence[Node]) -> None:
        """Hold the nodes of a large graph until the graph is gone.

        Torch frees a node that Python has seen, and all such nodes below it, by recursion, for
        which a deep graph has no stack. Whoever lets go from the loss down frees them one by one.
        """
        if len(nodes) > _LARGE_GRAPH:
            self._parked.extend((seq, nodes[index]) for seq, index in view.seqs.items())

    def release(self) -> None:
        """Let go of the nodes of large graphs, from the loss down, and of Python's collector."""
        self._collector.restore()
        self._parked.sort(key=itemgetter(0))
        while self._parked:
            self._parked.pop()

    def close_flows(self) -> None:
        """End the watch over the backward passes of the step under way."""
        for flow in self.now.flows if self.now is not None else ():
            flow.close()

    def finish(self) -> None:
        """Put the traced step away, or say why it cannot be used."""
        self._collector.restore()
        now, self.now = self.now, None
        if now is None:
            return
        for flow in now.flows:
            flow.close()
            now.trace.fault = now.trace.fault or flow.fault
        if now.recorder is not None:
            now.recorder.forget()
            now.recorder = None
        if now.trace.fault is not None and self.run.settings.strict:
            raise now.trace.fault
        if now.trace.fault is not None:
            self.run.switch_off("trace", now.trace.fault)
        if now.trace.truncated:
            self._stop_tracing(len(now.trace.calls))
            return
        if now.trace.losses or (now.trace.calls and not self.run.automatic):
            self.kept.append(now)

    def _stop_tracing(self, calls: int) -> None:
        """Say that the step has too many calls; half a record would blame the wrong ones."""
        why = f"the step makes more than {calls:,} torch calls"
        self.run.shut("trace")
        self.run.report.add_limit(f"the operations of a step were not traced: {why}")
        scene = self.run.scene_of(self.run.untraced())
        self.run.emit(diagnose.unchecked(scene, "the operations of a step", why))


def batch_tensors(batch: object, prefix: str = "batch", depth: int = 4) -> dict[str, Tensor]:
    """Return name -> tensor for the tensors of a batch, as in `batch[0]` or `batch['x']`.

    Example:
        >>> list(batch_tensors([torch.ones(1), {"y": torch.ones(1)}]))
        ['batch[0]', "batch[1]['y']"]
    """
    if isinstance(batch, Tensor):
        return {prefix: batch}
    found: dict[str, Tensor] = {}
    items: Iterable[tuple[Any, Any]] = ()
    if depth and isinstance(batch, Mapping):
        items = batch.items()
    elif depth and isinstance(batch, (list, tuple)):
        items = enumerate(batch)
    for key, item in items:
        found |= batch_tensors(item, f"{prefix}[{key!r}]", depth - 1)
    return found
