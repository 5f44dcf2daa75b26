"""The loop through its public doors: the same seed, the same weights, whether or not it was interrupted."""

import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
import time

import mlx.core as mx
import mlx.optimizers as optim
import numpy as np
import pytest
from mlx.utils import tree_flatten

from slipstream_mlx import SlipstreamError, checkpoint, stream_generate
from slipstream_mlx.data import TokenSet
from slipstream_mlx.model import ModelArgs, SlipstreamLM
from slipstream_mlx.optimizer import Optimizer
from slipstream_mlx.packing import make_batches, validation_batches
from slipstream_mlx.presets import PRESETS, TrainArgs
from slipstream_mlx.step import evaluate, make_step
from slipstream_mlx.tokenizer import GPT2Tokenizer
from slipstream_mlx.train import main, not_worse, train, write_sample

SHAPE = ModelArgs(vocab_size=300, n_positions=16, n_embd=16, n_layer=2, n_head=2)
ARGS = TrainArgs(
    steps=12, batch_size=4, context=8, lr=1e-2, min_lr=1e-3, warmup_steps=2, eval_every=4, eval_batches=2, dropout=0.1
)
TEXT = TokenSet(np.tile(np.arange(50, dtype=np.uint16), 8), np.ones(400, bool), np.array([0, 150, 400]), False)


def run(out, args=ARGS, resume=False, batches=None):
    mx.random.seed(args.seed)
    model = SlipstreamLM(SHAPE, dropout=args.dropout)
    batches = batches or make_batches([(TEXT, 1.0)], args.batch_size, args.context, 299, args.seed)
    validation = validation_batches(TEXT, args.batch_size, args.context, 299, args.eval_batches)
    description = {"stage": "pretrain", "preset": "tiny", "command": ["slipstream", "train"]}
    tokenizer = GPT2Tokenizer.trimmed(["text"], 300)
    return train(model, tokenizer, batches, validation, args, out, description, resume), model


def weights(model):
    return {name: np.array(array) for name, array in tree_flatten(model.parameters())}


