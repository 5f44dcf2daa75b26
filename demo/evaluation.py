"""The Evaluation tab: the held-out questions put to two checkpoints, with every answer to be read."""

import contextlib
import queue
from collections.abc import Iterator

import gradio as gr

from . import charts, markup
from .checkpoints import QA, Checkpoints, read_json
from .compare import Refreshers, Side, choices
from .engine import Engine, RequestError, Sampling, owner_of
from .messages import explain

MAX_ANSWER_TOKENS = 64  # as in eval_qa
VERDICTS = ["All", "A is right", "A is wrong", "Both wrong", "They differ"]
COLOURS = ("var(--s-red)", "var(--s-mute)")
AHEAD = 4  # questions of each checkpoint that are under way at once


class Reports:
    """What is known of each checkpoint's answers: asked here, or read from the eval.json that `make eval` wrote."""

    def __init__(self, checkpoints: Checkpoints):
        self.checkpoints = checkpoints
        self._asked: dict[tuple[str, float], dict] = {}

    def _key(self, name: str) -> tuple[str, float]:
        folder = self.checkpoints.folders().get(name)
        with contextlib.suppress(OSError):
            return name, (folder / "model.safetensors").stat().st_mtime if folder else 0.0
        return name, 0.0

    def keep(self, name: str, report: dict) -> None:
        key = self._key(name)
        self._asked = {k: v for k, v in self._asked.items() if k[0] != name} | {key: report}

    def get(self, name: str | None) -> dict:
        """The report, or {} if this checkpoint has not been asked since it was last trained."""
        if not name:
            return {}
        key = self._key(name)
        if key in self._asked:
            return self._asked[key]
        folder = self.checkpoints.folders().get(name)
        path = folder / "eval.json" if folder else None
        if path is None or not path.is_file() or path.stat().st_mtime < key[1]:
            return {}
        report = read_json(path)
        rows = report.get("rows")
        good = isinstance(rows, list) and all(map(_is_row, rows))
        return report if good and isinstance(report.get("by_kind"), dict) else {}


def _is_row(row: object) -> bool:
    return isinstance(row, dict) and {"question", "given", "correct"} <= row.keys()


def heldout() -> list[dict]:
    from slipstream_mlx.corpus.embedded import handwritten_questions

    return handwritten_questions("heldout")


def ask_all(engine: Engine, names: list[str], questions: list[dict], owner: str) -> Iterator[tuple[int, list[dict]]]:
    """Ask every checkpoint every question; yields (answers so far, the reports so far, one for each name)."""
    from slipstream_mlx.eval_qa import score

    sampling = Sampling(max_tokens=MAX_ANSWER_TOKENS)
    events: queue.SimpleQueue = queue.SimpleQueue()
    answers: list[dict[int, str]] = [{} for _ in names]
    running: dict[int, Side] = {}
    waiting = iter([(n, q) for q in range(len(questions)) for n in range(len(names))])

    def more() -> None:
        for n, q in waiting:
            side = Side(names[n], QA, questions[q]["question"])
            tag = n * len(questions) + q
            side.job = engine.stream(side.name, QA, side.prompt, sampling, events, tag, owner)
            running[tag] = side
            if len(running) >= AHEAD:
                return

    try:
        more()
        while running:
            event = events.get()
            side = running[event.tag]
            side.take(event)
            if side.running:
                continue
            del running[event.tag]
            if side.error is not None:
                raise side.error
            if side.state == "stopped":
                raise RequestError("Stopped before the last question; nothing was kept.")
            n, q = divmod(event.tag, len(questions))
            answers[n][q] = side.text.strip()
            more()
            yield (
                sum(map(len, answers)),
                [score([questions[i] for i in sorted(a)], [a[i] for i in sorted(a)]) for a in answers],
            )
    finally:
        for side in running.values():
            side.job.stop()


