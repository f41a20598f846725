# SPDX-License-Identifier: Apache-2.0
"""One training run as the guard sees it: events in, decisions and a report out.

Holds all that is decided over time: when to trace, how long a suspicion must last, which finding is
certain now. Knows modules and optimizers, and no trainer.
"""

import logging
import math
import re
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from operator import is_, itemgetter
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node

from lightning_gradguard import definitions, diagnose, syntax
from lightning_gradguard.audit import Audit, Track, total_norm, value_sample
from lightning_gradguard.diagnose import Scene
from lightning_gradguard.flow import Flow, State, state_of
from lightning_gradguard.hidden import hidden_tensors
from lightning_gradguard.replay import Replay
from lightning_gradguard.report import Report
from lightning_gradguard.rules import Diagnostic, Severity, matching
from lightning_gradguard.source import Span, capture, is_user_file, locate
from lightning_gradguard.trace import LossView, Recorder, Trace, Value, version_of, walk

__all__ = ["Session", "Settings"]

_log = logging.getLogger("lightning_gradguard")
_PREFIXES = re.compile(r"_fsdp_wrapped_module\.|_orig_mod\.|_checkpoint_wrapped_module\.")
# How DDP says that a step has left parameters out; Lightning drops the rest of its text.
_UNREDUCED = "Expected to have finished reduction in the prior iteration"
_UNSEEN_STEPS = (
    "the gradients of an optimizer step behind the back of the Trainer",
    (
        "`self.optimizers(use_pl_optimizer=False)` gives an optimizer that Lightning does not "
        "watch; its gradients are judged by what is left of them at the end of the batch"
    ),
)
_MIN_LATE_RUN = 2
_LARGE_GRAPH = 10_000  # nodes
_NAMES_EVERY = 50  # batches after which the modules are walked again for new parameters
_LATE_LOOKS = 3  # batches in which gradients are looked at once more after the step


@dataclass(frozen=True, slots=True)
class Settings:
    """The options that decisions depend on; see `GradGuard` for their meaning."""

    strict: bool = False
    select: tuple[str, ...] = ("GG",)
    ignore: tuple[str, ...] = ()
    ignore_params: tuple[str, ...] = ()
    patience: int = 10
    trace_steps: int = 1
    every_n_steps: int = 1
    agree_every_n_steps: int | None = None

    @property
    def codes(self) -> frozenset[str]:
        """Return the selected codes."""
        return matching(self.select) - matching(self.ignore)


@dataclass(slots=True)
class _Traced:
    """A traced step and what its backward passes did."""

    step: int
    trace: Trace
    flows: list[Flow] = field(default_factory=list)
    recorder: Recorder | None = None
    hidden: dict[str, int] = field(default_factory=dict)
    places: dict[str, Any] = field(default_factory=dict)


