# SPDX-License-Identifier: Apache-2.0
"""Lightning under one of its two names, as the environment says: both hold the same classes."""

import os
from typing import TYPE_CHECKING

if not TYPE_CHECKING and os.environ.get("FRAMEWORK") == "lightning":
    import lightning.pytorch as pl
    from lightning.pytorch.strategies import DDPStrategy, FSDPStrategy, ModelParallelStrategy
else:
    import pytorch_lightning as pl
    from pytorch_lightning.strategies import DDPStrategy, FSDPStrategy, ModelParallelStrategy

__all__ = ["DDPStrategy", "FSDPStrategy", "ModelParallelStrategy", "pl"]
