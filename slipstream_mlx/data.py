"""From files to tokens: files -> Document or question -> TokenSet, one flat array of ids.

packing.py cuts them into the rows and batches of training.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .corpus import Document
from .errors import SlipstreamError
from .prompts import encode_pair
from .tokenizer import Tokenizer

TEXT_SUFFIXES = (".txt", ".md")


# Reading files -------------------------------------------------------------------------------------------------


def read_documents(paths: Iterable[str | Path]) -> list[Document]:
    """Documents from files and folders of .txt, .md and .jsonl (rows with a "text"; other fields are optional).

    Raises SlipstreamError that names the file, and the line in a .jsonl, that cannot be used.
    """
    documents: list[Document] = []
    for path in map(Path, paths):
        if path.is_dir():
            files = sorted(p for p in path.rglob("*") if p.is_file() and p.suffix in (*TEXT_SUFFIXES, ".jsonl"))
            if not files:
                raise SlipstreamError(f"{path} holds no .txt, .md or .jsonl file: point --corpus at text")
        elif path.is_file():
            files = [path]
        else:
            raise SlipstreamError(f"{path} is not there: check the path given to --corpus")
        for file in files:
            documents.extend(_read_document_file(file))
    return documents


def _read_document_file(path: Path) -> list[Document]:
    if path.suffix == ".jsonl":
        fields = ("title", "source", "licence", "split")
        return [
            Document(text=row["text"], **{f: row[f] for f in fields if isinstance(row.get(f), str)})
            for _, row in read_jsonl(path, required=("text",))
        ]
    text = read_text(path)
    if not text.strip():
        raise SlipstreamError(f"{path} is empty: give it text or leave it out")
    return [Document(text=text, title=path.stem, source=str(path))]


def read_text(path: Path) -> str:
    """A file as UTF-8. Raises SlipstreamError with the line that is not."""
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise SlipstreamError(f"{path}, line {line}: not UTF-8 text: save it as UTF-8") from None


def read_jsonl(path: Path, required: Sequence[str]) -> list[tuple[int, dict]]:
    """The rows of a JSON Lines file with their line numbers; the `required` fields are non-empty strings."""
    rows = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise SlipstreamError(f"{path}, line {number}: not valid JSON ({error})") from None
        if "\\ud" in line.lower() and _lone_surrogate(row):
            raise SlipstreamError(f"{path}, line {number}: half of a surrogate pair (\\ud800 to \\udfff) is no text")
        if not isinstance(row, dict):
            raise SlipstreamError(f'{path}, line {number}: must be an object like {{"{required[0]}": "…"}}')
        for name in required:
            if not isinstance(row.get(name), str) or not row[name].strip():
                raise SlipstreamError(f'{path}, line {number}: "{name}" must be a text that is not empty')
        rows.append((number, row))
    if not rows:
        raise SlipstreamError(f"{path} is empty: it should hold one JSON object a line")
    return rows


def _lone_surrogate(row: object) -> bool:
    try:
        json.dumps(row, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def read_questions(paths: Iterable[str | Path]) -> list[dict]:
    """Question rows: {"question", "answer", "keywords" if given, "kind" if given, …}, checked."""
    questions = []
    for path in map(Path, paths):
        if not path.is_file():
            raise SlipstreamError(f"{path} is not there: a question file is JSON Lines of question, answer, keywords")
        for number, row in read_jsonl(path, required=("question", "answer")):
            check_question(row, f"{path}, line {number}")
            questions.append(row)
    return questions


def check_question(row: dict, where: str) -> None:
    """Raise SlipstreamError if a row's optional fields are not what the contract says."""
    keywords = row.get("keywords")
    if keywords is not None and not (
        isinstance(keywords, list)
        and all(isinstance(any_of, list) and any_of and all(isinstance(k, str) for k in any_of) for any_of in keywords)
    ):
        raise SlipstreamError(
            f'{where}: "keywords" must be a list of non-empty lists of texts, like [["Senna"], ["1988"]]'
        )
    if not isinstance(row.get("kind", ""), str):
        raise SlipstreamError(f'{where}: "kind" must be a text')


# Splitting -----------------------------------------------------------------------------------------------------


