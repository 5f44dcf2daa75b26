"""Keys and values of the tokens already read, in arrays that never grow.

mlx-lm's KVCache grows as it reads, so every length is a new shape. Here the room for a whole text is made at once and
each new token's keys and values are written in place. A slot of the cache is not a position in the text: positions
are in the embeddings, and attention does not care in which order keys lie. So prompts of all lengths can stand side by
side, each at the start of its row, and the tokens that follow are written to the same slot in every row:

    slot       0    1    2    3    4 | 5    6    7
    row 0      Who  won  in   1988 ? | A    yr   ton
    row 1      Why  ?    -    -    - | Be   cause ...      (- is padding, which nobody looks at)
"""

from typing import TYPE_CHECKING

import mlx.core as mx

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
        room: how many more tokens there will be slots for.
    Attributes:
        hidden: [B, C], the hidden state of each row's last token.
    """

    def __init__(self, model: "SlipstreamLM", prompts: list[list[int]], room: int):
        self.model = model
        self.longest = max(map(len, prompts))
        self.lengths = mx.array([len(prompt) for prompt in prompts])
        # Pads stand after the prompt, where no token of the prompt can see them.
        tokens = mx.array([prompt + [0] * (self.longest - len(prompt)) for prompt in prompts])
        cache = model.make_cache()
        hidden = model.hidden_states(tokens, cache)
        self.hidden = hidden[mx.arange(len(prompts)), self.lengths - 1]
        self.slot = mx.array(self.longest)
        width = [(0, 0), (0, 0), (0, room), (0, 0)]
        self.kept = [[mx.pad(array[:, :, : self.longest], width) for array in (c.keys, c.values)] for c in cache]
        mx.async_eval(self.hidden, self.kept)

    def read(self, tokens: mx.array) -> mx.array:
        """Read one more token of each row, tokens [B] -> hidden states [B, C]."""
        slots = mx.arange(self.kept[0][0].shape[2])
        visible = (slots < self.lengths[:, None]) | ((slots >= self.longest) & (slots <= self.slot))
        offset = self.lengths + (self.slot - self.longest)
        cache = [SlotCache(k, v, offset, self.slot, visible[:, None, None]) for k, v in self.kept]
        hidden = self.model.hidden_states(tokens[:, None], cache)
        self.kept = [[c.keys, c.values] for c in cache]
        self.slot = self.slot + 1
        return hidden[:, -1]

    def keep(self, rows: list[int]) -> None:
        """Go on with these rows alone."""
        chosen = mx.array(rows)
        self.lengths = self.lengths[chosen]
        self.kept = [[array[chosen] for array in pair] for pair in self.kept]
