import io
import sys
import threading

import mlx.core as mx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream_mlx import SlipstreamError, generate, stream_generate
from slipstream_mlx.generate import change_setting, generate_tokens, interact, main, prompt_overflow
from slipstream_mlx.model import SlipstreamLM

SAMPLED = {"temperature": 1.0, "max_tokens": 20}


def naive_greedy(model, ids, count):
    """No cache: the whole text is read anew for every token."""
    ids = list(ids)
    for _ in range(count):
        ids.append(int(mx.argmax(model(mx.array([ids]))[0, -1])))
    return ids[-count:]


def test_cached_greedy_equals_naive(model):
    for prompt in ([5], [1, 2, 3, 4, 5, 6, 7, 8], list(range(12))):
        assert list(generate_tokens(model, prompt, 15)) == naive_greedy(model, prompt, 15)


def test_same_seed_same_text(model, tokenizer):
    one = generate(model, tokenizer, "Senna", seed=7, **SAMPLED)
    assert one == generate(model, tokenizer, "Senna", seed=7, **SAMPLED)
    assert one != generate(model, tokenizer, "Senna", seed=8, **SAMPLED)


def test_same_seed_same_text_in_another_thread(model, tokenizer):
    here = generate(model, tokenizer, "Senna", seed=7, top_p=0.9, **SAMPLED)
    there = []
    for _ in range(2):
        thread = threading.Thread(
            target=lambda: (
                there.append(generate(model, tokenizer, "Senna", seed=7, top_p=0.9, **SAMPLED)),
                mx.clear_streams(),
            )
        )
        thread.start()
        thread.join()
    assert there == [here, here]


def test_pieces_join_to_the_whole(model, tokenizer):
    pieces = list(stream_generate(model, tokenizer, "Senna", seed=3, **SAMPLED))
    assert "".join(pieces) == generate(model, tokenizer, "Senna", seed=3, **SAMPLED)


@given(st.text(min_size=1, max_size=20))
@settings(max_examples=50, deadline=None)
def test_streaming_never_splits_a_character(text):
    """A stand-in model that repeats a given text: every piece must be valid and the sum must be the text."""
    from slipstream_mlx.model import ModelArgs
    from slipstream_mlx.tokenizer import GPT2Tokenizer

    tokenizer = GPT2Tokenizer.trimmed([""], 257)
    ids = tokenizer.encode(text)

    class Parrot(SlipstreamLM):
        def __call__(self, tokens, cache=None):
            super().__call__(tokens, cache)
            said = cache[0].offset - 1
            return mx.where(mx.arange(257) == (ids + [tokenizer.eos_id])[said], 1.0, 0.0)[None, None]

    parrot = Parrot(ModelArgs(vocab_size=257, n_positions=128, n_embd=8, n_layer=1, n_head=1))
    pieces = list(stream_generate(parrot, tokenizer, "a", temperature=0))
    assert "".join(pieces) == text
    assert all("\ufffd" not in piece or "\ufffd" in text for piece in pieces)


def test_every_token_has_its_piece(model, tokenizer):
    """So that whoever counts pieces counts tokens, though most tokens of this model are a part of a character."""
    ids = tokenizer.encode("Senna")
    for seed in range(5):
        pieces = list(stream_generate(model, tokenizer, "Senna", temperature=1.0, max_tokens=60, seed=seed))
        mx.random.seed(seed)
        tokens = []
        for token in generate_tokens(model, ids, 60, temperature=1.0):
            tokens.append(token)
            if token == tokenizer.eos_id:
                break
        assert len(pieces) == len(tokens) and "" in pieces
        assert "".join(pieces) == tokenizer.decode(tokens)


def test_text_goes_on_past_the_context(model):
    tokens = list(generate_tokens(model, [1, 2, 3], 100))
    assert len(tokens) == 100


def test_a_long_prompt_keeps_its_end(model, tokenizer):
    long = "x" * 100 + "Monza"
    kept = tokenizer.encode(long)[-32:]
    assert prompt_overflow(model, tokenizer, long, "completion") == len(tokenizer.encode(long)) - 32
    wanted = list(generate_tokens(model, kept, 1))
    assert generate(model, tokenizer, long, temperature=0, max_tokens=1) == tokenizer.decode(wanted)


