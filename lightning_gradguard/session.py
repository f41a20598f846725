# SPDX-License-Identifier: Apache-2.0
"""One training run as the guard sees it: events in, findings and a report out.

Knows modules and optimizers, and no trainer.
"""

import math
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gradguard import diagnose
from lightning_gradguard.audit import total_norm
from lightning_gradguard.diagnose import Scene
from lightning_gradguard.flow import State, state_of
from lightning_gradguard.hidden import hidden_tensors
from lightning_gradguard.lasting import LATE_LOOKS, MIN_LATE_RUN, Lasting
from lightning_gradguard.peek import UNREAD, UNUSUAL, peek
from lightning_gradguard.replay import Replay
from lightning_gradguard.report import Report
from lightning_gradguard.roster import params_of, rate_of, raw_of
from lightning_gradguard.rules import Diagnostic
from lightning_gradguard.run import Run, Settings, Traced
from lightning_gradguard.source import Span, capture, is_user_file, locate
from lightning_gradguard.trace import LossView, Trace, Value, version_of
from lightning_gradguard.tracer import Tracer
from lightning_gradguard.unseen import UnseenSteps

__all__ = ["Session", "Settings"]

# How DDP says that a step has left parameters out; Lightning drops the rest of its text.
_UNREDUCED = "Expected to have finished reduction in the prior iteration"
_UNSEEN_STEPS = (
    "the gradients of an optimizer step behind the back of the Trainer",
    (
        "`self.optimizers(use_pl_optimizer=False)` gives an optimizer that Lightning does not "
        "watch; its gradients are judged by what is left of them at the end of the batch"
    ),
)
_NAMES_EVERY = 50  # batches after which the modules are walked again for new parameters