def split_documents(documents: list[Document], share: float) -> tuple[list[Document], list[Document]]:
    """(train, validation) by whole documents, so that no half of a text helps with the other half.

    A document's own `split` is obeyed. The others are ordered by a hash of their text: the choice does not depend on
    the order of files, and hardly moves when documents are added. A lone document is cut by position.
    """
    if len(documents) == 1:
        document = documents[0]
        cut = int(len(document.text) * (1 - share))
        first, second = (Document(t, document.title, document.source, document.licence)
                         for t in (document.text[:cut], document.text[cut:]))  # fmt: skip
        return [first], [second] if second.text else []
    free = [d for d in documents if not d.split]
    free.sort(key=lambda d: hashlib.sha256(f"{d.title}\n{d.text}".encode("utf-8", "replace")).digest())
    chosen = {id(d) for d in free[: max(1, round(share * len(free)))]} if share > 0 and len(free) > 1 else set()
    train = [d for d in documents if d.split == "train" or (not d.split and id(d) not in chosen)]
    validation = [d for d in documents if d.split == "validation" or id(d) in chosen]
    return train, validation


# Tokens --------------------------------------------------------------------------------------------------------


@dataclass
class TokenSet:
    """Documents as one flat array.

    tokens: [N] uint16, or uint32 for a vocabulary over 65,536. scored: [N] bool, which tokens are to be predicted.
    starts: [D + 1] int64, where each document begins. whole: documents are never cut in two (questions).
    tables: these are questions made from tables, whose facts the text tells over and over.
    """

    tokens: np.ndarray
    scored: np.ndarray
    starts: np.ndarray
    whole: bool
    tables: bool = False
    fingerprint: str = field(default="")

    def __post_init__(self):
        digest = hashlib.sha256(self.tokens.tobytes() + self.scored.tobytes() + self.starts.tobytes())
        self.fingerprint = digest.hexdigest()[:16]

    def __len__(self) -> int:
        return len(self.starts) - 1


def _token_set(pieces: Iterable[tuple[np.ndarray, np.ndarray]], vocab_size: int, whole: bool) -> TokenSet:
    dtype = np.uint16 if vocab_size <= 1 << 16 else np.uint32
    tokens, scored, lengths = [np.empty(0, dtype)], [np.empty(0, bool)], [0]
    for ids, mask in pieces:
        tokens.append(ids.astype(dtype))
        scored.append(mask)
        lengths.append(len(ids))
    return TokenSet(np.concatenate(tokens), np.concatenate(scored), np.cumsum(lengths), whole)


def encode_documents(documents: Iterable[Document], tokenizer: Tokenizer) -> TokenSet:
    """Documents as tokens, each ended by <|endoftext|>, every token scored."""

    def pieces():
        for document in documents:
            try:
                ids = np.array([*tokenizer.encode(document.text.strip() + "\n"), tokenizer.eos_id])
            except SlipstreamError as error:
                raise SlipstreamError(f"{document.source or document.title}: {error}") from None
            yield ids, np.ones(len(ids), bool)

    return _token_set(pieces(), tokenizer.vocab_size, whole=False)


def encode_questions(questions: Iterable[dict], tokenizer: Tokenizer, score_prompts: bool) -> TokenSet:
    """Question-answer pairs as tokens. Only answers are scored, unless `score_prompts` says the questions too."""

    def pieces():
        for row in questions:
            ids, mask = encode_pair(tokenizer, row["question"], row["answer"])
            yield ids, np.ones_like(mask) if score_prompts else mask

    return _token_set(pieces(), tokenizer.vocab_size, whole=True)


def encode_by_origin(documents: Iterable[Document], tokenizer: Tokenizer) -> dict[str, TokenSet]:
    """Documents as one token set for each kind of source, under the source's name."""
    groups = defaultdict(list)
    for document in documents:
        groups[document.origin].append(document)
    return {f"text: {name}": encode_documents(groups[name], tokenizer) for name in sorted(groups)}


def encode_questions_by_origin(questions: Iterable[dict], tokenizer: Tokenizer) -> dict[str, TokenSet]:
    """Questions, scored on their answers, as one token set for those by hand and one for those made from tables."""
    groups = defaultdict(list)
    for row in questions:
        groups["tables" if "template" in row else "by hand"].append(row)
    sets = {
        f"questions: {name}": encode_questions(groups[name], tokenizer, score_prompts=False) for name in sorted(groups)
    }
    for name, data in sets.items():
        data.tables = name.endswith("tables")
    return sets