class Session:
    """Everything the guard knows about one run.

    Args:
        settings: the options.
        report: where findings go.
    """

    def __init__(self, settings: Settings, report: Report) -> None:
        self.settings = settings
        self.report = report
        self.audit = Audit()
        self.fresh: list[Diagnostic] = []
        self.model: nn.Module = nn.Module()
        self.optimizers: Sequence[Any] = ()
        self.automatic = True
        self.scaled = False
        self.step = 0
        self._batches = 0
        self._now: _Traced | None = None
        self._recording = False
        self._kept: list[_Traced] = []
        self._armed = False
        self._armed_for: set[str] = set()
        self._said: set[str] = set()
        self._parked: list[tuple[int, Node]] = []
        self._bare: set[str] | None = None  # parameters without a gradient after backward
        self._judged: dict[int, _Judged] = {}
        self._known_names: dict[int, str] = {}
        self._names_stale = True
        self._backward_seen = False
        self._stepped: set[int] = set()
        self._weights_seen: dict[int, int] = {}
        self._samples: dict[str, list[float]] = {}
        self._ungraded: dict[str, int] = {}
        self._used_patterns: set[str] = set()
        self._stance: Any = None
        self._off: set[str] = set()
        self._first_step = -1
        self._silenced: set[tuple[str, int, str]] = set()
        self._alive_before: dict[str, tuple[Tensor, list[float]]] = {}
        self._late_looks = 0
        self._lost: dict[str, int] = {}
        self._lost_zero = False
        self._frozen_steps: dict[str, int] = {}
        self._replay: Replay | None = None
        self._idle_steps = 0
        self._live_steps = 0
        self._loss_finite = True
        self._judged_ever: dict[str, Tensor] = {}
        self.names_metrics = True
        # Asked at a traced loss.
        self.on_metrics: Callable[[Trace, Value | None], None] | None = None
        self.sharded = False  # the module holds shards that neither trace nor graph can follow

    # -- who is judged

    def attach(
        self, model: nn.Module, optimizers: Sequence[Any], *, automatic: bool, scaled: bool
    ) -> None:
        """Tell which module and optimizers the run trains."""
        self.model, self.optimizers = model, tuple(optimizers)
        self.automatic, self.scaled = automatic, scaled

    def names(self) -> dict[int, str]:
        """Return id -> user's name for every registered parameter, tied ones once."""
        return _names_of(self.model)

    def judged(self, optimizer: Any = None) -> dict[str, Tensor]:  # noqa: ANN401
        """Return name -> parameter that requires grad and sits in an optimizer."""
        held = [optimizer] if optimizer is not None else self.optimizers
        params = _params_of(*held)
        live = [p.requires_grad for p in params]
        known = self._judged.get(id(optimizer))
        if not self._names_stale and known is not None and known.holds(params, live):
            return known.named
        kept = self._judge_anew(params)
        if known is not None and _same(known.named, kept):
            kept = known.named
        elif known is not None:
            self.audit.forget(known.named)
        self._judged[id(optimizer)] = _Judged(params, live, kept)
        return kept

    def _judge_anew(self, params: Sequence[Tensor]) -> dict[str, Tensor]:
        """Walk the modules for the names of what is held and requires grad."""
        if self._names_stale or not all(id(p) in self._known_names for p in params):
            if self._names_stale:  # every optimizer has to look again
                self._judged = {k: replace(j, live=[]) for k, j in self._judged.items()}
            self._known_names, self._names_stale = self.names(), False
        names = self._known_names
        found = {names[id(p)]: p for p in params if p.requires_grad and id(p) in names}
        kept = {n: p for n, p in found.items() if not self._ignored(n)}
        self._judged_ever.update(kept)
        return kept

    def hold(self, named: Mapping[str, Tensor]) -> None:
        """Judge these parameters too, where the optimizer does not say that it holds them."""
        self._judged_ever.update(named)

    def trainable(self) -> dict[str, Tensor]:
        """Return name -> registered parameter that requires grad, in an optimizer or not."""
        names = self.names()
        params = ((names[id(p)], p) for p in self.model.parameters() if p.requires_grad)
        return {n: p for n, p in params if not self._ignored(n)}

    def _ignored(self, name: str) -> bool:
        hits = [p for p in self.settings.ignore_params if fnmatchcase(name, p)]
        self._used_patterns.update(hits)
        return bool(hits)

    # -- the course of a batch

    def begin_batch(self, step: int, batch: object, replay: Replay | None = None) -> None:
        """Start a batch; the first ones and armed ones are traced.

        Args:
            step: global step.
            batch: what `training_step` gets.
            replay: runs the step again, should it fail.
        """
        self.step = step
        self._replay = replay
        self._loss_finite = True
        self._backward_seen = False
        self._bare = None
        self._names_stale |= self._batches % _NAMES_EVERY == 0
        self._stepped = set()
        first = self._batches < self.settings.trace_steps
        self._batches += 1
        if self._batches == 1:
            self._first_step = step
            self._remember_values()
        if (first or self._armed) and "trace" not in self._off:
            self._armed = False
            self._begin_trace(batch)

    def before_backward(self, loss: Tensor) -> None:
        """Look at the loss and its graph; findings that cannot be refuted are made here."""
        self._leave()
        if loss.device.type == "cpu" and self.automatic:
            self._loss_finite = _is_finite(loss)
        if self._now is None:
            if not loss.requires_grad:
                self._explain_dead_loss()
            return
        started = time.perf_counter()
        view = self._look(loss)
        self._now.trace.seconds += time.perf_counter() - started
        self._at_loss(view)

    def after_backward(self) -> None:
        """Note which gradients are there, before module hooks and clipping touch them."""
        self._backward_seen = True
        self._close_flows()
        self._watch_clearing()
        if self._now is not None and not self.automatic:
            self._enter()

    def _watch_clearing(self) -> None:
        """Note what has a gradient, while that may be asked: reading thousands has its price."""
        if self.automatic and self._batches > self.settings.patience and not self.audit.suspects():
            return
        if not self._judged_ever:
            self.judged()
        bare = {n for n, p in self._judged_ever.items() if p.grad is None}
        self._bare = bare if self._bare is None else self._bare & bare

    def before_step(self, optimizer: Any) -> None:  # noqa: ANN401
        """Take the final gradients of one optimizer."""
        raw = self.enter_step(optimizer)
        if self.step % self.settings.every_n_steps:
            return
        named = self.judged(optimizer)
        if not self._backward_seen and all(p.grad is None for p in named.values()):
            self._idle_steps += 1
            return
        self._live_steps += 1
        self._observe(named, raw)

    def enter_step(self, optimizer: Any) -> Any:  # noqa: ANN401
        """Note that an optimizer is about to step; returns torch's own."""
        self._close_flows()
        raw = getattr(optimizer, "optimizer", optimizer)
        self._stepped.add(id(raw))
        if not self.automatic and self._batches <= _LATE_LOOKS:
            self._count_frozen(raw)
        return raw

    def local_states(self, named: Mapping[str, Tensor]) -> dict[str, State]:
        """Return the states of this rank's gradients, by a full read after a bad loss."""
        if self._loss_finite:
            return self.audit.local(named)
        return {n: state_of(p.grad) for n, p in named.items()}

    def take_states(
        self,
        named: Mapping[str, Tensor],
        states: Mapping[str, State],
        optimizer: Any,  # noqa: ANN401
    ) -> None:
        """Take the states of the final gradients as all ranks have found them together."""
        self.hold(named)
        if not self._backward_seen and all(s <= State.NONE for s in states.values()):
            self._idle_steps += 1
            return
        self._live_steps += 1
        self._observe(named, optimizer, states)

    def suspects(self) -> bool:
        """Say whether a non-finite value came up on this rank, in the loss or on the way back."""
        flows = self._now.flows if self._now is not None else ()
        return not self._loss_finite or any(flow.broke() for flow in flows)

    def end_batch(self) -> None:
        """Finish a batch: raw optimizers, late suspicions, patience."""
        self._release()
        self._leave()
        for optimizer in self.optimizers:
            raw = getattr(optimizer, "optimizer", optimizer)
            if not self.automatic:
                self._note_unseen_step(raw)
            if id(raw) not in self._stepped and not self.automatic:
                self._observe_raw(raw)
        self._look_after_step()
        self.judge_hidden()
        self._judge_terms()
        self._finish_trace()
        self._watch_outsiders()
        self._judge(final=False)

    def _note_before_step(self, named: Mapping[str, Tensor], states: Mapping[str, State]) -> None:
        """Remember what the module's own hooks may still undo: they run after this."""
        if self.automatic and self._batches <= _LATE_LOOKS:
            alive = [n for n, s in states.items() if s is State.ALIVE]
            self._alive_before = {n: (named[n], value_sample(named[n])) for n in alive}

    def _look_after_step(self) -> None:
        """Count gradients that were alive before the hooks of the step and lost in them."""
        if not self._alive_before:
            return
        self._late_looks += 1
        for name, (param, sample) in self._alive_before.items():
            still = value_sample(param) == sample and state_of(param.grad) < State.ALIVE
            if still:
                self._lost[name] = self._lost.get(name, 0) + 1
                self._lost_zero |= param.grad is not None
        self._alive_before = {}

    def finish(self) -> None:
        """End the run: what has lasted until here becomes a finding."""
        self._leave()
        self._finish_trace()
        self.audit.drain()
        if self.audit.captured():
            self.report.add_limit("steps that were captured as a CUDA graph were not looked at")
        if self.audit.tracks or self._batches:
            self._judge(final=True)
        if self._idle_steps and not self._live_steps:
            self.emit(
                diagnose.unassigned_gradients(
                    self._scene(when=f"in {self._idle_steps} of {self._idle_steps} steps")
                )
            )
        self._unused_patterns()
        self._unused_suppressions()
        self._update_report()

    def failed(self, error: BaseException) -> None:
        """Clean up after an exception in the run, and name the operation that torch refused."""
        self._leave()
        self._close_flows()
        self._explain_error(error)
        self._release()
        self._now = None
        self._update_report()

    def _explain_error(self, error: BaseException) -> None:
        """Name the line behind an error of torch's backward pass; the error itself stays."""
        text = str(error)
        scene = self._scene(self._now) if self._now is not None else self._scene()
        if _UNREDUCED in text:
            self.emit(diagnose.awaited_parameters(scene, self._last_missing()))
        self.emit(diagnose.explain_error(scene, text, _raised_at(error)))

    def _last_missing(self) -> list[str]:
        """Return the parameters without a gradient at the latest step."""
        tracks = self.audit.tracks
        last = max((t.last_step for t in tracks.values()), default=-1)
        return [
            n
            for n, t in tracks.items()
            if t.last_step == last and t.run and State.NONE in t.run_state
        ]

    # -- tracing

    def _begin_trace(self, batch: object) -> None:
        self.judged()
        recorder = self._recorder(self.model, batch, on_loss=self._raw_backward)
        recorder.trace.names_metrics = self.names_metrics
        self._now = _Traced(self.step, recorder.trace, recorder=recorder)
        self._enter()

    def _recorder(self, model: nn.Module, batch: object, **options: Any) -> Recorder:  # noqa: ANN401
        return Recorder(
            {_clean(n): p for n, p in model.named_parameters()},
            dict(model.named_buffers()),
            {_clean(n): m for n, m in model.named_modules()},
            batch_tensors(batch),
            step=self.step,
            **options,
        )

    def _run_again(self) -> _Traced | None:
        """Replay the step under a trace that looks at values too; `None` where that fails."""
        if self._replay is None or not self.automatic:
            return None
        try:
            twin = self._replay.copy()
            recorder = self._recorder(twin, None, check_values=True)
            traced = _Traced(self.step, recorder.trace, recorder=recorder)
            self._hold_compiler()
            with torch._C._EnableTorchFunction(), recorder:  # noqa: SLF001
                loss = self._replay.run(twin)
            if loss is None or recorder.trace.fault is not None:
                return None
            self._walk(traced, twin, loss)
            for flow in traced.flows:
                loss.sum().backward()
                flow.close()
        except Exception as fault:  # noqa: BLE001 - the first run of the step has its own error
            self.report.add_limit(
                f"the failing step could not be repeated: {type(fault).__name__}: {fault}"
            )
            return None
        finally:
            self._release_compiler()
        return traced

    def _walk(self, traced: _Traced, model: nn.Module, loss: Tensor) -> LossView:
        """Walk the graph of a loss, tie it to its trace, and hook what its backward pass meets."""
        assert traced.recorder is not None  # noqa: S101 - asked while a step is traced
        view, nodes = walk(loss, _names_of(model))
        view.value = traced.recorder.value(loss)
        traced.trace.losses.append(view)
        if nodes:
            traced.flows.append(Flow(view, nodes))
        self._park(view, nodes)
        return view

    def _explain_dead_loss(self) -> None:
        """GG101 in an untraced step: torch is about to raise, so the step is run once more."""
        traced = self._run_again()
        if traced is not None and traced.trace.losses:
            self.emit(diagnose.disconnected_loss(self._scene(traced), traced.trace.losses[-1]))
        else:
            scene = self._scene(self._untraced())
            self.emit(diagnose.untraced_loss(scene, capture()))

    def _enter(self) -> None:
        if self._now is None or self._now.recorder is None or self._recording:
            return
        self._hold_compiler()
        try:
            self._now.recorder.__enter__()
        except BaseException:
            self._release_compiler()
            raise
        self._recording = True

    def _leave(self) -> None:
        if self._recording and self._now is not None and self._now.recorder is not None:
            self._recording = False
            self._now.recorder.__exit__(None, None, None)
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

    def _raw_backward(self, loss: Tensor) -> None:
        """Look at a loss on which the user calls `backward()` directly."""
        self._backward_seen = True
        if self._now is not None:
            self._at_loss(self._look(loss))

    def _look(self, loss: Tensor) -> LossView:
        """Look at the graph of a loss of the step under way, and at leaves that nobody knows."""
        now = self._now
        assert now is not None  # noqa: S101 - asked while a step is traced
        view = self._walk(now, self.model, loss)
        if view.value is not None:
            now.trace.keep(view.value, loss)
        self._look_for_hidden(now, view)
        return view

    def _park(self, view: LossView, nodes: Sequence[Node]) -> None:
        """Hold the nodes of a large graph until the graph is gone.

        Torch frees a node that Python has seen, and all such nodes below it, by recursion, for
        which a deep graph has no stack. Whoever lets go from the loss down frees them one by one.
        """
        if len(nodes) > _LARGE_GRAPH:
            self._parked.extend((seq, nodes[index]) for seq, index in view.seqs.items())

    def _release(self) -> None:
        self._parked.sort(key=itemgetter(0))
        while self._parked:
            self._parked.pop()

    def _close_flows(self) -> None:
        for flow in self._now.flows if self._now is not None else ():
            flow.close()

    def _stop_tracing(self, calls: int) -> None:
        """Say that the step has too many calls; half a record would blame the wrong ones."""
        why = f"the step makes more than {calls:,} torch calls"
        self._off.add("trace")
        self.report.add_limit(f"the operations of a step were not traced: {why}")
        scene = self._scene(self._untraced())
        self.emit(diagnose.unchecked(scene, "the operations of a step", why))

    def _finish_trace(self) -> None:
        now, self._now = self._now, None
        if now is None:
            return
        for flow in now.flows:
            flow.close()
            now.trace.fault = now.trace.fault or flow.fault
        if now.recorder is not None:
            now.recorder.forget()
            now.recorder = None
        if now.trace.fault is not None and self.settings.strict:
            raise now.trace.fault
        if now.trace.fault is not None:
            self.off("trace", now.trace.fault)
        if now.trace.truncated:
            self._stop_tracing(len(now.trace.calls))
            return
        if now.trace.losses or (now.trace.calls and not self.automatic):
            self._kept.append(now)

    def _untraced(self) -> _Traced:
        """Return the record of a step of which nothing was traced."""
        return _Traced(self.step, Trace(self.step))

    def _scene(self, traced: _Traced | None = None, when: str = "") -> Scene:
        traced = traced or (self._kept[-1] if self._kept else self._untraced())
        judged = self._judged_ever or self.judged()
        sizes = self.audit.numels
        return Scene(
            traced.trace,
            self.model,
            judged,
            traced.flows,
            self.step,
            when,
            automatic=self.automatic,
            sharded=self.sharded,
            sizes=sizes,
        )

    def scene(self, when: str = "", *, bare: bool = False) -> Scene:
        """Return what is known about the step under way.

        Args:
            when: how long the state has lasted.
            bare: leave the trace out, so that the scene is the same on every rank.
        """
        traced = None if bare else self._now
        return self._scene(traced or self._untraced(), when)

    # -- at the loss

    def _at_loss(self, view: LossView) -> None:
        now = self._now
        if now is None or now.trace.fault is not None or now.trace.truncated:
            return
        self.judged()
        scene = self._scene(now)
        found = diagnose.disconnected_loss(scene, view)
        if found and found[0].code == "GG102" and not self._leaf_is_stray(view):
            found = []
        self.emit(found)
        if not found and not self.sharded:
            self.emit(diagnose.undifferentiable_ops(scene, view))
            self.emit(diagnose.constant_terms(scene, view))
        self._route(now.trace, view)
        now.trace.drop()

    def _route(self, trace: Trace, view: LossView) -> None:
        """Hand over what was recognised while the tensors of the step are still held."""
        if self.on_metrics is None or self.is_off("metrics"):
            return
        try:
            self.on_metrics(trace, view.value)
        except Exception as fault:  # noqa: BLE001 - a bug in routing must not cost the findings
            self.off("metrics", fault)

    def _leaf_is_stray(self, view: LossView) -> bool:
        """Say whether no leaf of the loss is trained by an optimizer."""
        return {id(p) for p in _params_of(*self.optimizers)}.isdisjoint(view.leaves)

    # -- states

    def _observe(
        self,
        named: Mapping[str, Tensor],
        optimizer: Any,  # noqa: ANN401
        agreed: Mapping[str, State] | None = None,
    ) -> None:
        if agreed is None and self._loss_finite:
            found = self.audit.look(named, self.step)
            states = self.audit.observe(named, self.step, states=found)
        else:
            states = self.audit.observe(named, self.step, states=agreed)
        self._watch_updates(named, optimizer)
        self._names_stale |= any(
            s is State.NONE and self.audit.tracks[n].run == 1 for n, s in states.items()
        )
        if agreed is None:
            self._note_before_step(named, states)
        for name, state in states.items():
            if state is State.NONE and self._had_gradient(name):
                track = self.audit.tracks[name]
                # Nobody had looked after backward in the first step of a sudden run.
                track.cleared += 2 if track.run == _MIN_LATE_RUN and not track.cleared else 1
        broken = [n for n, s in states.items() if s is State.NONFINITE]
        if agreed is not None and broken:
            self._nonfinite(broken)
        elif agreed is None and (broken or not self._loss_finite):
            self._nonfinite(self._recount(named, states))
        self._arm(states)

    def _had_gradient(self, name: str) -> bool:
        """Say whether a parameter had a gradient after some backward pass of this batch."""
        return self._bare is not None and name in self._judged_ever and name not in self._bare

    def _recount(self, named: Mapping[str, Tensor], states: Mapping[str, State]) -> list[str]:
        """Return who has a non-finite gradient, by a full read: samples may have missed some."""
        broken = [n for n in states if state_of(named[n].grad) is State.NONFINITE]
        for name in broken:
            if states[name] is not State.NONFINITE:
                self.audit.tracks[name].nonfinite += 1
                self.audit.tracks[name].nonfinite_ever = True
        return broken

    def _note_unseen_step(self, optimizer: Any) -> None:  # noqa: ANN401
        """Say that weights moved although no step of their optimizer was seen."""
        version = sum(map(version_of, _params_of(optimizer)))
        before = self._weights_seen.get(id(optimizer), version)
        self._weights_seen[id(optimizer)] = version
        if version != before and id(optimizer) not in self._stepped:
            self.emit(diagnose.unchecked(self._scene(), *_UNSEEN_STEPS))

    def _observe_raw(self, optimizer: Any) -> None:  # noqa: ANN401
        """Judge an optimizer that steps unseen, by what is left at the end of the batch."""
        named = self.judged(optimizer)
        if not named:
            return
        if any(p.grad is not None for p in named.values()):
            self._observe(named, optimizer)
        elif self._backward_seen:
            had = {n for n in named if self._had_gradient(n)}
            for name in named if had else ():  # none at all: it had no turn in this batch
                state = State.ALIVE if name in had else State.NONE
                self.audit.track(name, named[name]).note(state, self.step)

    def _watch_updates(self, named: Mapping[str, Tensor], optimizer: Any) -> None:  # noqa: ANN401
        groups = getattr(optimizer, "param_groups", ())
        frozen = {id(p) for g in groups if _rate(g) == 0.0 for p in g["params"]}
        if not frozen:
            return
        for name, param in named.items():
            if id(param) in frozen:
                track = self.audit.tracks.get(name)
                if track is not None:
                    track.frozen_lr += 1

    def _arm(self, states: Mapping[str, State]) -> None:
        """Ask for a trace of the next step where no traced step explains a new suspicion."""
        for name, state in states.items():
            track = self.audit.tracks[name]
            if state >= State.ALIVE:
                self._armed_for.discard(name)
            elif track.run == 1 and name not in self._armed_for and not self._explained(name):
                self._armed_for.add(name)
                self._armed = True

    def _explained(self, name: str) -> bool:
        track = self.audit.tracks[name]
        steps = {t.step for t in self._kept} | (
            {self._now.step} if self._now is not None else set()
        )
        return any(step >= track.first_dead for step in steps)

    def _nonfinite(self, names: list[str]) -> None:
        names = [n for n in names if n not in self._said]
        patience = self.settings.patience if self.scaled else 1
        names = [n for n in names if self.audit.tracks[n].nonfinite >= patience]
        if not names or "GG204" in self._said:
            return
        self._said.update([*names, "GG204"])
        traced = self._run_again() or self._now
        scene = self._scene(traced or self._untraced(), f"at global step {self.step}")
        seen = (
            traced.recorder.nonfinite if traced is not None and traced.recorder is not None else []
        )
        self.emit(diagnose.nonfinite_gradients(scene, names, seen))

    # -- verdicts

    def _judge(self, *, final: bool) -> None:
        """Turn what has lasted into findings."""
        due = [
            n
            for n in self.audit.suspects()
            if n not in self._said and self._is_due(n, self.audit.tracks[n], final=final)
        ]
        if due:
            self._verdict(due)
        if final or self._batches == self.settings.patience:
            self._judge_updates(final=final)

    def _is_due(self, name: str, track: Track, *, final: bool) -> bool:
        if track.run == 0:
            return False
        if track.run >= self.settings.patience:
            return True
        if not final:
            return False
        return track.never or (
            track.run >= _MIN_LATE_RUN and track.run > track.longest_gap and self._strong(name)
        )

    def _strong(self, name: str) -> bool:
        """Say whether an operation explains a late failure, not a branch that did not run."""
        traced = self._evidence_for(name)
        if traced is None:
            return False
        scene = self._scene(traced)
        track = self.audit.tracks[name]
        if track.dead_state is State.ZERO:
            return diagnose.lasts(scene, name)
        return any(d.code in {"GG104", "GG105"} for d in diagnose.missing_parameters(scene, [name]))

    def _evidence_for(self, name: str) -> _Traced | None:
        """Return the latest traced step at which the parameter was already without a gradient."""
        track = self.audit.tracks[name]
        return next((t for t in reversed(self._kept) if t.step >= track.first_dead), None)

    def _verdict(self, names: Sequence[str]) -> None:
        groups: dict[tuple[int, bool, str], list[str]] = {}
        for name in names:
            track = self.audit.tracks[name]
            traced = self._evidence_for(name)
            zero = track.dead_state is State.ZERO
            if track.cleared and track.cleared >= track.run:
                continue
            when = f"in {track.run} of {track.steps} steps"
            groups.setdefault((id(traced), zero, when), []).append(name)
        by_id = {id(t): t for t in [*self._kept, None]}
        for (key, zero, when), group in groups.items():
            scene = self._scene(by_id.get(key) or self._untraced(), when)
            scene.hopeless = all(t.never for t in self.audit.tracks.values())
            self._conclude(scene, group, zero=zero)

    def _conclude(self, scene: Scene, names: list[str], *, zero: bool) -> None:
        names = [n for n in names if n not in self._said]
        discarded = [n for n in names if not zero and self._discarded(scene, n)]
        rest = [n for n in names if n not in discarded]
        if discarded:
            self._said.update(discarded)
            self.emit(self._discarding(scene, discarded))
        find = diagnose.zero_parameters if zero else diagnose.missing_parameters
        if self.sharded:
            found = diagnose.gradless_shards(scene, rest, zero=zero)
        else:
            found = find(scene, rest) if rest and not self._whole_loss_found() else []
        for diagnostic in found:
            self._said.update(diagnostic.params)
        self.emit(found)

    def _whole_loss_found(self) -> bool:
        return any(d.code in {"GG101", "GG102"} for d in self.report.diagnostics)

    def _discarded(self, scene: Scene, name: str) -> bool:
        """Say whether the graph reaches a parameter, and the module's own `backward` does not."""
        reached = any(name in v.params for v in scene.trace.losses)
        return reached and not any(f.edges for f in scene.flows)

    def _discarding(self, scene: Scene, names: Sequence[str]) -> list[Diagnostic]:
        span = syntax.method_span(type(self.model), "backward")
        why = (
            "the graph of the loss reaches these parameters, "
            "but `backward` left no gradient on them"
        )
        return diagnose.unchanged_parameters(scene, names, why, span, self.optimizers)

    def _judge_updates(self, *, final: bool) -> None:
        """GG401, GG402, GG403: what the optimizers hold and whether it moves."""
        tracks = {n: t for n, t in self.audit.tracks.items() if n not in self._said and t.steps}
        scene = self._scene(when="")
        frozen = [n for n, t in tracks.items() if t.alive and t.frozen_lr == t.steps]
        if frozen and len(frozen) == len(tracks):
            self._said.update(frozen)
            why = "the learning rate of their `param_group` was 0 at every step"
            self.emit(diagnose.unchanged_parameters(scene, frozen, why, None, self.optimizers))
        held = [n for n, k in self._frozen_steps.items() if k and not self._trained(n)]
        if held and final:
            self._said.update(held)
            why = (
                "they required grad when training began "
                "and were frozen at every step of their optimizer"
            )
            span = diagnose.toggling_span(self.model)
            self.emit(diagnose.unchanged_parameters(scene, held, why, span, self.optimizers))
        lost = [n for n in tracks if self._late_looks and self._lost.get(n) == self._late_looks]
        if lost and final:
            self._said.update(lost)
            self.emit(diagnose.undone_gradients(scene, lost, zeroed=self._lost_zero))
        cleared = [n for n, t in tracks.items() if t.cleared and t.cleared == t.steps]
        if cleared and (final or len(cleared) == len(tracks)):
            self._said.update(cleared)
            why = "the gradients were there after `backward` and gone before the optimizer step"
            span = definitions.clearing_span(type(self.model))
            self.emit(diagnose.unchanged_parameters(scene, cleared, why, span, self.optimizers))
        self._judge_outsiders(scene)

    def _trained(self, name: str) -> bool:
        track = self.audit.tracks.get(name)
        return track is not None and track.steps > 0

    def _count_frozen(self, optimizer: Any) -> None:  # noqa: ANN401
        """Count the steps of an optimizer at which once trainable parameters are frozen."""
        names = self.names()
        for param in _params_of(optimizer):
            name = names.get(id(param))
            if name in self._samples and not param.requires_grad and not self._ignored(name):
                self._frozen_steps[name] = self._frozen_steps.get(name, 0) + 1

    # -- parameters outside of the optimizers

    def _remember_values(self) -> None:
        self._samples = {
            n: value_sample(p) for n, p in self.model.named_parameters() if p.requires_grad
        }

    def _outsiders(self) -> dict[str, Tensor]:
        """Return registered parameters that require grad and sit in no optimizer."""
        held = {id(p) for p in _params_of(*self._all_optimizers())}
        return {n: p for n, p in self.trainable().items() if id(p) not in held}

    def _all_optimizers(self) -> list[Any]:
        own = [
            v
            for m in self.model.modules()
            for v in vars(m).values()
            if isinstance(v, torch.optim.Optimizer)
        ]
        return [
            getattr(o, "optimizer", o)
            for o in (*self.optimizers, *own)
            if hasattr(o, "param_groups")
        ]

    def _watch_outsiders(self) -> None:
        """Count the batches at whose end an unoptimized parameter holds a gradient."""
        if self._batches > self.settings.patience or not self.optimizers or self.sharded:
            return
        for name, param in self._outsiders().items():
            if param.grad is not None or any(
                name in v.params for t in self._kept[-1:] for v in t.trace.losses
            ):
                self._ungraded[name] = self._ungraded.get(name, 0) + 1
                if name not in self._samples:
                    self._samples[name] = value_sample(param)

    def _judge_outsiders(self, scene: Scene) -> None:
        outside = {
            n: p
            for n, p in self._outsiders().items()
            if self._ungraded.get(n) and n not in self._said
        }
        outside = {
            n: p
            for n, p in outside.items()
            if self._in_training(n) and value_sample(p) == self._samples.get(n, value_sample(p))
        }
        if not outside:
            return
        self._said.update(outside)
        registered = {id(p) for p in self.model.parameters()}
        held = _params_of(*self.optimizers)
        stale = [p for p in held if id(p) not in registered and p.grad is None]
        if stale:
            self.emit(
                diagnose.stale_optimizer_parameters(
                    scene, list(outside), len(stale), self.optimizers
                )
            )
        else:
            self.emit(diagnose.unoptimized_parameters(scene, list(outside), self.optimizers))

    def _in_training(self, name: str) -> bool:
        """Say whether the module of a parameter is in training mode and not just used as it is."""
        try:
            return self.model.get_submodule(name.rpartition(".")[0]).training
        except AttributeError:
            return True

    def _look_for_hidden(self, now: _Traced, view: LossView) -> None:
        """Name the leaves of a loss that are no parameters of the module, while they are alive."""
        tensors = [t for ref in view.leaf_refs.values() if (t := ref()) is not None]
        held = {id(p) for p in _params_of(*self._all_optimizers())}
        strays = [
            t
            for t in tensors
            if id(t) not in held and (view.value is None or id(t) != view.value.tensor_id)
        ]
        strays = [t for t in strays if not self._copies_a_parameter(now, t)]
        found, spans = hidden_tensors(self.model, strays, now.trace) if strays else ({}, {})
        now.hidden |= {name: tensor.numel() for name, tensor in found.items()}
        now.places |= spans

    def _copies_a_parameter(self, now: _Traced, tensor: Tensor) -> bool:
        """Say whether a leaf was made from a trained parameter, whose own finding says it all."""
        if now.recorder is None:
            return False
        inside = self._scene(now).lineage.ancestors([now.recorder.value(tensor)])
        return any(v.kind == "param" and v.name in self._judged_ever for v in inside)

    def _judge_terms(self) -> None:
        """GG103 once more, with what the backward pass did."""
        now = self._now
        if now is None or now.step != self._first_step:
            return
        scene = self._scene(now)
        for flow in now.flows:
            self.emit(diagnose.flat_terms(scene, flow))
        if self.automatic:
            self.emit(diagnose.unsummed_terms(scene))

    def judge_hidden(self) -> None:
        """GG107: leaves of the loss that are no parameters of the module."""
        now = self._now
        if now is not None and now.hidden and not self.sharded and not self._whole_loss_found():
            self.emit(diagnose.unregistered_parameters(self._scene(now), now.hidden, now.places))

    # -- telling

    def emit(self, found: Iterable[Diagnostic]) -> None:
        """Take findings into the report, unless switched off or suppressed in the source."""
        for diagnostic in found:
            if not self.wants(diagnostic):
                continue
            if self.report.add(diagnostic) and diagnostic.severity is not Severity.INFO:
                self.fresh.append(diagnostic)

    def _suppressed(self, diagnostic: Diagnostic) -> bool:
        """Say whether a comment on the reported line asks for silence."""
        span = diagnostic.span
        if span is None or diagnostic.code not in syntax.suppressions(span.path, span.line):
            return False
        self._silenced.add((span.path, span.line, diagnostic.code))
        return True

    def _unused_suppressions(self) -> None:
        """GG902: comments in the files of the user's modules that have silenced nothing."""
        kinds = {type(m) for m in self.model.modules()}
        files = {f for k in kinds if (f := definitions.file_of(k)) is not None}
        comments = [(f, *s) for f in sorted(files) for s in syntax.all_suppressions(f)]
        for file, span, codes in comments:
            idle = sorted(c for c in codes if (span.path, span.line, c) not in self._silenced)
            if idle and definitions.took_part(file, span.line, kinds):
                comment = f"# gradguard: ignore[{', '.join(idle)}]"
                self.emit(diagnose.unused_suppression(self._scene(), span, comment))

    def wants(self, diagnostic: Diagnostic) -> bool:
        """Say whether a finding is neither switched off nor suppressed in the source."""
        return diagnostic.code in self.settings.codes and not self._suppressed(diagnostic)

    def settle(self, diagnostic: Diagnostic) -> None:
        """Take note of a finding of the whole job: nothing of it is said again."""
        self.report.add(diagnostic)
        self._said.update(diagnostic.params)

    def shut(self, part: str) -> None:
        """Switch a part of the guard off without a word: it has been said elsewhere."""
        self._off.add(part)

    def take_fresh(self) -> list[Diagnostic]:
        """Return the findings since the last call."""
        fresh, self.fresh = self.fresh, []
        return fresh

    def off(self, part: str, fault: BaseException) -> None:
        """Switch a part of the guard off after a bug in it, and say so once."""
        if part in self._off:
            return
        self._off.add(part)
        _log.error("gradguard: the %s failed and is off from here on", part, exc_info=fault)
        why = f"{type(fault).__name__}: {fault}"
        self.report.add_limit(f"the {part} failed with {why}")
        try:
            scene = self._scene(self._untraced())
            self.emit(diagnose.unchecked(scene, f"the {part}", why))
        except Exception:  # noqa: BLE001 - what stays is the log
            _log.exception("gradguard: what failed cannot be put into the report either")

    def is_off(self, part: str) -> bool:
        """Say whether a part has been switched off."""
        return part in self._off

    def scalars(
        self,
        optimizer: Any,  # noqa: ANN401
        norm: Callable[[Sequence[Tensor]], float] = total_norm,
    ) -> dict[str, float]:
        """Return what is logged at the logging cadence; reads every gradient once for the norm."""
        named = self.judged(optimizer)
        tracks = [self.audit.tracks[n] for n in named if n in self.audit.tracks]
        return {
            "gradguard/coverage": self.audit.coverage(),
            "gradguard/missing": float(
                sum(1 for t in tracks if t.run and t.dead_state is State.NONE)
            ),
            "gradguard/zero": float(sum(1 for t in tracks if t.run and t.dead_state is State.ZERO)),
            "gradguard/nonfinite": float(sum(1 for t in tracks if t.nonfinite)),
            "gradguard/grad_norm": norm([p.grad for p in named.values() if p.grad is not None]),
        }

    def _unused_patterns(self) -> None:
        for pattern in self.settings.ignore_params:
            if pattern not in self._used_patterns:
                self.report.add_limit(
                    f"`ignore_params` pattern {pattern!r} matched no trainable parameter"
                )

    def _update_report(self) -> None:
        tracks = self.audit.tracks
        traces = [t.trace for t in self._kept]
        self.report.update(
            coverage=self.audit.coverage(),
            trained=sum(1 for t in tracks.values() if t.alive),
            total=len(tracks),
            step=self.step,
            traced_calls=sum(len(t.calls) for t in traces),
            seen_calls=sum(t.seen for t in traces),
            trace_ms=1000 * sum(t.seconds for t in traces),
        )


