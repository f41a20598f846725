# SPDX-License-Identifier: Apache-2.0
"""Many ranks, one verdict: what the ranks of a job compare, when, and what follows from it."""

from lightning_gradguard.jobs.agreement import Agreement, meet

__all__ = ["Agreement", "meet"]
