"""The results command: a model's exams as a page, with all that a reader needs to trust the numbers.

Writes NAME.json, and from it alone NAME.md, a calibration plot and the table in the README, so that no number is typed
by hand.
"""

import argparse
import json
import shutil
from pathlib import Path

from .checkpoint import TRAINING, load
from .corpus.embedded import EXAMS as HANDWRITTEN
from .corpus.embedded import handwritten_questions
from .data import read_questions
from .errors import Parser, SlipstreamError, command
from .eval_qa import evaluate_questions
from .files import write_json, write_text
from .report import plot_calibration

EXAMS = {
    "heldout": "the 49 held-out questions",
    "dev": "the 49 dev questions (they pick the weights)",
    "strangers": "98 questions by another hand",
    "outsiders": "150 questions by a third, who saw nothing of the project",
    "newcomers": "150 by a fourth, in the words of ten sorts of people",
    "visitors": "197 by a fifth, first asked of this recipe",
    "seen_phrasing_unseen_fact": "tables: unseen fact, seen phrasing",
    "unseen_phrasing_seen_fact": "tables: unseen phrasing",
    "both_unseen": "tables: both unseen",
}
REPORTED = tuple(name for name in HANDWRITTEN if name != "dev")
DOUBTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
BINS = 10
SHOWN = 10
LOSS_PLOT = "loss.png"  # as `report.plot_loss` leaves it in a checkpoint
START, END = "<!-- results -->", "<!-- /results -->"


def ask_exams(folder: str, corpus: Path) -> dict[str, dict]:
    """The reports of all exams that are at hand: those in the package, and those that build_corpus wrote."""
    model, tokenizer = load(folder)
    reports = {}
    for name in EXAMS:
        path = corpus / f"{name}.jsonl"
        if name in HANDWRITTEN:
            reports[name] = evaluate_questions(model, tokenizer, handwritten_questions(name))
        elif path.is_file():
            reports[name] = evaluate_questions(model, tokenizer, read_questions([path]))
        if name in reports:
            print(f"{EXAMS[name]}: {reports[name]['correct']} of {reports[name]['count']}", flush=True)
    return reports


def doubt_table(rows: list[dict]) -> list[dict]:
    """What becomes of accuracy if the model keeps silent below a probability: share answered, and right of those."""
    table = []
    for sure in DOUBTS:
        answered = [row for row in rows if row["probability"] >= sure]
        right = sum(row["correct"] for row in answered)
        table.append({"sure": sure, "answered": len(answered) / len(rows), "right": right / max(1, len(answered))})
    return table


def calibration(rows: list[dict]) -> list[dict]:
    """By tenths of the model's probability: how many answers, their mean probability, and the share that is right."""
    bins = []
    for k in range(BINS):
        inside = [row for row in rows if min(int(row["probability"] * BINS), BINS - 1) == k]
        if inside:
            mean = sum(row["probability"] for row in inside) / len(inside)
            bins.append(
                {"count": len(inside), "probability": mean, "right": sum(r["correct"] for r in inside) / len(inside)}
            )
    return bins