@dataclass(frozen=True, slots=True)
class _Judged:
    """What an optimizer held when its parameters were last named."""

    params: list[Tensor]
    live: list[bool]
    named: dict[str, Tensor]

    def holds(self, params: list[Tensor], live: list[bool]) -> bool:
        """Say whether the optimizer still holds the same, and the same requires grad."""
        if live != self.live or len(params) != len(self.params):
            return False
        return all(map(is_, params, self.params))


def _clean(name: str) -> str:
    """Return the user's name of a parameter or module, without what wrappers put into it."""
    return _PREFIXES.sub("", name)


def _names_of(model: nn.Module) -> dict[int, str]:
    """Return id -> user's name of every parameter of a module, tied ones once."""
    return {id(p): _clean(n) for n, p in model.named_parameters()}


def _params_of(*optimizers: Any) -> list[Tensor]:  # noqa: ANN401
    """Return what some optimizers hold, in their order."""
    return [p for o in optimizers for g in getattr(o, "param_groups", ()) for p in g["params"]]


def _same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    """Say whether two mappings hold the same tensors under the same names."""
    return list(one) == list(other) and all(map(is_, one.values(), other.values()))


def _rate(group: Mapping[str, Any]) -> float:
    """Return the learning rate of a group, NaN where that would mean waiting for a device."""
    rate = group.get("lr", 1.0)
    return math.nan if isinstance(rate, Tensor) and rate.device.type != "cpu" else float(rate)


def _is_finite(loss: Tensor) -> bool:
    loss = loss.detach()
    if loss.numel() == 1 and not loss.is_complex():
        return math.isfinite(loss.item())
    return bool(torch.isfinite(loss).all())


def _raised_at(error: BaseException) -> Span | None:
    """Return the innermost line of the user's project in a traceback."""
    frames = [(f.f_code, f.f_lasti) for f, _ in traceback.walk_tb(error.__traceback__)]
    mine = [site for site in frames if is_user_file(site[0].co_filename)]
    return locate(mine[-1]) if mine else None


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
