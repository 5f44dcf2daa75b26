import io
import sys
import threading

import mlx.core as mx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream_mlx import SlipstreamError, cache, generate, stream_generate
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


def test_new_weights_are_seen(model):
    """The step is compiled once and kept with the model; weights that change later are inputs of it."""
    list(generate_tokens(model, [5], 3))
    for change in (lambda p: p * 1.5, lambda p: p - 0.1):
        model.apply(change)
        assert list(generate_tokens(model, [5], 10)) == naive_greedy(model, [5], 10)


def test_texts_of_all_lengths_share_one_trace(model, monkeypatch):
    traced = []
    step = cache._step
    monkeypatch.setattr(cache, "_step", lambda *args: (traced.append(1), step(*args))[1])
    for length in range(1, 20):
        list(generate_tokens(model, list(range(length)), 8))
    assert len(traced) == 1


def test_greedy_equals_mlx_lm(model, saved):
    import mlx_lm
    from mlx_lm.generate import generate_step

    other, _ = mlx_lm.load(str(saved))
    for prompt in ([5], list(range(12))):
        theirs = [token for token, _ in generate_step(mx.array(prompt), other, max_tokens=20)]
        assert list(generate_tokens(model, prompt, 20)) == theirs


def test_past_the_context_the_last_half_is_read_again(model):
    made = list(generate_tokens(model, [1, 2, 3], 60))
    wanted, start = [1, 2, 3], 0
    for _ in range(60):
        start = start if len(wanted) - start <= 32 else len(wanted) - 16
        wanted.append(int(mx.argmax(model(mx.array([wanted[start:]]))[0, -1])))
    assert made == wanted[3:]


def test_sampling_follows_the_model(model):
    """First tokens of many samples against the model's own probabilities, temperature included."""
    probs = mx.softmax(model(mx.array([[5, 6]]))[0, -1] / 0.7)
    mx.random.seed(0)
    counts = [0] * 300
    for _ in range(400):
        counts[next(generate_tokens(model, [5, 6], 1, temperature=0.7))] += 1
    top = sorted(range(300), key=lambda i: -probs[i].item())[:5]
    for i in top:
        assert abs(counts[i] / 400 - probs[i].item()) < 0.08


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
        def hidden_states(self, tokens, cache=None):
            position = cache[0].offset + mx.arange(tokens.shape[1])
            super().hidden_states(tokens, cache)
            return (mx.arange(128) == position[:, None]).astype(mx.float32)[None]

    parrot = Parrot(ModelArgs(vocab_size=257, n_positions=128, n_embd=128, n_layer=1, n_head=1))
    said = mx.array([*ids, tokenizer.eos_id, *[0] * 128][:128])
    parrot.wte.weight = (mx.arange(320)[:, None] == said).astype(mx.float32)
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
