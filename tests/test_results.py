"""The page of results, from a model that knows nothing: the numbers must still add up."""

import json

import mlx.core as mx
import pytest

from slipstream_mlx import SlipstreamError, checkpoint, generate
from slipstream_mlx.batch import DONT_KNOW, Answer
from slipstream_mlx.model import ModelArgs, SlipstreamLM
from slipstream_mlx.results import calibration, doubt_table, main, put_between_marks
from slipstream_mlx.tokenizer import GPT2Tokenizer

ROWS = [{"probability": p, "correct": p > 0.45} for p in (0.05, 0.3, 0.44, 0.5, 0.95, 1.0)]


@pytest.fixture
def folder(tmp_path):
    mx.random.seed(0)
    tokenizer = GPT2Tokenizer.trimmed(["Who won the title?"], 300)
    model = SlipstreamLM(ModelArgs(vocab_size=300, n_positions=32, n_embd=16, n_layer=1, n_head=2))
    path = tmp_path / "qa"
    checkpoint.save_description(path, model.args, tokenizer)
    checkpoint.save_weights(path, model, 1, 1.0)
    training = {
        "preset": "tiny", "tokens": 100, "seconds": 2.0, "peak_memory_gib": 0.1, "settings": {"steps": 5},
    }  # fmt: skip
    (path / "training.json").write_text(json.dumps(training))
    return path


def test_doubt_trades_answers_for_accuracy():
    table = {row["sure"]: row for row in doubt_table(ROWS)}
    assert table[0.0] == {"sure": 0.0, "answered": 1.0, "right": 0.5}
    assert table[0.5] == {"sure": 0.5, "answered": 0.5, "right": 1.0}


def test_calibration_counts_everything_once():
    bins = calibration(ROWS)
    assert sum(b["count"] for b in bins) == len(ROWS)
    assert bins[0]["right"] == 0 and bins[-1]["right"] == 1 and bins[-1]["probability"] == pytest.approx(0.975)


def test_the_command_writes_a_page_and_the_readme(folder, tmp_path, capsys):
    readme, out = tmp_path / "README.md", tmp_path / "results"
    readme.write_text("before <!-- results --> old <!-- /results --> after")
    runs = tmp_path / "runs.json"
    runs.write_text(json.dumps([{"run": "seed 2", "exams": {"heldout": 0.25}, "minutes": 3.0, "same_recipe": True}]))
    flags = ["--model", str(folder), "--base", str(folder), "--corpus", str(tmp_path), "--out", str(out)]
    main([*flags, "--runs", str(runs), "--readme", str(readme)])
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["exams"]["heldout"]["count"] == 49 and results["exams"]["strangers"]["count"] == 98
    page = (tmp_path / "results.md").read_text()
    assert "25.0%" in page and "| seed 2 |" in page and "results-calibration.png" in page
    assert (tmp_path / "results-calibration.png").read_bytes().startswith(b"\x89PNG")
    text = readme.read_text()
    assert text.startswith("before") and text.endswith("after") and "49" in text and "old" not in text
    main([*flags, "--runs", str(runs), "--again"])
    assert (tmp_path / "results.md").read_text() == page


def test_marks_are_needed(folder, tmp_path, capsys):
    with pytest.raises(SlipstreamError, match="no <!-- results -->"):
        put_between_marks("a README", "table")
    with pytest.raises(SystemExit) as stop:
        main(["--model", str(folder), "--out", str(tmp_path / "nowhere" / "x")])
    assert stop.value.code == 2 and "is not there" in capsys.readouterr().err


def test_it_can_say_that_it_does_not_know(folder):
    model, tokenizer = checkpoint.load(folder)
    assert generate(model, tokenizer, "Who won?", mode="qa", max_tokens=5, sure=1.0) == DONT_KNOW
    plain = generate(model, tokenizer, "Who won?", mode="qa", max_tokens=5)
    assert plain != DONT_KNOW and generate(model, tokenizer, "Who won?", mode="qa", max_tokens=5, sure=1e-30) == plain
    with pytest.raises(SlipstreamError, match="sure must be"):
        generate(model, tokenizer, "Who won?", mode="qa", sure=2.0)
    assert Answer("Senna", [1], [-0.5, -0.1], True).said(0.6) == DONT_KNOW
    assert Answer("Senna", [1], [-0.5, -0.1], True).said(0.5) == "Senna"
