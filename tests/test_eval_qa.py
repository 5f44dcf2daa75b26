import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream_mlx.corpus.scoring import fold, is_correct, question_keywords
from slipstream_mlx.eval_qa import evaluate_questions, format_report, main, score

QUESTIONS = [
    {"question": "Who won?", "answer": "Ayrton Senna", "keywords": [["Senna"]], "kind": "who"},
    {"question": "When?", "answer": "In 1988", "keywords": [["1988"]], "kind": "when"},
    {"question": "Where?", "answer": "Monza"},
]


@pytest.mark.parametrize(
    "answer,keywords,verdict",
    [
        ("It was Ayrton Senna.", [["Senna"]], True),
        ("kimi raikkonen", [["Räikkönen"]], True),
        ("KIMI RÄIKKÖNEN!", [["raikkonen"]], True),
        ("in 19880", [["1988"]], False),
        ("Sennas", [["Senna"]], False),
        ("Seven titles", [["7", "seven"]], True),
        ("Senna in 1990", [["Senna"], ["1988"]], False),
        ("Senna in 1988", [["Senna"], ["1988"]], True),
        ("Red  Bull", [["red bull"]], True),
        ("red, bull", [["red bull"]], True),
        ("", [["Senna"]], False),
        ("São Paulo", [["Sao Paulo"]], True),
        ("5.793 km", [["5.793"]], True),
        ("Straße", [["strasse"]], True),
    ],
)
def test_verdicts(answer, keywords, verdict):
    assert is_correct(answer, keywords) is verdict


@given(st.text(), st.lists(st.lists(st.text(min_size=1), min_size=1), max_size=3))
def test_any_text_has_a_verdict_and_case_never_matters(answer, keywords):
    verdict = is_correct(answer, keywords)
    assert verdict == is_correct(fold(answer), [[fold(k) for k in any_of] for any_of in keywords])


def test_answers_own_words_serve_when_there_are_no_keywords():
    assert question_keywords(QUESTIONS[2]) == [["monza"]]
    assert is_correct("At Monza, in Italy", question_keywords(QUESTIONS[2]))


def test_report():
    report = score(QUESTIONS, ["Senna", "1990", "monza"])
    assert report["accuracy"] == pytest.approx(2 / 3) and report["count"] == 3 and report["correct"] == 2
    assert report["by_kind"] == {
        "who": {"accuracy": 1.0, "count": 1, "correct": 1}, "when": {"accuracy": 0.0, "count": 1, "correct": 0},
    }  # fmt: skip
    assert report["rows"][1] == {
        "question": "When?", "answer": "In 1988", "given": "1990", "correct": False, "kind": "when",
    }  # fmt: skip
    text = format_report(report)
    assert "2 of 3 right: 66.7%" in text and "✗ When?" in text and "[wanted: In 1988]" in text


def test_model_is_asked_every_question(model, tokenizer):
    seen = []
    report = evaluate_questions(model, tokenizer, QUESTIONS, progress=seen.append)
    assert report["count"] == 3 and seen[-1] == 3


def test_command_writes_the_report(saved, tmp_path, capsys):
    path = tmp_path / "q.jsonl"
    path.write_text("\n".join(json.dumps(q) for q in QUESTIONS))
    main(["--model", str(saved), "--questions", str(path), "--report", str(tmp_path / "r.json")])
    assert "of 3 right" in capsys.readouterr().out
    assert json.loads((tmp_path / "r.json").read_text())["count"] == 3


@pytest.mark.parametrize(
    "flags,message",
    [
        (["--questions", "none.jsonl"], "none.jsonl is not there"),
        (["--model", "none"], "holds no trained model"),
        (["--report", "none/r.json"], "that folder is not there"),
    ],
)
def test_bad_flags(flags, message, saved, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(["--model", str(saved), *flags])
    assert stop.value.code == 2 and message in capsys.readouterr().err
