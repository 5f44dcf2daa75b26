"""Reading one more token, and the keys and values of those already read, in arrays that never grow.

mlx-lm's KVCache grows as it reads, so every length is a new shape. Here the room for a whole text is made at once and
each new token's keys and values are written in place: every step is the same graph, so it is compiled once. A slot of
the cache is not a position in the text: positions are in the embeddings, and attention does not care in which order
keys lie. So prompts of all lengths can stand side by side, each at the start of its row, and the tokens that follow go
to the same slot in every row:

    slot       0    1    2    3    4 | 5    6    7
    row 0      Who  won  in   1988 ? | A    yr   ton
    row 1      Why  ?    -    -    - | Be   cause ...      (- is padding, which nobody looks at)
"""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

import mlx.core as mx

from .activations import on_gpu

if TYPE_CHECKING:
    from .model import SlipstreamLM


class SlotCache:
    """One layer's share: what the model asks of a cache when it reads one more token of each row.

    Args:
        keys, values: [B, H, S, D], S slots.
        offset: [B], the position in its text of each row's new token.
        slot: a scalar array, where that token's keys and values go.
        visible: [B, 1, 1, S], True at the slots each row may look at, the new one included.
    """

    def __init__(self, keys: mx.array, values: mx.array, offset: mx.array, slot: mx.array, visible: mx.array):
        self.keys, self.values, self.offset, self.slot, self.visible = keys, values, offset, slot, visible

    def update_and_fetch(self, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        """Write one token's keys and values [B, H, 1, D]; return all [B, H, S, D]."""
        self.keys = mx.slice_update(self.keys, keys, self.slot, axes=(2,))
        self.values = mx.slice_update(self.values, values, self.slot, axes=(2,))
        return self.keys, self.values


class Rows:
    """Texts of different lengths, read side by side.

    Args:
        prompts: token ids of each row, at least one; none longer than the context.
        slots: how many tokens a row can hold, the longest prompt included. At most the context.
        compiled: read on with a compiled step. Each number of rows and slots is compiled once, so few are best.
    Attributes:
        logits: [B, V] float32, each row's guess about its next token.
    """

    def __init__(self, model: "SlipstreamLM", prompts: list[list[int]], slots: int, compiled: bool = False):
        longest = max(map(len, prompts))
        lengths = mx.array([len(prompt) for prompt in prompts])
        # Pads stand after the prompt, where no token of the prompt can see them.
        tokens = mx.array([prompt + [0] * (longest - len(prompt)) for prompt in prompts])
        cache = model.make_cache()
        last = model.hidden_states(tokens, cache)[mx.arange(len(prompts)), lengths - 1]
        self.logits = model.logits(last).astype(mx.float32)
        free = [(0, 0), (0, 0), (0, slots - longest), (0, 0)]
        kept = [[mx.pad(array[:, :, :longest], free) for array in (c.keys, c.values)] for c in cache]
        self._state = [lengths, mx.array(longest), mx.array(longest), kept]
        self._step = _compiled_step(model) if compiled else functools.partial(_step, model, None)

    def read(self, tokens: mx.array) -> None:
        """Read one more token of each row, tokens [B]."""
        self.logits, self._state = self._step(tokens, self._state)

    def keep(self, rows: list[int]) -> None:
        """Go on with these rows alone."""
        chosen = mx.array(rows)
        lengths, longest, slot, kept = self._state
        self._state = [lengths[chosen], longest, slot, [[array[chosen] for array in pair] for pair in kept]]


def _step(model: "SlipstreamLM", head: mx.array | None, tokens: mx.array, state: list) -> tuple[mx.array, list]:
    lengths, longest, slot, kept = state
    slots = mx.arange(kept[0][0].shape[2])
    visible = (slots < lengths[:, None]) | ((slots >= longest) & (slots <= slot))
    offset = lengths + (slot - longest)
    cache = [SlotCache(keys, values, offset, slot, visible[:, None, None]) for keys, values in kept]
    hidden = model.hidden_states(tokens[:, None], cache)[:, -1]
    logits = model.logits(hidden) if head is None else hidden @ head
    return logits.astype(mx.float32), [lengths, longest, slot + 1, [[c.keys, c.values] for c in cache]]


def _compiled_step(model: "SlipstreamLM") -> Callable[[mx.array, list], tuple[mx.array, list]]:
    """`_step` compiled, kept with the model from one text to the next.

    The head is most of a small model's bytes, and the CPU's library multiplies one row by it twice as fast if it lies
    in memory as [C, V]. So there a copy of it is kept too, until the weights change.
    """
    kept = model.__dict__.get("_kept_step")
    if kept is None or kept[0] is not model.wte.weight:
        head = None if on_gpu() else mx.contiguous(model.wte.weight[: model.args.vocab_size].T)
        compiled = kept[1] if kept else mx.compile(functools.partial(_step, model), inputs=model.state)
        kept = model.__dict__["_kept_step"] = (model.wte.weight, compiled, head)
    _, compiled, head = kept
    return functools.partial(compiled, head)