def accuracy_bars(reports: list[dict], names: list[str]) -> str:
    """Accuracy as bars: all together, then by kind; one bar for each checkpoint."""
    kinds = sorted({kind for report in reports for kind in report.get("by_kind", {})})
    blocks = []
    for kind in ["all", *kinds]:
        rows = []
        for report, name, letter in zip(reports, names, "AB", strict=False):
            tally = report if kind == "all" else report.get("by_kind", {}).get(kind)
            if tally:
                share = tally["correct"] / tally["count"] if tally["count"] else 0.0
                words = f"{share:.0%} ({tally['correct']}/{tally['count']})"
                rows.append(charts.bars([(f"{letter} {name}", share, words)], COLOURS["AB".index(letter)]))
        blocks.append(f'<div class="kind"><h4>{markup.esc(kind)}</h4>{"".join(rows)}</div>')
    return f'<div class="kinds">{"".join(blocks)}</div>' if any(reports) else ""


def joined(reports: list[dict]) -> list[dict]:
    """One row for each question: {"question", "answer", "kind", "sides": [row or None, ...]}."""
    rows: dict[str, dict] = {}
    for at, report in enumerate(reports):
        for row in report.get("rows", []):
            new = {"question": row["question"], "answer": row.get("answer", ""), "kind": row.get("kind", ""),
                   "sides": [None] * len(reports)}  # fmt: skip
            rows.setdefault(row["question"], new)["sides"][at] = row
    return list(rows.values())


def keep_row(row: dict, kind: str, verdict: str) -> bool:
    """Whether a joined row passes the filters."""
    right = [side["correct"] if side else None for side in row["sides"]]
    wanted = {
        "All": True,
        "A is right": right[0] is True,
        "A is wrong": right[0] is False,
        "Both wrong": all(r is False for r in right),
        "They differ": len(right) > 1 and None not in right and right[0] != right[1],
    }
    return (kind in ("", "All") or row["kind"] == kind) and wanted.get(verdict, True)


def answers_table(reports: list[dict], names: list[str], kind: str = "All", verdict: str = "All") -> str:
    """Every question with its reference, the given answers and the verdicts."""
    if not any(reports):
        return markup.lead("No answers yet: press “Ask all”, or run <code class='cmd'>make eval</code>.")
    rows = [row for row in joined(reports) if keep_row(row, kind, verdict)]
    columns = ["Question", "Reference", *(f"{letter} {name}" for letter, name in zip("AB", names, strict=False))]
    head = "".join(f"<th scope='col'>{markup.esc(column)}</th>" for column in columns)
    body = "".join(
        f"<tr><td data-label='Question'>{markup.esc(row['question'])}</td>"
        f"<td data-label='Reference'>{markup.esc(row['answer'])}</td>{''.join(map(_cell, row['sides'], 'AB'))}</tr>"
        for row in rows
    )
    count = markup.lead(f"{len(rows)} of {len(joined(reports))} questions")
    return (
        f"{count}<div class='long' tabindex='0'><table class='answers'><thead><tr>{head}</tr>"
        f"</thead><tbody>{body}</tbody></table></div>"
    )


def _cell(row: dict | None, letter: str) -> str:
    if row is None:
        return f"<td data-label='{letter}' class='muted'>not asked</td>"
    mark, words = ("✓", "right") if row["correct"] else ("✗", "wrong")
    return (
        f"<td data-label='{letter}' class='{words}'><div><b aria-label='{words}'>{mark}</b> "
        f"<span dir='auto'>{markup.esc(row['given'] or '(nothing)')}</span></div></td>"
    )


