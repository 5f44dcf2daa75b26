"""Text in, a model out, answers scored: the stages one after another on the embedded data, in their shortest form."""

import json

import pytest

from slipstream_mlx import cli, load


def stage(name, flags):
    cli.main([name, *flags])


@pytest.mark.slow
def test_from_nothing_to_answers(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    stage("train", ["--preset", "nano", "--steps", "12", "--eval-every", "6", "--out", "base"])
    stage("finetune_qa", ["--model", "base", "--steps", "6", "--eval-every", "3", "--out", "qa"])
    stage("eval_qa", ["--model", "qa", "--report", "qa/eval.json"])
    report = json.loads((tmp_path / "qa" / "eval.json").read_text())
    assert report["count"] == 49 and len(report["rows"]) == 49 and report["by_kind"].keys() >= {"who", "when", "why"}
    training = json.loads((tmp_path / "qa" / "training.json").read_text())
    assert (
        training["base"] == "base"
        and training["preset"] == "nano"
        and training["data"]["questions: by hand"]["documents"] > 10_000
    )
    assert (tmp_path / "base" / "loss.png").exists() and (tmp_path / "qa" / "loss.png").exists()
    capsys.readouterr()
    stage("generate", ["--model", "qa", "--mode", "qa", "--prompt", "Who won the title in 1988?"])
    assert capsys.readouterr().out.endswith("\n")  # so early, the likeliest answer may be none
    stage("generate", ["--model", "base", "--prompt", "Ayrton Senna is", "--max-tokens", "20", "--seed", "1"])
    assert len(capsys.readouterr().out.removeprefix("Ayrton Senna is").strip()) > 10


@pytest.mark.slow
def test_mlx_lm_opens_what_we_save(saved, capsys, monkeypatch):
    from mlx_lm.generate import main

    monkeypatch.setattr(
        "sys.argv", ["mlx_lm.generate", "--model", str(saved), "--prompt", "Who won?", "--max-tokens", "5"]
    )
    main()
    assert "Generation: 5 tokens" in capsys.readouterr().out
    assert load(saved)
