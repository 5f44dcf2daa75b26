import json

import pytest

from slipstream_mlx import SlipstreamError
from slipstream_mlx.corpus import Document
from slipstream_mlx.data import encode_questions, read_documents, read_questions, split_documents


def test_only_answers_are_scored(tokenizer):
    data = encode_questions([{"question": "Who won?", "answer": "Senna"}], tokenizer, score_prompts=False)
    assert tokenizer.decode(data.tokens[data.scored]) == " Senna"
    assert data.tokens[-1] == tokenizer.eos_id and data.scored[-1]
    assert tokenizer.decode(data.tokens) == "Question: Who won?\nAnswer: Senna"
    assert encode_questions([{"question": "Who won?", "answer": "Senna"}], tokenizer, score_prompts=True).scored.all()


def test_split_is_by_document_and_stable():
    documents = [Document(f"text {i}", title=str(i)) for i in range(40)]
    train, validation = split_documents(documents, 0.1)
    assert len(train) == 36 and len(validation) == 4
    assert {d.title for d in train} | {d.title for d in validation} == {str(i) for i in range(40)}
    shuffled_train, shuffled_validation = split_documents(documents[::-1], 0.1)
    assert {d.title for d in shuffled_validation} == {d.title for d in validation}


def test_a_settled_split_is_obeyed():
    documents = [Document("a", split="train"), Document("b", split="validation"), Document("c", split="train")]
    train, validation = split_documents(documents, 0.5)
    assert [d.text for d in train] == ["a", "c"] and [d.text for d in validation] == ["b"]


def test_a_lone_document_is_cut_by_position():
    train, validation = split_documents([Document("0123456789")], 0.1)
    assert train[0].text == "012345678" and validation[0].text == "9"


def test_documents_from_files_and_folders(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.md").write_text("# B\n\ntext ä", encoding="utf-8")
    (tmp_path / "a.txt").write_bytes("\ufeffwindows\r\nlines".encode())
    (tmp_path / "c.jsonl").write_text(
        '{"text": "one", "title": "T", "split": "train"}\n\n{"text": "two", "extra": 3}\n'
    )
    (tmp_path / "ignored.png").write_bytes(b"\x89PNG")
    documents = read_documents([tmp_path])
    assert [d.text for d in documents] == ["windows\nlines", "one", "two", "# B\n\ntext ä"]
    assert documents[1].title == "T" and documents[1].split == "train"


@pytest.mark.parametrize(
    "name,content,message",
    [
        ("a.txt", b"fine\nfine\n\xff\xfe", "a.txt, line 3: not UTF-8"),
        ("a.txt", b"  \n", "a.txt is empty"),
        ("a.jsonl", b'{"text": "fine"}\n{broken', "a.jsonl, line 2: not valid JSON"),
        ("a.jsonl", b'{"title": "no text"}', 'a.jsonl, line 1: "text" must be'),
        ("a.jsonl", b"[1, 2]", "a.jsonl, line 1: must be an object"),
        ("a.jsonl", b"", "a.jsonl is empty"),
        ("a.jsonl", b"[" * 100_000, "line 1: not valid JSON"),
    ],
)
def test_bad_corpora_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SlipstreamError, match=message):
        read_documents([tmp_path / name])


def test_missing_paths_are_named(tmp_path):
    with pytest.raises(SlipstreamError, match="nowhere is not there"):
        read_documents([tmp_path / "nowhere"])
    with pytest.raises(SlipstreamError, match="holds no .txt"):
        read_documents([tmp_path])


@pytest.mark.parametrize(
    "row,message",
    [
        ({"question": "Who?"}, '"answer" must be'),
        ({"question": "", "answer": "a"}, '"question" must be'),
        ({"question": "Who?", "answer": "a", "keywords": "a"}, '"keywords" must be'),
        ({"question": "Who?", "answer": "a", "keywords": [[]]}, '"keywords" must be'),
        ({"question": "Who?", "answer": "a", "keywords": [[1]]}, '"keywords" must be'),
        ({"question": "Who?", "answer": "a", "kind": 3}, '"kind" must be'),
    ],
)
def test_bad_questions_are_named(tmp_path, row, message):
    path = tmp_path / "q.jsonl"
    path.write_text(json.dumps({"question": "fine", "answer": "fine"}) + "\n" + json.dumps(row))
    with pytest.raises(SlipstreamError, match=f"q.jsonl, line 2: {message}"):
        read_questions([path])