def build(engine: Engine) -> Refreshers:
    """Lay the tab out and wire it."""
    checkpoints, reports = engine.checkpoints, Reports(engine.checkpoints)
    names = checkpoints.usable()
    first = checkpoints.default(QA)
    gr.HTML(markup.lead(
        "<b>What does it know?</b> Questions that were never trained on, asked at temperature 0. An answer is right "
        "when it holds the words that matter, whatever else it says. Read the wrong ones: they are often well put."
    ))  # fmt: skip
    with gr.Row():
        a = gr.Dropdown(names, value=first, label="Checkpoint A", interactive=True, min_width=150, elem_id="eval-a")
        b = gr.Dropdown(
            [("none", ""), *names], value="", label="Checkpoint B", interactive=True, min_width=150, elem_id="eval-b"
        )
    with gr.Row():
        run = gr.Button("Ask all", variant="primary", elem_id="eval-run")
        stop = gr.Button("Stop", variant="stop", interactive=False, elem_id="eval-stop")
    progress = gr.HTML(elem_id="eval-progress")
    bars = gr.HTML(elem_id="eval-bars")
    with gr.Row():
        kind = gr.Dropdown(["All"], value="All", label="Kind", interactive=True, min_width=130, elem_id="eval-kind")
        verdict = gr.Radio(
            VERDICTS, value="All", label="Verdict", scale=3, min_width=330, elem_id="eval-verdict"
        )  # fmt: skip
    table = gr.HTML(elem_id="eval-table")

    def known(name_a, name_b, which, wanted):
        chosen = [name for name in (name_a, name_b) if name]
        found = [reports.get(name) for name in chosen]
        return accuracy_bars(found, chosen), answers_table(found, chosen, which, wanted)

    def run_all(request: gr.Request, name_a, name_b, which, wanted):
        owner = f"{owner_of(request)}-eval"
        engine.worker.stop(owner)
        chosen = list(dict.fromkeys(name for name in (name_a, name_b) if name))
        idle = [gr.update(interactive=True), gr.update(interactive=False)]
        busy = [gr.update(interactive=False), gr.update(interactive=True)]
        try:
            questions = heldout()
            if not chosen:
                raise RequestError("Choose a checkpoint first.")
            total = len(questions) * len(chosen)
            yield [_progress(0, total), gr.skip(), gr.skip(), *busy]
            found: list[dict] = []
            for done, found in ask_all(engine, chosen, questions, owner):
                table = answers_table(found, chosen, which, wanted)
                yield [_progress(done, total), accuracy_bars(found, chosen), table, *busy]
            for name, report in zip(chosen, found, strict=True):
                reports.keep(name, report)
            yield ["", *known(name_a, name_b, which, wanted), *idle]
        except Exception as error:
            yield [explain(error), *known(name_a, name_b, which, wanted), *idle]

    def stop_mine(request: gr.Request):
        engine.worker.stop(f"{owner_of(request)}-eval")

    quiet = {"show_progress": "hidden", "api_visibility": "private"}
    gr.on(
        [a.change, b.change, kind.change, verdict.change],
        known,
        [a, b, kind, verdict],
        [bars, table],
        queue=False,
        **quiet,
    )
    run.click(run_all, [a, b, kind, verdict], [progress, bars, table, run, stop], concurrency_limit=4, **quiet)
    stop.click(stop_mine, None, None, queue=False, **quiet)

    def again() -> list[str]:
        name = checkpoints.default(QA)
        return [name] if name else []

    return [
        (a, lambda: choices(checkpoints, QA)),
        (b, lambda: gr.update(choices=[("none", ""), *checkpoints.usable()], value="")),
        (kind, lambda: gr.update(choices=["All", *sorted({q["kind"] for q in heldout() if "kind" in q})], value="All")),
        (bars, lambda: accuracy_bars([reports.get(n) for n in again()], again())),
        (table, lambda: answers_table([reports.get(n) for n in again()], again())),
    ]


def _progress(done: int, total: int) -> str:
    share = done / total if total else 0
    return (
        f'<div class="progress" role="progressbar" aria-valuemin="0" aria-valuemax="{total}" aria-valuenow="{done}">'
        f'<i style="width:{100 * share:.1f}%"></i><span>{done} of {total} answers</span></div>'
    )
