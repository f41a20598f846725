# SPDX-License-Identifier: Apache-2.0
"""A cut chain in, the torchmetrics class that it computes out, with its arguments."""

from lightning_gradguard.metrics.fitting import Budget
from lightning_gradguard.metrics.metric import Metric
from lightning_gradguard.metrics.recognition import beside, recognise

__all__ = ["Budget", "Metric", "beside", "recognise"]
