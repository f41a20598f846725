# SPDX-License-Identifier: Apache-2.0
"""Make the pictures of the documentation: train a model with four faults, and take its portrait.

Needs the extras `html` and `plots`, and a Chromium for the picture of the page.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

IMAGES = Path(__file__).resolve().parents[1] / "images"
PROGRAM = """
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from lightning_gradguard import GradGuard
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Ranker(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(4, 8)
        self.pool = nn.Linear(8, 1)
        self.head = nn.Linear(8, 3)
        self.old_head = nn.Linear(8, 2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = torch.relu(self.encoder(x))
        h = h * torch.softmax(self.pool(h), dim=-1)
        logits = self.head(h)
        accuracy = (logits.argmax(dim=-1) == y).float().mean()
        return F.cross_entropy(logits, y) + 0.1 * (1 - accuracy)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


pl.seed_everything(0)
data = DataLoader(TensorDataset(torch.randn(64, 4), torch.randint(0, 3, (64,))), batch_size=8)
guard = GradGuard(patience=5, report="report.html", figure="gradient_flow.png")
trainer = pl.Trainer(accelerator="cpu", max_steps=8, logger=False, callbacks=[guard])
trainer.fit(Ranker(), data)
"""


def main() -> int:
    """Write the pictures; 1 where there is no browser for the second."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "train.py").write_text(PROGRAM, encoding="utf-8")
        subprocess.run([sys.executable, "-W", "ignore", "train.py"], cwd=folder, check=True)
        shutil.copy(folder / "gradient_flow.png", IMAGES)
        browser = shutil.which("chromium") or shutil.which("google-chrome")
        if browser is None:
            print("no Chromium for the picture of the page", file=sys.stderr)  # noqa: T201
            return 1
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1000,900"]
        target = f"--screenshot={IMAGES / 'report.png'}"
        page = (folder / "report.html").as_uri()
        subprocess.run([browser, *options, "--hide-scrollbars", target, page], check=True)  # noqa: S603
    return 0


if __name__ == "__main__":
    sys.exit(main())
