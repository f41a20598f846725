# SPDX-License-Identifier: Apache-2.0
"""What has lasted long enough to be said: the verdicts on gradients, optimizers and updates."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor

from lightning_gradguard import definitions, diagnose, syntax
from lightning_gradguard.audit import Track, value_sample
from lightning_gradguard.diagnose import Scene
from lightning_gradguard.flow import State, state_of
from lightning_gradguard.roster import params_of
from lightning_gradguard.rules import Diagnostic
from lightning_gradguard.run import Run, Traced
from lightning_gradguard.source import Span
from lightning_gradguard.tracer import Tracer

__all__ = ["LATE_LOOKS", "MIN_LATE_RUN", "Lasting"]

MIN_LATE_RUN = 2  # steps without a gradient after which the end of a run makes a finding
LATE_LOOKS = 3  # batches in which gradients are looked at once more after the step
_RUNAWAY = 1e6  # growth of the parameters that no training needs


class Lasting:
    """Waits with a suspicion until it is certain, and then says it once.

    Args:
        run: what is watched.
        tracer: the traced steps that explain what is found.
    """

    def __init__(self, run: Run, tracer: Tracer) -> None:
        self.run, self.tracer = run, tracer
        self._samples: dict[str, list[float]] = {}
        self._ungraded: dict[str, int] = {}
        self._alive_before: dict[str, tuple[Tensor, list[float]]] = {}
        self._late_looks = 0
        self._lost: dict[str, int] = {}
        self._lost_zero = False
        self._frozen_steps: dict[str, int] = {}

    def remember_values(self) -> None:
        """Note what is trainable as the run begins, and some values of it."""
        self._samples = {n: value_sample(p) for n, p in self.run.trainable().items()}

    def note_before_step(self, named: Mapping[str, Tensor], states: Mapping[str, State]) -> None:
        """Remember what the module's own hooks may still undo: they run after this."""
        if self.run.automatic and self.run.batches <= LATE_LOOKS:
            alive = [n for n, s in states.items() if s is State.ALIVE]
            self._alive_before = {n: (named[n], value_sample(named[n])) for n in alive}

    def look_after_step(self) -> None:
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

    def count_frozen(self, optimizer: Any) -> None:  # noqa: ANN401
        """Count the steps of an optimizer at which once trainable parameters are frozen."""
        roster = self.run.roster
        names = roster.names()
        for param in params_of(optimizer):
            name = names.get(id(param))
            if name in self._samples and not param.requires_grad and not roster.ignores(name):
                self._frozen_steps[name] = self._frozen_steps.get(name, 0) + 1

    def watch_outsiders(self) -> None:
        """Count the batches at whose end an unoptimized parameter holds a gradient."""
        run = self.run
        if run.batches > run.settings.patience or not run.optimizers or run.sharded:
            return
        for name, param in self.run.roster.outsiders().items():
            if param.grad is not None or any(
                name in v.params for t in self.tracer.kept[-1:] for v in t.trace.losses
            ):
                self._ungraded[name] = self._ungraded.get(name, 0) + 1
                if name not in self._samples:
                    self._samples[name] = value_sample(param)

    def judge(self, *, final: bool) -> None:
        """Turn what has lasted into findings."""
        due = [
            n
            for n in self.run.audit.suspects()
            if n not in self.run.said and self._is_due(n, self.run.audit.tracks[n], final=final)
        ]
        if due:
            self._verdict(due)
        if final or self.run.batches == self.run.settings.patience:
            self._judge_updates(final=final)

    def _is_due(self, name: str, track: Track, *, final: bool) -> bool:
        if track.run == 0:
            return False
        if track.run >= self.run.settings.patience:
            return True
        if not final:
            return False
        return track.never or (
            track.run >= MIN_LATE_RUN and track.run > track.longest_gap and self._strong(name)
        )

    def _strong(self, name: str) -> bool:
        """Say whether an operation explains a late failure, not a branch that did not run."""
        traced = self._evidence_for(name)
        if traced is None:
            return False
        scene = self.run.scene_of(traced)
        track = self.run.audit.tracks[name]
        if track.dead_state is State.ZERO:
            return diagnose.lasts(scene, name)
        return any(d.code in {"GG104", "GG105"} for d in diagnose.missing_parameters(scene, [name]))

    def _evidence_for(self, name: str) -> Traced | None:
        """Return the latest traced step at which the parameter was already without a gradient."""
        track = self.run.audit.tracks[name]
        return next((t for t in reversed(self.tracer.kept) if t.step >= track.first_dead), None)

    def _verdict(self, names: Sequence[str]) -> None:
        groups: dict[tuple[int, bool, str], list[str]] = {}
        for name in names:
            track = self.run.audit.tracks[name]
            traced = self._evidence_for(name)
            zero = track.dead_state is State.ZERO
            if track.cleared and track.cleared >= track.run:
                continue
            when = f"in {track.run} of {track.steps} steps"
            groups.setdefault((id(traced), zero, when), []).append(name)
        by_id = {id(t): t for t in [*self.tracer.kept, None]}
        for (key, zero, when), group in groups.items():
            scene = self.run.scene_of(by_id.get(key) or self.run.untraced(), when)
            scene.hopeless = all(t.never for t in self.run.audit.tracks.values())
            self._conclude(scene, group, zero=zero)

    def _conclude(self, scene: Scene, names: list[str], *, zero: bool) -> None:
        names = [n for n in names if n not in self.run.said]
        discarded = [n for n in names if not zero and self._discarded(scene, n)]
        rest = [n for n in names if n not in discarded]
        if discarded:
            self.run.said.update(discarded)
            self.run.emit(self._discarding(scene, discarded))
        find = diagnose.zero_parameters if zero else diagnose.missing_parameters
        if self.run.sharded:
            found = diagnose.gradless_shards(scene, rest, zero=zero)
        else:
            found = find(scene, rest) if rest and not self.run.lost_whole() else []
        for diagnostic in found:
            self.run.said.update(diagnostic.params)
        self.run.emit(found)

    def _discarded(self, scene: Scene, name: str) -> bool:
        """Say whether the graph reaches a parameter, and the module's own `backward` does not."""
        reached = any(name in v.params for v in scene.trace.losses)
        return reached and not any(f.edges for f in scene.flows)

    def _discarding(self, scene: Scene, names: Sequence[str]) -> list[Diagnostic]:
        span = syntax.method_span(type(self.run.model), "backward")
        why = (
            "the graph of the loss reaches these parameters, "
            "but `backward` left no gradient on them"
        )
        return diagnose.unchanged_parameters(scene, names, why, span, self.run.optimizers)

    def _judge_updates(self, *, final: bool) -> None:
        """GG401, GG402, GG403: what the optimizers hold and whether it moves."""
        tracks = self.run.audit.tracks
        open_ = {n: t for n, t in tracks.items() if n not in self.run.said and t.steps}
        scene = self.run.scene_of(self.tracer.latest)
        self._judge_rates(scene, open_)
        if final:
            self._judge_frozen(scene)
            self._judge_undone(scene, open_)
        self._judge_cleared(scene, open_, final=final)
        self._judge_outsiders(scene)

    def _judge_rates(self, scene: Scene, tracks: Mapping[str, Track]) -> None:
        frozen = [n for n, t in tracks.items() if t.alive and t.frozen_lr == t.steps]
        if len(frozen) == len(tracks):
            why = "the learning rate of their `param_group` was 0 at every step"
            self._say_unchanged(scene, frozen, why, None)

    def _judge_frozen(self, scene: Scene) -> None:
        held = [n for n, k in self._frozen_steps.items() if k and not self._trained(n)]
        why = (
            "they required grad when training began "
            "and were frozen at every step of their optimizer"
        )
        self._say_unchanged(scene, held, why, diagnose.toggling_span(self.run.model))

    def _judge_undone(self, scene: Scene, tracks: Mapping[str, Track]) -> None:
        lost = [n for n in tracks if self._late_looks and self._lost.get(n) == self._late_looks]
        if lost:
            self.run.said.update(lost)
            self.run.emit(diagnose.undone_gradients(scene, lost, zeroed=self._lost_zero))

    def _judge_cleared(self, scene: Scene, tracks: Mapping[str, Track], *, final: bool) -> None:
        cleared = [n for n, t in tracks.items() if t.cleared and t.cleared == t.steps]
        if final or len(cleared) == len(tracks):
            why = "the gradients were there after `backward` and gone before the optimizer step"
            span = definitions.clearing_span(type(self.run.model))
            self._say_unchanged(scene, cleared, why, span)

    def _say_unchanged(self, scene: Scene, names: list[str], why: str, span: Span | None) -> None:
        if names:
            self.run.said.update(names)
            optimizers = self.run.optimizers
            self.run.emit(diagnose.unchanged_parameters(scene, names, why, span, optimizers))

    def runaway(self) -> tuple[float, float] | None:
        """Return the largest value of the parameters at first and now, where they have run away.

        A few values of each are read; to be asked when a step has failed already.
        """
        first = _largest(self._samples.values())
        now = _largest(map(value_sample, self.run.judged().values()))
        return (first, now) if first and now > _RUNAWAY * first else None

    def _trained(self, name: str) -> bool:
        track = self.run.audit.tracks.get(name)
        return track is not None and track.steps > 0

    def _judge_outsiders(self, scene: Scene) -> None:
        outside = {
            n: p
            for n, p in self.run.roster.outsiders().items()
            if self._ungraded.get(n) and n not in self.run.said
        }
        outside = {
            n: p
            for n, p in outside.items()
            if self._in_training(n) and value_sample(p) == self._samples.get(n, value_sample(p))
        }
        if not outside:
            return
        self.run.said.update(outside)
        registered = {id(p) for p in self.run.model.parameters()}
        optimizers, names = self.run.optimizers, list(outside)
        held = params_of(*optimizers)
        stale = sum(1 for p in held if id(p) not in registered and p.grad is None)
        if stale:
            self.run.emit(diagnose.stale_optimizer_parameters(scene, names, stale, optimizers))
        else:
            self.run.emit(diagnose.unoptimized_parameters(scene, names, optimizers))

    def _in_training(self, name: str) -> bool:
        """Say whether the module of a parameter is in training mode and not just used as it is."""
        try:
            return self.run.model.get_submodule(name.rpartition(".")[0]).training
        except AttributeError:
            return True


def _largest(samples: Iterable[Sequence[float]]) -> float:
    """Return the largest absolute value; NaN counts as infinite."""
    return max((math.inf if math.isnan(v) else abs(v) for s in samples for v in s), default=0.0)
