# SPDX-License-Identifier: Apache-2.0
"""Small models of transformers with random weights, and batches for them."""

from collections.abc import Callable, Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

__all__ = [
    "LAYERS",
    "MODELS",
    "Batch",
    "Wrapped",
    "bert",
    "gpt2",
    "images",
    "mixtral",
    "pairs",
    "t5",
    "tokens",
    "vit",
]

VOCABULARY = 97
# The kinds of layers behind which a fault can be put.
LAYERS = frozenset({"Conv1D", "Embedding", "LayerNorm", "Linear"})
Batch = dict[str, Tensor]


class Wrapped(pl.LightningModule):
    """Train a model that returns its own loss, and note which gradients there ever were."""

    def __init__(self, model: nn.Module, *, rate: float = 1e-3) -> None:
        super().__init__()
        self.model = model
        self.rate = rate
        self.met: set[str] = set()

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Return the loss of the model."""
        loss: Tensor = self.model(**batch).loss
        return loss

    def on_after_backward(self) -> None:
        """Note the parameters with a gradient that is not all zero."""
        for name, param in self.named_parameters():
            if param.grad is not None and bool((param.grad != 0).any()):
                self.met.add(name)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Train everything that is not frozen."""
        return torch.optim.AdamW([p for p in self.parameters() if p.requires_grad], lr=self.rate)


def tokens() -> Batch:
    """Return token ids, one row padded."""
    ids = torch.randint(5, VOCABULARY, (2, 12))
    mask = torch.ones_like(ids)
    mask[1, 9:] = 0
    return {"input_ids": ids, "attention_mask": mask, "labels": ids.masked_fill(mask == 0, -100)}


def pairs() -> Batch:
    """Return token ids and other ones to make of them."""
    return tokens() | {"labels": torch.randint(5, VOCABULARY, (2, 7))}


def images() -> Batch:
    """Return pictures and classes."""
    return {"pixel_values": torch.randn(2, 3, 32, 32), "labels": torch.tensor([0, 2])}


def bert(kind: str = "BertForMaskedLM", **options: Any) -> nn.Module:
    """Return an encoder with the head of a class of transformers."""
    import transformers

    config = transformers.BertConfig(
        vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=64, max_position_embeddings=32, **options,
    )  # fmt: skip
    model: nn.Module = getattr(transformers, kind)(config)
    return model


def gpt2() -> nn.Module:
    """Return a causal language model with tied embeddings."""
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=32)
    model: nn.Module = GPT2LMHeadModel(config)
    return model


def t5() -> nn.Module:
    """Return an encoder and a decoder."""
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(
        vocab_size=VOCABULARY, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4,
        decoder_start_token_id=0,
    )  # fmt: skip
    model: nn.Module = T5ForConditionalGeneration(config)
    return model


def vit() -> nn.Module:
    """Return an image classifier."""
    from transformers import ViTConfig, ViTForImageClassification

    config = ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        image_size=32, patch_size=8, num_labels=3,
    )  # fmt: skip
    model: nn.Module = ViTForImageClassification(config)
    return model


def mixtral() -> nn.Module:
    """Return a language model with four experts a layer, two of which see a token."""
    from transformers import MixtralConfig, MixtralForCausalLM

    config = MixtralConfig(
        vocab_size=VOCABULARY, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, num_local_experts=4, num_experts_per_tok=2,
        max_position_embeddings=32, output_router_logits=True,
    )  # fmt: skip
    model: nn.Module = MixtralForCausalLM(config)
    return model


MODELS: Mapping[str, tuple[Callable[[], nn.Module], Callable[[], Batch]]] = {
    "BERT": (bert, tokens),
    "GPT-2": (gpt2, tokens),
    "T5": (t5, pairs),
    "ViT": (vit, images),
}
