"""Properties that hold for any text: tokenizers, splitting, scoring, question files."""

import json

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from slipstream_mlx import SlipstreamError
from slipstream_mlx.corpus import Document
from slipstream_mlx.corpus.scoring import fold, is_correct
from slipstream_mlx.data import encode_documents, encode_questions, read_questions, split_documents
from slipstream_mlx.packing import pack
from slipstream_mlx.tokenizer import LONG_GAP, CharTokenizer, GPT2Tokenizer, tokenizer_from_json

ANY = st.text(st.characters(exclude_categories=()), max_size=200)  # lone surrogates, NUL, unassigned code points too
SPACES = st.sampled_from([" ", "\n", "\t", "\r\n", "\u3000", "\xa0", "\u2028", "\x1c", "\x85"])
GAPPY = st.lists(st.tuples(st.one_of(SPACES, st.text(max_size=3)), st.sampled_from([1, 2, 999, 1000, 1001, 3000])))
WHOLE, SMALL = GPT2Tokenizer(), GPT2Tokenizer.trimmed(["Who won the 1988 race at Monza?"], 300)
many = settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def is_text(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


@pytest.mark.parametrize("tokenizer", [WHOLE, SMALL], ids=["whole", "trimmed"])
@many
@given(text=ANY)
def test_byte_pairs_give_any_text_back_or_say_what_is_none(tokenizer, text):
    if not is_text(text):
        with pytest.raises(SlipstreamError, match="lone surrogate"):
            tokenizer.encode(text)
        return
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text and tokenizer.eos_id not in ids
    assert b"".join(tokenizer.decode_bytes([i]) for i in ids) == text.encode()


@many
@given(parts=GAPPY)
def test_long_gaps_are_cut_where_they_make_no_difference(parts):
    text = "".join(part * times for part, times in parts)
    assert WHOLE.encode(text) == WHOLE._encoding.encode_ordinary(text)


@pytest.mark.parametrize("text", [" " * 999_999 + "a", "\n \u3000" * 333_333 + "b", "a" * 1_000_000, "漢 " * 500_000])
def test_a_megabyte_in_one_line(text):
    assert WHOLE.decode(WHOLE.encode(text)) == text
    assert LONG_GAP.search(text) or " " * 1000 not in text


@many
@given(alphabet=ANY.filter(bool), other=ANY)
def test_characters_give_any_text_back_or_name_the_stranger(alphabet, other, tmp_path_factory):
    tokenizer = CharTokenizer.train(alphabet)
    assert tokenizer.decode(tokenizer.encode(alphabet)) == alphabet
    if set(other) - set(alphabet):
        with pytest.raises(SlipstreamError, match=r"does not know .* \(U\+"):
            tokenizer.encode(other)
    if is_text(alphabet):
        path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
        path.write_text(json.dumps(tokenizer.to_json()))
        assert tokenizer_from_json(path).alphabet == tokenizer.alphabet


@many
@given(texts=st.lists(ANY.filter(is_text), min_size=1, max_size=8), share=st.floats(0, 0.9))
def test_a_split_loses_nothing_and_repeats_nothing(texts, share):
    documents = [Document(text=text) for text in texts]
    train, validation = split_documents(documents, share)
    if len(documents) > 1:
        assert sorted(d.text for d in [*train, *validation]) == sorted(texts)
    else:
        assert "".join(d.text for d in [*train, *validation]) == texts[0]
    data = encode_documents(train, SMALL)
    tokens, scored = pack(data, range(len(data)), 9, SMALL.eos_id)
    assert (tokens[scored] == data.tokens).all() and tokens.shape == scored.shape


@many
@given(answer=ANY, keywords=st.lists(st.lists(ANY, min_size=1, max_size=3), max_size=3))
def test_scoring_bears_any_text(answer, keywords):
    assert is_correct(answer, keywords) == is_correct(fold(answer), keywords)
    assert fold(fold(answer)) == fold(answer)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | ANY
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(ANY, inner), max_leaves=8)
ROW = st.fixed_dictionaries({"question": ANY | JSON, "answer": ANY | JSON}, optional={"keywords": JSON, "kind": JSON})


@many
@given(rows=st.lists(ROW | JSON, max_size=4))
def test_question_files_are_read_or_refused_by_line(rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("questions") / "q.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    try:
        read = read_questions([path])
    except SlipstreamError as error:
        assert str(path) in str(error)
        return
    data = encode_questions(read, SMALL, score_prompts=False)
    assert len(data) == len(read) and np.isin(SMALL.eos_id, data.tokens)
