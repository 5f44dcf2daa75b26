import json

from slipstream_mlx.build_corpus import main, make_card, settle_splits, without_copies
from slipstream_mlx.corpus import Document
from slipstream_mlx.data import read_documents, read_questions

LONG = "Lap by lap the gap came down until the two cars ran nose to tail through the last corner of the last lap."


def test_copies_do_not_stand_on_both_sides():
    train = [Document(LONG + " And then it rained."), Document("Something else entirely, about tyres.")]
    copies = [Document("A new beginning. " + LONG), Document("Quite another story about a man, a dog and a gearbox.")]
    assert without_copies(train, copies) == copies[1:]


def test_splits_are_settled_and_written_down():
    documents = [Document(f"text number {i} with words {i * 7} of its own {i * 13}", split="") for i in range(20)]
    settled = settle_splits(documents, 0.1)
    assert sorted(d.split for d in settled) == ["train"] * 18 + ["validation"] * 2
    again = settle_splits(settled, 0.5)
    assert {d.text for d in again if d.split == "validation"} == {d.text for d in settled if d.split == "validation"}


def test_card_counts():
    documents = [
        Document("one two", source="handbook/a/b.md", licence="MIT", split="train"),
        Document("three", source="https://en.wikipedia.org/wiki/X", licence="CC BY-SA 4.0", split="validation"),
    ]
    card = make_card(documents, [{"question": "q", "answer": "a"}])
    assert card["documents"] == 2 and card["questions"] == 1 and card["splits"] == {"train": 1, "validation": 1}
    assert card["sources"]["handbook"]["words"] == 2 and card["sources"]["en.wikipedia.org"]["licences"] == [
        "CC BY-SA 4.0"
    ]
    assert 0 < card["vocabulary_used"] < 0.01
    assert make_card(documents[::-1], [])["fingerprint"] != card["fingerprint"]
    assert Document("x").origin == "unknown"


def test_command_writes_what_train_reads(tmp_path, capsys):
    out = tmp_path / "corpus"
    main(["--out", str(out), "--wikipedia", str(tmp_path / "none"), "--f1db", str(tmp_path / "none")])
    documents, questions = read_documents([out / "documents.jsonl"]), read_questions([out / "questions.jsonl"])
    card = json.loads((out / "card.json").read_text())
    assert card["documents"] == len(documents) > 1000 and card["questions"] == len(questions) > 10_000
    for exam in ("seen_phrasing_unseen_fact", "unseen_phrasing_seen_fact", "both_unseen"):
        assert not {q["question"] for q in read_questions([out / f"{exam}.jsonl"])} & {q["question"] for q in questions}
    assert {d.split for d in documents} == {"train", "validation"}
    assert "| handbook |" in capsys.readouterr().out and (out / "card.md").read_text().startswith("# Corpus card")
