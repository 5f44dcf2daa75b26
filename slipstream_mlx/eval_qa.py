"""How many questions does a model get right? Scoring, the report and the command.

An answer is right when it holds every keyword the question asks for, compared as whole words after folding case,
accents and punctuation: "räikkönen" is "Raikkonen", but "1988" is not in "19880". It is a blunt measure and an honest
one: it cannot be talked into a point, and everything it judged is in the report for you to read.
"""

import argparse
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from .batch import generate_batch
from .checkpoint import load
from .corpus.embedded import handwritten_questions
from .corpus.scoring import is_correct, question_keywords
from .data import check_question, read_questions
from .errors import Parser, SlipstreamError, command
from .files import write_json
from .model import SlipstreamLM
from .tokenizer import Tokenizer

MAX_ANSWER_TOKENS = 64


def score(questions: list[dict], answers: list[str], probabilities: list[float] | None = None) -> dict:
    """The report: accuracy, count, a table by kind, and every row with its verdict.

    `probabilities` are the model's own, of each answer; they go into the rows.

    Returns {"accuracy": float in 0..1, "count": int, "correct": int, "by_kind": {kind: {"count", "correct",
    "accuracy"}}, "rows": [{"question", "answer", "given", "correct", "kind"}]}.
    """
    rows = []
    by_kind: dict[str, list[bool]] = defaultdict(list)
    for k, (row, given) in enumerate(zip(questions, answers, strict=True)):
        verdict = is_correct(given, question_keywords(row))
        kind = {"kind": row["kind"]} if "kind" in row else {}
        rows.append({"question": row["question"], "answer": row["answer"], "given": given, "correct": verdict, **kind})
        if probabilities:
            rows[-1]["probability"] = round(probabilities[k], 4)
        if kind:
            by_kind[row["kind"]].append(verdict)
    return {
        **_tally([row["correct"] for row in rows]),
        "by_kind": {kind: _tally(verdicts) for kind, verdicts in sorted(by_kind.items())},
        "rows": rows,
    }


def _tally(verdicts: list[bool]) -> dict:
    count, correct = len(verdicts), sum(verdicts)
    return {"accuracy": correct / count if count else 0.0, "count": count, "correct": correct}


def evaluate_questions(
    model: SlipstreamLM, tokenizer: Tokenizer, questions: list[dict], progress: Callable[[int], None] | None = None
) -> dict:
    """Ask every question, greedily, and score the answers. `progress` is told how many are done now and then."""
    for row in questions:
        check_question(row, row.get("question", "a question"))
    asked = [row["question"] for row in questions]
    answers = generate_batch(model, tokenizer, asked, "qa", MAX_ANSWER_TOKENS, progress)
    return score(questions, [answer.text for answer in answers], [answer.probability for answer in answers])


def format_report(report: dict) -> str:
    """The report as a table for people."""
    lines = []
    for row in report["rows"]:
        lines.append(f"{'✓' if row['correct'] else '✗'} {row['question']}")
        lines.append(f"    {row['given'] or '(nothing)'}" + ("" if row["correct"] else f"   [wanted: {row['answer']}]"))
    if report["by_kind"]:
        lines.append(f"\n{'kind':<10}{'right':>7}{'of':>5}{'accuracy':>11}")
        lines += [
            f"{k:<10}{v['correct']:>7}{v['count']:>5}{v['accuracy']:>11.0%}" for k, v in report["by_kind"].items()
        ]
    lines.append(f"\n{report['correct']} of {report['count']} right: {report['accuracy']:.1%}")
    return "\n".join(lines)


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = Parser(prog="slipstream eval_qa", description="Ask a model questions and score the answers.")
    add = parser.add_argument
    add("--model", default="checkpoints/qa", metavar="DIR", help="checkpoint folder (default: %(default)s)")
    add(
        "--questions", metavar="FILE", help="question file (JSON Lines); without it, the embedded 49 held-out questions"
    )
    add("--report", metavar="FILE.json", help="also write the report here")
    return parser.parse_args(argv)


@command
def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    model, tokenizer = load(args.model)
    questions = read_questions([args.questions]) if args.questions is not None else handwritten_questions("heldout")
    if args.report and not Path(args.report).parent.is_dir():
        raise SlipstreamError(f"--report {args.report}: that folder is not there: make it first")
    with tqdm(total=len(questions), disable=None, unit="question", leave=False) as bar:
        result = evaluate_questions(model, tokenizer, questions, progress=lambda done: bar.update(done - bar.n))
    print(format_report(result))
    if args.report:
        write_json(Path(args.report), {"model": args.model, "questions": args.questions or "heldout", **result})


if __name__ == "__main__":
    main()
