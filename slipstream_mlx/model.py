"""The transformer: GPT-2's shape, in one file.

A language model is a function from tokens to a guess about the next token. Ours is the decoder of
"Attention Is All You Need" as GPT-2 arranged it: an embedding for what each token is, another for where it stands,
then `n_layer` blocks that each let positions talk to one another (attention) and then think alone (the
feed-forward network), and at the end the embedding again, turned around, as the output head ("tied").

    tokens [B, T] -> wte + wpe -> [B, T, C] -> n_layer x (LayerNorm, attention, LayerNorm, FFN) -> LayerNorm -> logits

Shapes: B sequences, T tokens each, C = n_embd channels, H heads of D = C / H channels, V tokens in the vocabulary.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten

from .activations import attention, gelu
from .errors import SlipstreamError
from .recompute import recomputed

if TYPE_CHECKING:  # importing mlx_lm takes seconds: only what generates needs it
    from mlx_lm.models.cache import KVCache

    from .cache import SlotCache
VOCAB_MULTIPLE = 64


@dataclass(frozen=True)
class ModelArgs:
    """The shape of a model. Names are GPT-2's, as mlx-lm and transformers spell them.

    Raises SlipstreamError if the numbers do not fit together.
    """

    vocab_size: int
    n_positions: int  # the context: how many tokens the model can look back on
    n_embd: int
    n_layer: int
    n_head: int
    layer_norm_epsilon: float = 1e-5
    attention_bias: bool = False  # GPT-2's own weights have them; ours do well without

    def __post_init__(self):
        for name in ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise SlipstreamError(f"{name} must be a positive whole number, not {value!r}")
        if self.n_embd % self.n_head:
            raise SlipstreamError(f"n_embd {self.n_embd} does not divide into n_head {self.n_head} equal heads")

    @property
    def padded_vocab_size(self) -> int:
        """Rows of the embedding as held in memory: the next multiple of 64.

        Matrix units want round sizes: on an H100, 50,304 rows instead of 50,257 nearly doubled the speed of the
        whole training step. The extra rows are never a target, never sampled, never counted and never saved.
        """
        return -(-self.vocab_size // VOCAB_MULTIPLE) * VOCAB_MULTIPLE


class SelfAttention(nn.Module):
    """Causal multi-head attention. q, k and v come from one matrix product."""

    def __init__(self, args: ModelArgs, dropout: float):
        super().__init__()
        self.n_head = args.n_head
        self.scale = (args.n_embd // args.n_head) ** -0.5
        self.c_attn = nn.Linear(args.n_embd, 3 * args.n_embd, bias=args.attention_bias)
        self.c_proj = nn.Linear(args.n_embd, args.n_embd, bias=args.attention_bias)
        self.resid_dropout = nn.Dropout(dropout)

    def __call__(self, x: mx.array, cache: "KVCache | SlotCache | None" = None) -> mx.array:
        B, T, C = x.shape
        # [B, T, 3C] -> three of [B, H, T, D]: each head attends by itself
        q, k, v = (
            part.reshape(B, T, self.n_head, -1).transpose(0, 2, 1, 3) for part in mx.split(self.c_attn(x), 3, axis=-1)
        )
        visible = None
        if cache is not None:  # keys and values of the tokens before these were kept
            k, v = cache.update_and_fetch(k, v)
            visible = getattr(cache, "visible", None)
        out = attention(q, k, v, self.scale, visible)
        return self.resid_dropout(self.c_proj(out.transpose(0, 2, 1, 3).reshape(B, T, C)))


class FeedForward(nn.Module):
    """Two matrix products around a GELU, four times as wide inside. Much of what a model knows lives here."""

    def __init__(self, args: ModelArgs, dropout: float):
        super().__init__()
        self.c_fc = nn.Linear(args.n_embd, 4 * args.n_embd)
        self.c_proj = nn.Linear(4 * args.n_embd, args.n_embd)
        self.resid_dropout = nn.Dropout(dropout)

    def __call__(self, x: mx.array) -> mx.array:
        return self.resid_dropout(self.c_proj(gelu(self.c_fc(x))))


class Block(nn.Module):
    """One layer. Each half reads a normalised copy of the residual stream and adds its result to it."""

    def __init__(self, args: ModelArgs, dropout: float):
        super().__init__()
        self.ln_1 = nn.LayerNorm(args.n_embd, eps=args.layer_norm_epsilon)
        self.attn = SelfAttention(args, dropout)
        self.ln_2 = nn.LayerNorm(args.n_embd, eps=args.layer_norm_epsilon)
        self.mlp = FeedForward(args, dropout)

    def __call__(self, x: mx.array, cache: "KVCache | SlotCache | None" = None) -> mx.array:
        x = x + self.attn(self.ln_1(x), cache)
        return x + self.mlp(self.ln_2(x))


class SlipstreamLM(nn.Module):
    """A GPT-2-shaped language model.

    Args:
        args: the shape.
        dropout: share of activations zeroed while training (0 switches it off). Not part of the shape: it is a
            setting of training and is not saved with the model.
    """

    def __init__(self, args: ModelArgs, dropout: float = 0.0):
        super().__init__()
        self.args = args
        self.wte = nn.Embedding(args.padded_vocab_size, args.n_embd)
        self.wpe = nn.Embedding(args.n_positions, args.n_embd)
        self.embd_dropout = nn.Dropout(dropout)
        self.h = [Block(args, dropout) for _ in range(args.n_layer)]
        self.ln_f = nn.LayerNorm(args.n_embd, eps=args.layer_norm_epsilon)
        self._init_weights()

    def _init_weights(self) -> None:
        """GPT-2's start: normal(0, 0.02), the two products that write to the residual stream scaled down.

        Every layer adds to the stream twice; 1/sqrt(2 n_layer) keeps its variance at one whatever the depth.
        """
        residual_std = 0.02 / math.sqrt(2 * self.args.n_layer)
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                std = residual_std if name.endswith("c_proj") else 0.02
                module.weight = mx.random.normal(module.weight.shape, scale=std)
            if isinstance(module, nn.Linear) and "bias" in module:
                module.bias = mx.zeros_like(module.bias)
        pads = mx.arange(self.args.padded_vocab_size)[:, None] >= self.args.vocab_size
        self.wte.weight = mx.where(pads, 0.0, self.wte.weight)

    def hidden_states(
        self, tokens: mx.array, cache: "Sequence[KVCache | SlotCache] | None" = None, recompute: bool = False
    ) -> mx.array:
        """Everything but the head: tokens [B, T] of integers -> [B, T, C].

        With a cache, the tokens continue what the cache holds, and the cache grows by T. With `recompute`, the backward
        pass works every block out a second time instead of keeping what is inside (see recompute.py).
        Raises SlipstreamError when they do not fit the context.
        """
        T = tokens.shape[1]
        offset = cache[0].offset if cache else 0
        if isinstance(offset, mx.array):  # a SlotCache: every row at its own position
            positions = offset[:, None] + mx.arange(T)
        elif offset + T > self.args.n_positions:
            raise SlipstreamError(
                f"{offset + T} tokens do not fit the context of {self.args.n_positions}: keep the last ones only"
            )
        else:
            positions = mx.arange(offset, offset + T)
        x = self.embd_dropout(self.wte(tokens) + self.wpe(positions))
        for layer, block in enumerate(self.h):
            x = recomputed(block)(x) if recompute else block(x, cache[layer] if cache else None)
        return self.ln_f(x)

    def __call__(self, tokens: mx.array, cache: "Sequence[KVCache | SlotCache] | None" = None) -> mx.array:
        """Logits for the token after each one: [B, T] -> [B, T, vocab_size], the padded rows cut off."""
        return self.logits(self.hidden_states(tokens, cache))

    def logits(self, hidden: mx.array) -> mx.array:
        """The output head: hidden states [..., C] -> [..., vocab_size]."""
        return self.wte.as_linear(hidden)[..., : self.args.vocab_size]

    def make_cache(self) -> "list[KVCache]":
        """An empty KV cache, one per layer (mlx-lm's `make_prompt_cache` calls this too)."""
        from mlx_lm.models.cache import KVCache

        return [KVCache() for _ in self.h]

    @property
    def layers(self) -> list[Block]:
        """The blocks, under the name by which mlx-lm looks for them."""
        return self.h

    def num_parameters(self) -> int:
        """Trained numbers in the model: padding rows do not count."""
        pads = (self.args.padded_vocab_size - self.args.vocab_size) * self.args.n_embd
        return sum(p.size for _, p in tree_flatten(self.parameters())) - pads
