# SPDX-License-Identifier: Apache-2.0
"""Models of other libraries with random weights: silence, but for what gets no gradient."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from conftest import QUIET
from foreign import Batch, Wrapped, bert, gpt2, images, mixtral, pairs, t5, tokens, vit
from torch import Tensor, nn

from lightning_gradguard import GradGuard

pytest.importorskip("transformers", reason="`make test-models` installs it")

pytestmark = [
    pytest.mark.models,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

STEPS = 5


def _never(module: Wrapped) -> set[str]:
    return {n for n, p in module.named_parameters() if p.requires_grad and n not in module.met}


def _train(module: pl.LightningModule, batches: Any) -> GradGuard:
    guard = GradGuard()
    trainer = pl.Trainer(callbacks=[guard], **(QUIET | {"max_steps": STEPS}))
    trainer.fit(module, batches)
    return guard


def _named(guard: GradGuard) -> set[str]:
    return {n for d in guard.report.diagnostics for n in d.params}


def _check(model: nn.Module, batch: Callable[[], Batch]) -> tuple[Wrapped, GradGuard]:
    """Train a model and compare who is named with who never had a gradient."""
    module = Wrapped(model)
    guard = _train(module, _Batches(batch))
    assert _named(guard) == _never(module)
    assert {d.code for d in guard.report.diagnostics} <= {"GG106", "GG203"}
    return module, guard


class _Batches:
    """A loader that makes its batches as they are asked for."""

    def __init__(self, make: Callable[[], Batch]) -> None:
        self.make = make

    def __iter__(self) -> Iterator[Batch]:
        return (self.make() for _ in range(STEPS))

    def __len__(self) -> int:
        return STEPS


def test_bert_masked_language_model() -> None:
    """Every parameter of a masked language model is trained."""
    module, _ = _check(bert(), tokens)
    assert _never(module) == set()


def test_bert_pooler_that_nobody_reads() -> None:
    """The pooler of the bare encoder runs unread; its two parameters are named, as information."""

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bert = bert("BertModel")
            self.head = nn.Linear(32, 3)

        def forward(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> Any:
            hidden = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            loss = nn.functional.cross_entropy(self.head(hidden[:, 0]), labels[:, 0] % 3)
            return type("Output", (), {"loss": loss})

    module, guard = _check(Encoder(), tokens)
    assert _never(module) == {f"model.bert.pooler.dense.{n}" for n in ("weight", "bias")}
    assert {d.severity for d in guard.report.diagnostics} == {"info"}


def test_gpt2() -> None:
    """A causal language model with tied embeddings is silent."""
    module, _ = _check(gpt2(), tokens)
    assert _never(module) == set()


def test_t5() -> None:
    """An encoder and a decoder with shared embeddings and relative positions are silent."""
    module, _ = _check(t5(), pairs)
    assert _never(module) == set()


def test_vit() -> None:
    """An image classifier with a class token is silent."""
    module, _ = _check(vit(), images)
    assert _never(module) == set()


def test_mixture_of_experts() -> None:
    """Experts that get no token in some steps are silent."""
    _check(mixtral(), tokens)


@pytest.mark.parametrize("reentrant", [False, True])
def test_gradient_checkpointing(reentrant: bool) -> None:  # noqa: FBT001
    """Both ways of recomputing activations are silent where the input carries a gradient."""
    model: Any = bert()
    model.gradient_checkpointing_enable({"use_reentrant": reentrant})
    module, _ = _check(model, tokens)
    assert _never(module) == set()


def test_reentrant_checkpointing_of_a_frozen_embedding() -> None:
    """The library makes the output of frozen embeddings require grad: silent, and right."""
    model: Any = bert()
    model.gradient_checkpointing_enable({"use_reentrant": True})
    for param in model.bert.embeddings.parameters():
        param.requires_grad_(requires_grad=False)
    module, _ = _check(model, tokens)
    assert _never(module) == set()


def test_lora() -> None:
    """The second matrix of an adapter starts at zero and heals; the frozen base is not judged."""
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(r=4, lora_alpha=8, target_modules=["c_attn"], fan_in_fan_out=True)
    module, _ = _check(peft.get_peft_model(gpt2(), config), tokens)
    assert _never(module) == set()
    assert len(module.met) == 4


def test_temporal_fusion_transformer() -> None:
    """A forecasting model whose library copies, logs and masks on its own is said exactly."""
    pandas = pytest.importorskip("pandas")
    forecasting = pytest.importorskip("pytorch_forecasting")
    lightning: Any = pytest.importorskip("lightning.pytorch")
    frame = pandas.DataFrame(
        {"t": list(range(40)) * 2, "g": ["a"] * 40 + ["b"] * 40, "y": torch.randn(80).tolist()}
    )
    data = forecasting.TimeSeriesDataSet(
        frame, time_idx="t", target="y", group_ids=["g"], max_encoder_length=12,
        max_prediction_length=4, time_varying_unknown_reals=["y"], static_categoricals=["g"],
    )  # fmt: skip
    model = forecasting.TemporalFusionTransformer.from_dataset(
        data, hidden_size=8, attention_head_size=2, hidden_continuous_size=4, learning_rate=0.01
    )
    met: set[str] = set()

    class Witness(pl.Callback):
        def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
            found = ((n, p.grad) for n, p in pl_module.named_parameters())
            met.update(n for n, g in found if g is not None and bool((g != 0).any()))

    guard = GradGuard()
    trainer = lightning.Trainer(callbacks=[guard, Witness()], **(QUIET | {"max_steps": STEPS}))
    trainer.fit(model, data.to_dataloader(train=True, batch_size=8, num_workers=0))
    assert _named(guard) == {n for n, p in model.named_parameters() if p.requires_grad} - met
    assert {d.severity for d in guard.report.diagnostics} <= {"info"}