def assert_same_weights(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert (a[name] == b[name]).all(), name


def test_it_learns_and_says_so(tmp_path):
    record, model = run(tmp_path / "a", dataclasses.replace(ARGS, steps=120, eval_every=40))
    assert record["history"][-1]["val_loss"] < 1.0 < record["history"][0]["loss"]
    saved = json.loads((tmp_path / "a" / "training.json").read_text())
    assert [row["step"] for row in saved["history"]] == [40, 80, 120]
    assert saved["tokens"] == 120 * 4 * 8 and saved["finished"] == "steps"
    assert saved["settings"]["lr"] == ARGS.lr and saved["model"]["n_embd"] == 16
    assert (tmp_path / "a" / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert not list((tmp_path / "a").rglob("*.tmp*"))


def test_same_seed_same_weights(tmp_path):
    _, one = run(tmp_path / "a")
    _, two = run(tmp_path / "b")
    _, other = run(tmp_path / "c", dataclasses.replace(ARGS, seed=2))
    assert_same_weights(weights(one), weights(two))
    assert not (weights(one)["wpe.weight"] == weights(other)["wpe.weight"]).all()


def test_resumed_run_is_bit_identical(tmp_path):
    whole_record, whole = run(tmp_path / "whole")
    real = make_batches([(TEXT, 1.0)], ARGS.batch_size, ARGS.context, 299, ARGS.seed)

    def broken(step):
        if step == 6:
            raise RuntimeError("power cut")
        return real(step)

    with pytest.raises(RuntimeError, match="power cut"):
        run(tmp_path / "cut", batches=broken)
    record, resumed = run(tmp_path / "cut", resume=True)
    assert_same_weights(weights(whole), weights(resumed))
    kept = ("step", "loss", "val_loss", "sample")
    assert [[r[k] for k in kept] for r in record["history"]] == [[r[k] for k in kept] for r in whole_record["history"]]
    best_whole, _ = checkpoint.load(tmp_path / "whole")
    best_resumed, _ = checkpoint.load(tmp_path / "cut")
    assert_same_weights(weights(best_whole), weights(best_resumed))


def test_a_sample_is_what_the_model_would_write():
    tokenizer = GPT2Tokenizer.trimmed(["text"], 300)
    model = SlipstreamLM(dataclasses.replace(SHAPE, n_positions=128))
    for stage, asked, prompt, mode in (
        ("pretrain", "{}", "Ayrton Senna is a Formula One driver who", "completion"),
        ("finetune_qa", "Question: {}\nAnswer:", "Who won the world championship in 1988?", "qa"),
    ):
        written = stream_generate(model, tokenizer, prompt, mode=mode, temperature=0, max_tokens=24)
        assert write_sample(model, tokenizer, stage) == asked.format(prompt) + "".join(written)
    assert model.training


def test_a_sample_disturbs_neither_the_random_state_nor_the_next_step(tmp_path, monkeypatch):
    _, with_samples = run(tmp_path / "a")
    monkeypatch.setattr("slipstream_mlx.train.write_sample", lambda *_: "")
    _, without = run(tmp_path / "b")
    assert_same_weights(weights(with_samples), weights(without))


def test_accumulation_changes_nothing(tmp_path):
    args = dataclasses.replace(ARGS, dropout=0.0)
    _, whole = run(tmp_path / "a", args)
    _, parts = run(tmp_path / "b", dataclasses.replace(args, accumulate=4))
    for name, array in weights(whole).items():
        assert np.abs(array - weights(parts)[name]).max() < 2e-4, name


def test_compiled_step_equals_plain_adamw():
    """Our step against MLX's own value_and_grad, clipping and AdamW, written out."""
    import mlx.nn as nn

    args = dataclasses.replace(ARGS, dropout=0.0, weight_decay=0.0, muon_lr=0.0)
    batch = make_batches([(TEXT, 1.0)], 4, 8, 299, 0)
    mx.random.seed(0)
    ours = SlipstreamLM(SHAPE)
    plain = SlipstreamLM(SHAPE)
    plain.update(ours.parameters())
    step = make_step(ours, Optimizer(ours.trainable_parameters(), args), args)
    # two steps of warm-up, then ten along a cosine from 1e-2 to 1e-3
    rates = [5e-3, 1e-2, 1e-2, 1e-3 + 9e-3 * (1 + math.cos(math.pi / 10)) / 2]
    adamw = optim.AdamW(0.0, betas=[0.9, 0.99], weight_decay=0.0, bias_correction=True)

    def loss_fn(model, inputs, targets, w):
        logits = model.wte.as_linear(model.hidden_states(inputs))
        return (nn.losses.cross_entropy(logits, targets) * w).sum()

    for k in range(4):
        inputs, targets, w = (mx.array(a) for a in batch(k)[0])
        loss, grads = nn.value_and_grad(plain, loss_fn)(plain, inputs.astype(mx.int32), targets.astype(mx.int32), w)
        grads, _ = optim.clip_grad_norm(grads, 1.0)
        adamw.learning_rate = rates[k]
        adamw.update(plain, grads)
        assert step(k, batch(k)).item() == pytest.approx(loss.item(), rel=1e-4)


def test_nan_stops_and_keeps_the_last_good_checkpoint(tmp_path):
    real = make_batches([(TEXT, 1.0)], ARGS.batch_size, ARGS.context, 299, ARGS.seed)

    def poisoned(step):
        ((inputs, targets, w),) = real(step)
        return [(inputs, targets, w * (np.nan if step >= 9 else 1))]

    with pytest.raises(SlipstreamError, match="loss became nan at step 10.*saved in .* before is kept"):
        run(tmp_path / "a", batches=poisoned)
    model, _ = checkpoint.load(tmp_path / "a")
    assert all(np.isfinite(array).all() for array in weights(model).values())
    assert json.loads((tmp_path / "a" / "training.json").read_text())["step"] == 8


def test_luck_does_not_pick_the_weights():
    assert not_worse(0.02, 0.04, 49) and not_worse(0.70, 0.75, 49) and not_worse(1.0, 1.0, 49)
    assert not not_worse(0.60, 0.75, 49) and not not_worse(0.70, 0.75, 4900) and not not_worse(0.0, 0.1, 49)


def test_early_stop_keeps_the_best(tmp_path):
    def noise(step):
        rng = np.random.default_rng(step)
        tokens = rng.integers(0, 299, (4, 9))
        return [(tokens[:, :-1], tokens[:, 1:], np.full((4, 8), 1 / 32, np.float32))]

    args = dataclasses.replace(ARGS, steps=200, patience=2, lr=0.1)
    record, _ = run(tmp_path / "a", args, batches=noise)
    assert record["finished"] == "early" and record["step"] < 200
    best = min(record["history"], key=lambda row: row["val_loss"])
    assert record["best_step"] == best["step"] and record["best_val_loss"] == best["val_loss"]
    model, _ = checkpoint.load(tmp_path / "a")
    validation = validation_batches(TEXT, 4, 8, 299, 2)
    assert evaluate(model, validation) == pytest.approx(best["val_loss"], rel=0.02)  # pads are cut from what is saved


def test_evaluation_is_the_mean_over_scored_tokens():
    model = SlipstreamLM(SHAPE)
    batches = validation_batches(TEXT, 4, 8, 299, 3)
    total = count = 0.0
    for inputs, targets, w in batches:
        logits = model(mx.array(inputs.astype(np.int32)))
        logprobs = np.array(logits - mx.logsumexp(logits, axis=-1, keepdims=True))
        total -= (np.take_along_axis(logprobs, targets[..., None].astype(int), -1)[..., 0] * w).sum()
        count += w.sum()
    assert evaluate(model, batches) == pytest.approx(total / count, rel=1e-4)


def test_command_on_a_file(tmp_path, capsys):
    corpus = tmp_path / "text.txt"
    corpus.write_text("the quick brown fox jumps over the lazy dog. " * 60)
    flags = ["--preset", "token-forge", "--corpus", str(corpus), "--out", str(tmp_path / "out"), "--steps", "6"]
    main([*flags, "--eval-every", "3"])
    assert "best: validation loss" in capsys.readouterr().out
    saved = json.loads((tmp_path / "out" / "training.json").read_text())
    assert saved["preset"] == "token-forge" and saved["command"][:2] == ["slipstream", "train"]
    model, tokenizer = checkpoint.load(tmp_path / "out")
    assert tokenizer.decode(tokenizer.encode("lazy fox")) == "lazy fox"
    for row in saved["history"]:  # the usual prompt has capitals, which this model never saw
        assert row["sample"].startswith("yrton enna is a ormula ne driver who")


@pytest.mark.parametrize(
    "flags,message",
    [
        (["--preset", "huge"], "no preset 'huge'"),
        (["--corpus", "nowhere.txt"], "nowhere.txt is not there"),
        (["--lr", "nan"], "--lr must be"),
        (["--steps", "0"], "--steps must be"),
        (["--context", "4096"], "--context 4096 is more than"),
        (["--question-context", "4096"], "--question-context 4096 is more than"),
        (["--resume"], "nothing to resume"),
    ],
)
def test_bad_flags_are_one_line_and_status_2(flags, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(["--out", str(tmp_path / "out"), *flags])
    error = capsys.readouterr().err
    assert stop.value.code == 2 and message in error and error.count("\n") == 1


def test_presets_are_trainable():
    for preset in PRESETS.values():
        assert preset.pretrain.context <= preset.model.n_positions
        assert preset.finetune.context <= preset.model.n_positions


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_saves_and_tells_how_to_go_on(tmp_path, number):
    corpus = tmp_path / "text.txt"
    corpus.write_text("the quick brown fox jumps over the lazy dog. " * 60)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "slipstream_mlx.train", "--preset", "token-forge", "--corpus", str(corpus)]
    command += ["--out", str(out), "--steps", "100000", "--eval-every", "5"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    deadline = time.time() + 60
    while not (out / "training.json").exists() and time.time() < deadline:
        time.sleep(0.1)
    os.kill(process.pid, number)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "all is saved. To go on: slipstream train" in error and error.rstrip().endswith("--resume")
    assert "Traceback" not in error
    checkpoint.load(out)
