# SPDX-License-Identifier: Apache-2.0
"""Record one training step: which operation made which value, and where gradients can flow.

A `TorchFunctionMode` sees every public torch call. From it a data-flow graph is built that includes
the edges along which no gradient flows. Tensors are known by identity through weak references; a
recorded value keeps shape, dtype and a sequence number, never a tensor, a graph node or a frame.
"""

from lightning_gradguard.trace.graph import walk
from lightning_gradguard.trace.model import (
    FED,
    FREE,
    FUNCTION,
    HARD,
    Call,
    LossView,
    Off,
    Trace,
    Value,
    domain_of,
    public_name,
    version_of,
)
from lightning_gradguard.trace.recorder import DEFAULT_CALL_LIMIT, Recorder
from lightning_gradguard.trace.surroundings import Collector, unseen
from lightning_gradguard.usual import Slot

__all__ = [
    "DEFAULT_CALL_LIMIT", "FED", "FREE", "FUNCTION", "HARD", "Call", "Collector", "LossView", "Off",
    "Recorder", "Slot", "Trace", "Value", "domain_of", "public_name", "unseen", "version_of",
    "walk",
]  # fmt: skip