class Session(Run):
    """Everything the guard knows about one run.

    Args:
        settings: the options.
        report: where findings go.

    Attributes:
        on_metrics: asked at a traced loss, with its trace and the value of the loss.
    """

    def __init__(self, settings: Settings, report: Report) -> None:
        super().__init__(settings, report)
        self.tracer = Tracer(self)
        self.lasting = Lasting(self, self.tracer)
        self.unseen = UnseenSteps(self)
        self.on_metrics: Callable[[Trace, Value | None], None] | None = None
        self._new_terms: list[tuple[LossView, Diagnostic]] = []
        self._held_terms: list[tuple[Diagnostic, frozenset[str]]] = []
        self._doubtful: list[Diagnostic] = []  # told if no parameter gets a gradient in the batch
        self._armed = False
        self._armed_for: set[str] = set()
        self._bare: set[str] | None = None  # parameters without a gradient after backward
        self._backward_seen = False
        self._stepped: set[int] = set()
        self._weights_seen: dict[int, int] = {}
        self._first_step = -1
        self._idle_steps = 0
        self._live_steps = 0
        self._loss: Tensor | None = None  # that of the batch, until somebody asks what it is
        self._finite = True
        self._draws = False  # a step draws random numbers, and has to be run again with the same

    def attach(
        self, model: nn.Module, optimizers: Sequence[Any], *, automatic: bool, scaled: bool
    ) -> None:
        """Tell which module and optimizers the run trains."""
        self.roster.model, self.roster.optimizers = model, tuple(optimizers)
        self.automatic, self.scaled = automatic, scaled

    def hold(self, named: Mapping[str, Tensor]) -> None:
        """Judge these parameters too, where the optimizer does not say that it holds them."""
        self.roster.ever.update(named)

    def begin_batch(self, step: int, batch: object, replay: Replay | None = None) -> None:
        """Start a batch; the first ones and armed ones are traced.

        Args:
            step: global step.
            batch: what `training_step` gets.
            replay: runs the step again, should it fail.
        """
        self.step = step
        self.tracer.replay = replay
        self._loss, self._finite = None, True
        self._backward_seen = False
        self._bare = None
        self.roster.stale |= self.batches % _NAMES_EVERY == 0
        self._stepped = set()
        if not self.automatic:
            self.unseen.listen()
        first = self.batches < self.settings.trace_steps
        self.batches += 1
        if self.batches == 1:
            self._first_step = step
            self.lasting.remember_values()
        self.quiet = self._has_nothing_open()
        if replay is not None and (self._draws or not self.quiet):
            replay.mark()
        if (first or self._armed) and "trace" not in self.off:
            self._armed = self.quiet = False
            self.tracer.begin(batch, self._raw_backward)

    def _has_nothing_open(self) -> bool:
        """Say whether the first looks are over, and no suspicion waits for its end."""
        if not self.automatic or self.batches <= max(self.settings.patience, LATE_LOOKS):
            return False
        return not (self.roster.stale or self._held_terms or self.off or self.audit.suspects())

    def before_backward(self, loss: Tensor) -> None:
        """Look at the loss and its graph; findings that cannot be refuted are made here."""
        self._backward_seen = True
        if not self.quiet:
            self.tracer.leave()
            self._draws |= self.tracer.replay is not None and self.tracer.replay.has_drawn()
        if loss.is_cpu and self.automatic:
            self._loss = loss
        if self.tracer.now is None:
            if not loss.requires_grad:
                self._explain_dead_loss()
            return
        started = time.perf_counter()
        view = self._look(self.tracer.now, loss)
        self.tracer.now.trace.seconds += time.perf_counter() - started
        self._at_loss(view)

    def after_backward(self) -> None:
        """Note which gradients are there, before module hooks and clipping touch them."""
        self._backward_seen = True
        self.tracer.close_flows()
        self._watch_clearing()
        if self.tracer.now is not None and not self.automatic:
            self.tracer.enter()

    def _watch_clearing(self) -> None:
        """Note what has a gradient, while that may be asked: reading thousands has its price."""
        if not self.roster.ever:
            self.judged()
        bare = {n for n, p in self.roster.ever.items() if p.grad is None}
        self._bare = bare if self._bare is None else self._bare & bare

    def before_step(self, optimizer: Any) -> None:  # noqa: ANN401
        """Take the final gradients of one optimizer."""
        named = self.roster.kept(optimizer) if self.quiet else None
        self.quiet = named is not None
        raw = optimizer if self.quiet else self.enter_step(optimizer)
        if self.step % self.settings.every_n_steps:
            return
        if named is None:
            named = self.judged(optimizer)
        if not self._backward_seen and all(p.grad is None for p in named.values()):
            self._idle_steps += 1
            return
        self._live_steps += 1
        self._observe(named, raw)

    def enter_step(self, optimizer: Any) -> Any:  # noqa: ANN401
        """Note that an optimizer is about to step; returns torch's own."""
        self.tracer.close_flows()
        raw = raw_of(optimizer)
        self._stepped.add(id(raw))
        if not self.automatic and self.batches <= LATE_LOOKS:
            self.lasting.count_frozen(raw)
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
        flows = self.tracer.now.flows if self.tracer.now is not None else ()
        return not self._loss_finite or any(flow.broke() for flow in flows)

    def end_batch(self) -> None:
        """Finish a batch: raw optimizers, late suspicions, patience."""
        self.rest()
        self.unseen.stop()
        self.tracer.release()
        self.tracer.leave()
        for optimizer in self.optimizers:
            raw = raw_of(optimizer)
            if not self.automatic:
                self._note_unseen_step(raw)
            if id(raw) not in self._stepped and not self.automatic:
                self._observe_raw(raw)
        self._judge_doubtful()
        self._judge_held_terms()
        self.lasting.look_after_step()
        self.judge_hidden()
        self._judge_terms()
        self.tracer.finish()
        self.lasting.watch_outsiders()
        self.lasting.judge(final=False)

    def rest(self) -> None:
        """Let go of the loss and of the batch; all that is left to do in a quiet one."""
        self._loss = self.tracer.replay = None

    @property
    def _loss_finite(self) -> bool:
        """Say whether the loss of the batch is finite: read when it is asked for, once."""
        if self._loss is not None:
            self._finite, self._loss = _is_finite(self._loss), None
        return self._finite

    def finish(self) -> None:
        """End the run: what has lasted until here becomes a finding."""
        self.unseen.stop()
        self.tracer.leave()
        self.tracer.finish()
        self.audit.drain()
        self.unseen.judge()
        if self.audit.captured():
            self.report.add_limit("steps that were captured as a CUDA graph were not looked at")
        if self.audit.tracks or self.batches:
            self.lasting.judge(final=True)
        if self._idle_steps and not self._live_steps:
            when = f"in {self._idle_steps} of {self._idle_steps} steps"
            self.emit(diagnose.unassigned_gradients(self.scene_of(self.tracer.latest, when)))
        for pattern in self.roster.idle_patterns():
            self.report.add_limit(
                f"`ignore_params` pattern {pattern!r} matched no trainable parameter"
            )
        self.tell_idle_suppressions()
        self.update_report()

    def failed(self, error: BaseException) -> None:
        """Clean up after an exception in the run, and name the operation that torch refused."""
        self.unseen.stop()
        self.tracer.leave()
        self.tracer.close_flows()
        self._explain_error(error)
        self.tracer.release()
        self.tracer.now = None
        self.update_report()

    def _explain_error(self, error: BaseException) -> None:
        """Name the line behind an error of torch's backward pass; the error itself stays."""
        text = str(error)
        scene = self.scene_of(self.tracer.now or self.tracer.latest)
        if _UNREDUCED in text:
            self.emit(diagnose.awaited_parameters(scene, self._last_missing()))
        raised_at = _raised_at(error)
        running = diagnose.Running.by(error)
        self.emit(diagnose.explain_error(scene, text, raised_at, running))
        if diagnose.speaks_of_values(text, raised_at):
            self._explain_values(error)

    def _explain_values(self, error: BaseException) -> None:
        """Look for the NaN behind an error about values, which the forward pass has raised."""
        traced = self.tracer.run_again(error)
        if traced is not None and traced.nonfinite:
            scene = self.scene_of(traced, f"at global step {self.step}")
            self._nonfinite_found(diagnose.nonfinite_values(scene, traced.nonfinite), scene)

    def _last_missing(self) -> list[str]:
        """Return the parameters without a gradient at the latest step."""
        tracks = self.audit.tracks
        last = max((t.last_step for t in tracks.values()), default=-1)
        return [
            n
            for n, t in tracks.items()
            if t.last_step == last and t.run and State.NONE in t.run_state
        ]

    def _explain_dead_loss(self) -> None:
        """GG101 in an untraced step: torch is about to raise, so the step is run once more."""
        traced = self.tracer.run_again()
        if traced is not None and traced.trace.losses:
            self.emit(diagnose.disconnected_loss(self.scene_of(traced), traced.trace.losses[-1]))
        else:
            scene = self.scene_of(self.untraced())
            self.emit(diagnose.untraced_loss(scene, capture()))

    def _raw_backward(self, loss: Tensor) -> None:
        """Look at a loss on which the user calls `backward()` directly."""
        self._backward_seen = True
        if self.tracer.now is not None:
            self._at_loss(self._look(self.tracer.now, loss), raw=True)

    def scene(self, when: str = "", *, bare: bool = False) -> Scene:
        """Return what is known about the step under way.

        Args:
            when: how long the state has lasted.
            bare: leave the trace out, so that the scene is the same on every rank.
        """
        traced = None if bare else self.tracer.now
        return self.scene_of(traced or self.untraced(), when)

    def _look(self, now: Traced, loss: Tensor) -> LossView:
        """Look at the graph of a loss of the step under way, and at leaves that nobody knows."""
        view = self.tracer.look(loss)
        self._look_for_hidden(now, view)
        return view

    def _at_loss(self, view: LossView, *, raw: bool = False) -> None:
        now = self.tracer.now
        if now is None or now.trace.fault is not None or now.trace.truncated:
            return
        self.judged()
        scene = replace(self.scene_of(now), unfinished=not self.automatic)
        found = diagnose.disconnected_loss(scene, view)
        if found and found[0].code == "GG102" and not self._leaf_is_stray(view):
            found = []
        if found and found[0].code == "GG102" and raw:
            self._doubtful += found  # an inner loop of copies, or the end of all training
            return
        self.emit(found)
        if not found and not self.sharded:
            self.emit(diagnose.undifferentiable_ops(scene, view))
            self.emit(diagnose.lost_sums(scene, view))
            self._judge_constant(scene, view)
        self._route(now.trace, view)
        now.trace.drop()

    def _judge_constant(self, scene: Scene, view: LossView) -> None:
        """GG103, which has to wait for the other losses of the step where there may be some."""
        found = diagnose.constant_terms(scene, view)
        if self.automatic:
            self.emit(found)
        else:
            self._new_terms += [(view, d) for d in found]

    def _judge_held_terms(self) -> None:
        """GG103 of manual optimization, once the other parameters in it have proven to be alive."""
        if self.tracer.now is not None and self._new_terms:
            scene = replace(self.scene_of(self.tracer.now), unfinished=True)
            found = ((d, diagnose.sources_of(scene, v, d)) for v, d in self._new_terms)
            self._held_terms += found
            self._new_terms = []
        tracks = self.audit.tracks
        alive = {n for n, t in tracks.items() if t.alive} if self._held_terms else set()
        self.emit(d for d, names in self._held_terms if names <= alive)
        self._held_terms = [(d, names) for d, names in self._held_terms if not names <= alive]

    def _judge_doubtful(self) -> None:
        """GG102 of a `backward()` by hand: an inner loop on copies may assign `.grad` itself."""
        if self._doubtful and all(p.grad is None for p in self.judged().values()):
            self.emit(self._doubtful[:1])
        self._doubtful = []

    def _route(self, trace: Trace, view: LossView) -> None:
        """Hand over what was recognised while the tensors of the step are still held."""
        if self.on_metrics is None or "metrics" in self.off:
            return
        try:
            self.on_metrics(trace, view.value)
        except Exception as fault:  # noqa: BLE001 - a bug in routing must not cost the findings
            self.switch_off("metrics", fault)

    def _leaf_is_stray(self, view: LossView) -> bool:
        """Say whether no leaf of the loss is trained by an optimizer."""
        return {id(p) for p in params_of(*self.optimizers)}.isdisjoint(view.leaves)

    def _observe(
        self,
        named: Mapping[str, Tensor],
        optimizer: Any,  # noqa: ANN401
        agreed: Mapping[str, State] | None = None,
    ) -> None:
        if agreed is None and self._loss_finite:
            found = self.audit.look(named, self.step)
            if found and self.quiet:  # whether all still requires grad has not been asked
                named = self.judged(optimizer)
                found = {name: state for name, state in found.items() if name in named}
            states = self.audit.observe(named, self.step, states=found) if found else {}
        else:
            states = self.audit.observe(named, self.step, states=agreed)
        if self.quiet and not states:
            return
        self._watch_updates(named, optimizer)
        if not states:
            return
        self.quiet = False
        self.roster.stale |= any(
            s is State.NONE and self.audit.tracks[n].run == 1 for n, s in states.items()
        )
        if agreed is None:
            self.lasting.note_before_step(named, states)
        for name, state in states.items():
            if state is State.NONE and self._had_gradient(name):
                track = self.audit.tracks[name]
                # Nobody had looked after backward in the first step of a sudden run.
                track.cleared += 2 if track.run == MIN_LATE_RUN and not track.cleared else 1
        broken = [n for n, s in states.items() if s is State.NONFINITE]
        if agreed is not None and broken:
            self._nonfinite(broken)
        elif agreed is None and (broken or not self._loss_finite):
            self._nonfinite(self._recount(named, states))
        self._arm(states)

    def _had_gradient(self, name: str) -> bool:
        """Say whether a parameter had a gradient after some backward pass of this batch."""
        return self._bare is not None and name in self.roster.ever and name not in self._bare

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
        version = sum(map(version_of, params_of(optimizer)))
        before = self._weights_seen.get(id(optimizer), version)
        self._weights_seen[id(optimizer)] = version
        if version != before and id(optimizer) not in self._stepped:
            self.emit(diagnose.unchecked(self.scene_of(self.tracer.latest), *_UNSEEN_STEPS))

    def _observe_raw(self, optimizer: Any) -> None:  # noqa: ANN401
        """Judge an optimizer that steps unseen, by what is left at the end of the batch."""
        named = self.judged(optimizer)
        if not named:
            return
        if any(p.grad is not None for p in named.values()):
            self._observe(named, optimizer)
        elif self._backward_seen:
            had = {n for n in named if self._had_gradient(n)}
            if not had:
                self.unseen.note_gradless(optimizer)
                return
            states = {n: State.ALIVE if n in had else State.NONE for n in named}
            self.audit.observe(named, self.step, states=states)

    def _watch_updates(self, named: Mapping[str, Tensor], optimizer: Any) -> None:  # noqa: ANN401
        still = [g["params"] for g in getattr(optimizer, "param_groups", ()) if rate_of(g) == 0.0]
        if not still:
            return
        frozen = {id(p) for params in still for p in params}
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
        steps = {t.step for t in self.tracer.kept} | (
            {self.tracer.now.step} if self.tracer.now is not None else set()
        )
        return any(step >= track.first_dead for step in steps)

    def _nonfinite(self, names: list[str]) -> None:
        names = [n for n in names if n not in self.said]
        patience = self.settings.patience if self.scaled else 1
        names = [n for n in names if self.audit.tracks[n].nonfinite >= patience]
        if not names or "GG204" in self.said:
            return
        self.said.update([*names, "GG204"])
        traced = self.tracer.run_again() or self.tracer.now or self.untraced()
        scene = self.scene_of(traced, f"at global step {self.step}")
        self._nonfinite_found(diagnose.nonfinite_gradients(scene, names, traced.nonfinite), scene)

    def _nonfinite_found(self, found: list[Diagnostic], scene: Scene) -> None:
        """Tell what broke, or that the parameters had run away before it did."""
        runaway = self.lasting.runaway() if self.step > self._first_step else None
        if runaway is not None:
            found = diagnose.diverged(scene, found[0], runaway, self.optimizers)
        self.emit(found)

    def _look_for_hidden(self, now: Traced, view: LossView) -> None:
        """Name the leaves of a loss that are no parameters of the module, while they are alive."""
        tensors = [t for ref in view.leaf_refs.values() if (t := ref()) is not None]
        held = {id(p) for p in params_of(*self.roster.all_optimizers())}
        strays = [
            t
            for t in tensors
            if id(t) not in held and (view.value is None or id(t) != view.value.tensor_id)
        ]
        strays = [t for t in strays if not self._copies_a_parameter(now, t)]
        strays = [t for t in strays if not _is_asked_for(now, t)]
        found, spans = hidden_tensors(self.model, strays, now.trace) if strays else ({}, {})
        now.hidden |= {name: tensor.numel() for name, tensor in found.items()}
        now.places |= spans

    def _copies_a_parameter(self, now: Traced, tensor: Tensor) -> bool:
        """Say whether a leaf was made from a trained parameter, whose own finding says it all."""
        if now.recorder is None:
            return False
        inside = self.scene_of(now).lineage.ancestors([now.recorder.value(tensor)])
        return any(v.kind == "param" and v.name in self.roster.ever for v in inside)

    def _judge_terms(self) -> None:
        """GG103 once more, with what the backward pass did."""
        now = self.tracer.now
        if now is None or now.step != self._first_step:
            return
        scene = self.scene_of(now)
        for flow in now.flows:
            self.emit(diagnose.flat_terms(scene, flow))
        if self.automatic:
            self.emit(diagnose.unsummed_terms(scene))

    def judge_hidden(self) -> None:
        """GG107: leaves of the loss that are no parameters of the module."""
        now = self.tracer.now
        if now is not None and now.hidden and not self.sharded and not self.lost_whole():
            self.emit(diagnose.unregistered_parameters(self.scene_of(now), now.hidden, now.places))

    def scalars(
        self,
        optimizer: Any,  # noqa: ANN401
        norm: Callable[[Sequence[Tensor]], float] = total_norm,
    ) -> dict[str, float]:
        """Return what is logged at the logging cadence; reads every gradient once for the norm."""
        named = self.judged(optimizer)
        tracks = [self.audit.tracks[n] for n in named if n in self.audit.tracks]
        total = norm([p.grad for p in named.values() if p.grad is not None])
        if norm is total_norm and not math.isfinite(total):
            self._screen(named)
        return {
            "gradguard/coverage": self.audit.coverage(),
            "gradguard/missing": float(
                sum(1 for t in tracks if t.run and t.dead_state is State.NONE)
            ),
            "gradguard/zero": float(sum(1 for t in tracks if t.run and t.dead_state is State.ZERO)),
            "gradguard/nonfinite": float(sum(1 for t in tracks if t.nonfinite)),
            "gradguard/grad_norm": total,
        }

    def _screen(self, named: Mapping[str, Tensor]) -> None:
        """Find the values that are not finite and that no sample has met."""
        tracks = {n: t for n, t in self.audit.tracks.items() if n in named}
        met = {n: State.NONFINITE if t.nonfinite else State.ALIVE for n, t in tracks.items()}
        self._nonfinite(self._recount(named, met))

    def update_report(self) -> None:
        """Put the numbers of the run into the report."""
        tracks = self.audit.tracks
        traces = [t.trace for t in self.tracer.kept]
        self.report.update(
            coverage=self.audit.coverage(),
            trained=sum(1 for t in tracks.values() if t.alive),
            total=len(tracks),
            step=self.step,
            traced_calls=sum(len(t.calls) for t in traces),
            seen_calls=sum(t.seen for t in traces),
            trace_ms=1000 * sum(t.seconds for t in traces),
        )


def _is_asked_for(now: Traced, tensor: Tensor) -> bool:
    """Say whether the step asks `autograd.grad` for the gradient of a leaf, and so manages it."""
    if now.recorder is None:
        return False
    value = now.recorder.value(tensor)
    asking = (c for c in now.trace.calls if c.func is torch.autograd.grad)
    return any(value in c.inputs for c in asking)


def _is_finite(loss: Tensor) -> bool:
    kind = peek(loss) if loss.numel() == 1 else UNREAD
    return bool(torch.isfinite(loss.detach()).all()) if kind == UNREAD else kind != UNUSUAL


def _raised_at(error: BaseException) -> Span | None:
    """Return the innermost line of the user's project in a traceback."""
    frames = [(f.f_code, f.f_lasti) for f, _ in traceback.walk_tb(error.__traceback__)]
    mine = [site for site in frames if is_user_file(site[0].co_filename)]
    return locate(mine[-1]) if mine else None