def stage(folder: Path) -> dict:
    """What training.json says of a stage, in short."""
    try:
        training = json.loads((folder / TRAINING).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise SlipstreamError(
            f"{folder}/{TRAINING} cannot be read: results are shown with how they were made"
        ) from None
    keys = ("preset", "tokens", "seconds", "peak_memory_gib", "settings", "data", "best_step")
    return {key: training[key] for key in keys if key in training}


def make_results(folder: str, base: str, corpus: Path, device: str) -> dict:
    """Everything that the page shows."""
    reports = ask_exams(folder, corpus)
    asked = [row for name in REPORTED for row in reports[name]["rows"]]
    everything = [row for report in reports.values() for row in report["rows"]]
    return {
        "device": device,
        "stages": {"pretrain": stage(Path(base)), "finetune": stage(Path(folder))},
        "exams": {
            name: {key: report[key] for key in ("accuracy", "correct", "count", "by_kind")}
            for name, report in reports.items()
        },
        "doubt": doubt_table(asked),
        "calibration": {"by hand": calibration(asked), "all exams": calibration(everything)},
        "right": [row for row in reports["heldout"]["rows"] if row["correct"]][:SHOWN],
        "wrong": [row for name in ("heldout", "dev") for row in reports[name]["rows"] if not row["correct"]][:SHOWN],
    }


def exam_table(results: dict, runs: list[dict]) -> str:
    """The exams as Markdown; `runs` are the same recipe with other seeds, whose scores stand beside."""
    lines = ["| exam | right | of | accuracy |", "| --- | --- | --- | --- |"]
    for name, exam in results["exams"].items():
        lines.append(f"| {EXAMS[name]} | {exam['correct']} | {exam['count']} | {exam['accuracy']:.1%} |")
    if not runs:
        return "\n".join(lines)
    others = [
        ", ".join(f"{run['exams'][name]:.1%}" for run in runs if name in run["exams"]) for name in results["exams"]
    ]
    return "\n".join(f"{line} {more} |" for line, more in zip(lines, ["other seeds", "---", *others], strict=True))


def runs_table(runs: list[dict]) -> str:
    """Every measured run: one change at a time, failures kept."""
    names = [name for name in EXAMS if any(name in run["exams"] for run in runs)]
    lines = [
        "| run | " + " | ".join(name.replace("_", " ") for name in names) + " | minutes |",
        "| --- |" + " --- |" * (len(names) + 1),
    ]
    for run in runs:
        cells = [f"{run['exams'][name]:.1%}" if name in run["exams"] else "" for name in names]
        lines.append(f"| {run['run']} | " + " | ".join(cells) + f" | {run['minutes']:.1f} |")
    return "\n".join(lines)


def training_lines(results: dict) -> str:
    lines = ["| stage | steps | tokens | minutes | tokens/s | peak memory |", "| --- | --- | --- | --- | --- | --- |"]
    for name, s in results["stages"].items():
        lines.append(
            f"| {name} | {s['settings']['steps']:,} | {s['tokens'] / 1e6:.0f}M | {s['seconds'] / 60:.1f} | "
            f"{s['tokens'] / s['seconds']:,.0f} | {s['peak_memory_gib']:.1f} GiB |"
        )
    return "\n".join(lines)


def kind_table(results: dict) -> str:
    """Right answers by kind of question, for every exam by hand that was not used to pick the weights."""
    exams = {name: results["exams"][name]["by_kind"] for name in REPORTED if name in results["exams"]}
    lines = ["| kind | " + " | ".join(exams) + " | all |", "| --- |" + " --- |" * (len(exams) + 1)]
    for kind in sorted({kind for by_kind in exams.values() for kind in by_kind}):
        counts = [(by_kind.get(kind, {"correct": 0, "count": 0})) for by_kind in exams.values()]
        counts.append({key: sum(c[key] for c in counts) for key in ("correct", "count")})
        lines.append(f"| {kind} | " + " | ".join(f"{c['correct']} of {c['count']}" for c in counts) + " |")
    return "\n".join(lines)


def page(name: str, results: dict, runs: list[dict]) -> str:
    """The whole page as Markdown."""

    def verbatim(rows: list[dict]) -> str:
        return "\n".join(
            f"- {row['question']} → {row['given'] or '(nothing)'} ({row['probability']:.0%} sure"
            + (")" if row["correct"] else f"; wanted: {row['answer']})")
            for row in rows
        )

    doubt = "\n".join(f"| {d['sure']:.1f} | {d['answered']:.0%} | {d['right']:.0%} |" for d in results["doubt"])
    kinds = kind_table(results)
    same = [run for run in runs if run.get("same_recipe")]
    return f"""# {name}

Made by `slipstream results` from [{name}.json]({name}.json); trained on {results["device"]}.

{exam_table(results, same)}

{training_lines(results)}

Tokens per second and minutes include the questions asked while training, and the compilation of kernels that had not
been compiled before.

![pretraining]({name}-pretrain.png)
![finetuning]({name}-finetune.png)

The validation loss of pretraining rises, as the ancestor's did, while the answers get better: the model grows surer of
what it says about articles it has not read, mistakes included. The dev answers pick the weights, not this loss.

## When it does not know

`--sure X` makes the model say "I don't know." when it gives its own answer less than that probability. On the
questions by hand other than dev:

| `--sure` | answers | right of those |
| --- | --- | --- |
{doubt}

![calibration]({name}-calibration.png)

## By kind

{kinds}

## Right of the held-out, verbatim

{verbatim(results["right"])}

## Wrong of the held-out and then of dev, verbatim

{verbatim(results["wrong"])}

## Every run

One change at a time where it was possible; what made nothing better is kept.

{runs_table(runs)}
"""


def put_between_marks(text: str, table: str) -> str:
    """The text with what stands between the marks replaced. Raises SlipstreamError if it has no marks."""
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise SlipstreamError(f"there is no {START} … {END} to put the results between")
    return f"{before}{START}\n{table}\n{END}{after}"


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = Parser(prog="slipstream results", description="Ask a model all exams and write the page of its results.")
    add = parser.add_argument
    add("--model", default="checkpoints/qa", metavar="DIR", help="finetuned checkpoint (default: %(default)s)")
    add("--base", default="checkpoints/base", metavar="DIR", help="what it was finetuned from (default: %(default)s)")
    add("--corpus", default="data/corpus", metavar="DIR", help="where the exams from tables are (default: %(default)s)")
    add(
        "--out",
        default="docs/results/slipstream-51m",
        metavar="PATH",
        help="NAME without ending (default: %(default)s)",
    )
    add("--device", default="this machine", metavar="TEXT", help="what it was trained on")
    add("--runs", metavar="FILE.json", help="other runs to list: [{run, exams: {name: accuracy}, minutes}]")
    add("--readme", metavar="FILE.md", help=f"also put the table between {START} and {END} there")
    add("--again", action="store_true", help="ask nothing: write the page from the JSON that is there")
    return parser.parse_args(argv)


@command
def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    out = Path(args.out)
    json_path = out.with_name(f"{out.name}.json")
    if not out.parent.is_dir():
        raise SlipstreamError(f"--out {args.out}: the folder {out.parent} is not there: make it first")
    try:
        runs = json.loads(Path(args.runs).read_text(encoding="utf-8")) if args.runs else []
        results = json.loads(json_path.read_text(encoding="utf-8")) if args.again else None
    except (OSError, ValueError) as error:
        raise SlipstreamError(f"cannot read results: {error}") from None
    if results is None:
        results = make_results(args.model, args.base, Path(args.corpus), args.device)
        write_json(json_path, results)
        for stage_name, folder in (("pretrain", args.base), ("finetune", args.model)):
            if (Path(folder) / LOSS_PLOT).is_file():
                shutil.copyfile(Path(folder) / LOSS_PLOT, out.with_name(f"{out.name}-{stage_name}.png"))
    plot_calibration(results["calibration"], out.with_name(f"{out.name}-calibration.png"))
    write_text(out.with_name(f"{out.name}.md"), page(out.name, results, runs))
    if args.readme:
        same = [run for run in runs if run.get("same_recipe")]
        text = Path(args.readme).read_text(encoding="utf-8")
        write_text(Path(args.readme), put_between_marks(text, exam_table(results, same)))
    print(f"wrote {out}.json, {out}.md and {out}-calibration.png")


if __name__ == "__main__":
    main()
