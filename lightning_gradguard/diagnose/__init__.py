# SPDX-License-Identifier: Apache-2.0
"""A traced step and the states of its gradients in, diagnostics out: one function a rule.

The functions are pure: they read a `Scene` and return findings; when to ask which, and what to do
with the answer, is decided elsewhere.
"""

from collections.abc import Callable

from lightning_gradguard.diagnose.divergence import (
    Sides,
    awaited_parameters,
    divergent_losses,
    divergent_parameters,
    gradless_shards,
)
from lightning_gradguard.diagnose.errors import Running, explain_error, refused_backwards
from lightning_gradguard.diagnose.limits import unchecked, unused_suppression
from lightning_gradguard.diagnose.losses import disconnected_loss, untraced_loss
from lightning_gradguard.diagnose.missing import missing_parameters, unused_parameters
from lightning_gradguard.diagnose.nonfinite import (
    diverged,
    nonfinite_gradients,
    nonfinite_values,
    speaks_of_values,
)
from lightning_gradguard.diagnose.optimizers import (
    stale_optimizer_parameters,
    toggling_span,
    unassigned_gradients,
    unchanged_parameters,
    undone_gradients,
    unoptimized_parameters,
    unregistered_parameters,
)
from lightning_gradguard.diagnose.places import first_use
from lightning_gradguard.diagnose.refused import (
    kept_graphs,
    overwritten_values,
    undifferentiable_ops,
)
from lightning_gradguard.diagnose.scene import Scene
from lightning_gradguard.diagnose.slopes import flat_terms
from lightning_gradguard.diagnose.terms import constant_terms, lost_sums, sources_of
from lightning_gradguard.diagnose.unsummed import unsummed_terms
from lightning_gradguard.diagnose.zeros import lasts, zero_parameters
from lightning_gradguard.rules import Diagnostic

__all__ = [
    "CHECKS",
    "Running",
    "Scene",
    "Sides",
    "awaited_parameters",
    "constant_terms",
    "disconnected_loss",
    "diverged",
    "divergent_losses",
    "divergent_parameters",
    "explain_error",
    "first_use",
    "flat_terms",
    "gradless_shards",
    "kept_graphs",
    "lasts",
    "lost_sums",
    "missing_parameters",
    "nonfinite_gradients",
    "nonfinite_values",
    "overwritten_values",
    "refused_backwards",
    "sources_of",
    "speaks_of_values",
    "stale_optimizer_parameters",
    "toggling_span",
    "unassigned_gradients",
    "unchanged_parameters",
    "unchecked",
    "undifferentiable_ops",
    "undone_gradients",
    "unoptimized_parameters",
    "unregistered_parameters",
    "unsummed_terms",
    "untraced_loss",
    "unused_parameters",
    "unused_suppression",
    "zero_parameters",
]

# The order of precedence: a finding of an earlier rule makes later ones about the same thing idle.
CHECKS: tuple[tuple[str, Callable[..., list[Diagnostic]]], ...] = (
    ("GG101", disconnected_loss), ("GG102", disconnected_loss), ("GG108", undifferentiable_ops),
    ("GG109", overwritten_values), ("GG110", kept_graphs), ("GG111", refused_backwards),
    ("GG103", constant_terms), ("GG104", missing_parameters), ("GG105", missing_parameters),
    ("GG106", unused_parameters), ("GG107", unregistered_parameters), ("GG201", zero_parameters),
    ("GG202", zero_parameters), ("GG203", zero_parameters), ("GG204", nonfinite_gradients),
    ("GG301", divergent_parameters), ("GG302", divergent_losses),
    ("GG401", unoptimized_parameters), ("GG402", stale_optimizer_parameters),
    ("GG403", unchanged_parameters), ("GG901", unchecked), ("GG902", unused_suppression),
)  # fmt: skip