def test_top_k_of_one_and_tiny_top_p_are_greedy(model, tokenizer):
    greedy = generate(model, tokenizer, "Senna", temperature=0, max_tokens=15)
    assert generate(model, tokenizer, "Senna", temperature=1.5, top_k=1, max_tokens=15, seed=1) == greedy
    assert generate(model, tokenizer, "Senna", temperature=1.0, top_p=1e-6, max_tokens=15, seed=1) == greedy
    assert generate(model, tokenizer, "Senna", temperature=1.0, min_p=1.0, max_tokens=15, seed=1) == greedy


def test_repetition_penalty_changes_the_text(model, tokenizer):
    plain = generate(model, tokenizer, "Senna", temperature=0, max_tokens=25)
    assert generate(model, tokenizer, "Senna", temperature=0, max_tokens=25, repetition_penalty=1.8) != plain


def test_empty_prompt_and_zero_tokens(model, tokenizer):
    assert isinstance(generate(model, tokenizer, "", seed=1, max_tokens=5), str)
    assert generate(model, tokenizer, "Senna", max_tokens=0) == ""


@pytest.mark.parametrize(
    "setting",
    [
        {"mode": "chat"}, {"max_tokens": -1}, {"temperature": -0.1}, {"temperature": float("nan")}, {"top_p": 0},
        {"top_p": 1.1}, {"top_k": -1}, {"min_p": 2}, {"repetition_penalty": 0},
    ],
)  # fmt: skip
def test_settings_out_of_range_are_named(setting, model, tokenizer):
    with pytest.raises(SlipstreamError, match=next(iter(setting))):
        generate(model, tokenizer, "Senna", **setting)


def test_large_top_k_means_all(model, tokenizer):
    assert generate(model, tokenizer, "a", seed=1, top_k=10_000, **SAMPLED) == generate(
        model, tokenizer, "a", seed=1, top_k=0, **SAMPLED
    )


def test_command(saved, capsys):
    main(["--model", str(saved), "--prompt", "Ayrton Senna", "--max-tokens", "5", "--seed", "1"])
    assert capsys.readouterr().out.startswith("Ayrton Senna")
    main(["--model", str(saved), "--prompt", "é" * 200, "--max-tokens", "1"])
    assert "do not fit the context" in capsys.readouterr().err


def test_command_without_a_model(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--model", str(tmp_path), "--prompt", "a"])
    assert stop.value.code == 2 and "make pretrain" in capsys.readouterr().err


def test_interactive_session(model, tokenizer, monkeypatch, capsys):
    lines = ["/help", "/mode qa", "Who won?", "/temp 0.5", "/temp hot", "/seed 3", "/tokens 4", "/nonsense", "",
             "/mode completion", "Monza", "/quit", "never read"]  # fmt: skip
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(lines)))
    settings = {"mode": "completion", "max_tokens": 6, "temperature": None, "top_p": 1.0, "top_k": 0, "min_p": 0.0,
                "repetition_penalty": 1.0, "seed": None}  # fmt: skip
    interact(model, tokenizer, settings)
    out = capsys.readouterr().out
    assert "/mode completion|qa" in out and "'hot' is not a number" in out and "I know /mode" in out and "Monza" in out
    assert settings["temperature"] == 0.5 and settings["seed"] == 3 and settings["max_tokens"] == 4


def test_ctrl_c_stops_the_text_and_not_the_program(model, tokenizer, monkeypatch, capsys):
    def interrupted(*_, **__):
        yield "some"
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["slipstream_mlx.generate"], "stream_generate", interrupted)
    monkeypatch.setattr("sys.stdin", io.StringIO("Monza\n/seed 1\n"))
    interact(model, tokenizer, {"mode": "completion"})
    out = capsys.readouterr().out
    assert "some [stopped]" in out and "ok" in out


def test_change_setting_answers():
    assert "NAME" in change_setting({}, "/templates") and change_setting({"mode": "qa"}, "/mode chat").startswith(
        "I know"
    )
