"""The Training tab: every run beside the two checkpoints, drawn from its training.json while it grows."""

import math
import time

import gradio as gr

from . import charts, markup
from .checkpoints import Checkpoints
from .compare import Refreshers
from .engine import Engine

REFRESH_SECONDS = 3
FRESH_SECONDS = 600  # a run whose file is younger than this, and not finished, is taken to be going on
OUTCOME = ("step", "best_step", "best_val_loss", "tokens", "seconds", "peak_memory_gib", "device", "finished", "preset")
STAGES = {"pretrain": "pretraining", "finetune_qa": "Q&A finetuning"}


def number(value: object, otherwise: float = math.nan) -> float:
    """A number out of a file that anyone may have written."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else otherwise


def rows_of(training: dict) -> list[dict]:
    history = training.get("history")
    return [row for row in history if isinstance(row, dict)] if isinstance(history, list) else []


def status(training: dict, age: float) -> str:
    """In a few words: how far a run is."""
    steps = training.get("settings", {}).get("steps") if isinstance(training.get("settings"), dict) else None
    step = f"step {number(training.get('step'), 0):,.0f} of {number(steps, 0):,.0f}"
    finished = training.get("finished")
    if finished == "early":
        return f"{step}, stopped early"
    if finished:
        return f"{step}, finished"
    return f"{step}, running" if age < FRESH_SECONDS else f"{step}, unfinished"


def card(name: str, training: dict, age: float) -> str:
    """One run: its name, how far it is, and the loss curves."""
    rows = rows_of(training)
    best = number(training.get("best_step"), 0)
    curves = [
        charts.Line(label, colour, [(number(r.get("step")), number(r.get(key))) for r in rows], dashed)
        for label, colour, key, dashed in (
            ("training", "var(--s-mute)", "loss", True), ("validation", "var(--s-red)", "val_loss", False),
        )
    ]  # fmt: skip
    last = max((number(r.get("step"), 0) for r in rows), default=0)
    value = number(training.get("best_val_loss"))
    marks = [(best, f"best: {value:.3f} at step {best:,.0f}")] if best and math.isfinite(value) else []
    shade = (best, last) if best and last > best else None
    chart = charts.line_chart(curves, "step", "loss (nats per token)", marks=marks, shade=shade)
    stage = STAGES.get(str(training.get("stage")), str(training.get("stage", "")))
    overfit = markup.lead("Shaded: past the best step, whose weights are the ones kept.")
    return (
        f'<article class="run"><h3>{markup.esc(name)} <span class="muted">{markup.esc(stage)}</span></h3>'
        f'<p class="lead">{markup.esc(status(training, age))}</p>{chart}{overfit if shade else ""}</article>'
    )


def runs(checkpoints: Checkpoints) -> list[tuple[str, dict, float]]:
    """(name, training.json, seconds since it was written) of every run that has one."""
    found = []
    for name, folder in checkpoints.folders().items():
        if training := checkpoints.training(name):
            try:
                age = time.time() - (folder / "training.json").stat().st_mtime
            except OSError:
                continue
            found.append((name, training, age))
    return found


def cards(checkpoints: Checkpoints) -> str:
    """All the curves; a sentence where there is no run."""
    found = runs(checkpoints)
    if not found:
        return markup.notice(
            "No training run yet", "Start one; its curves appear here as it goes.", "make quickstart", "make pretrain"
        )
    return f'<div class="runs">{"".join(card(*run) for run in found)}</div>'


def _flat(value: object, prefix: str = "") -> list[tuple[str, object]]:
    if isinstance(value, dict):
        return [pair for key, inner in value.items() for pair in _flat(inner, f"{prefix}{key} ")]
    if isinstance(value, list):
        value = " ".join(str(item) for item in value)
    return [(prefix.strip(), value)]


def _table(caption: str, value: object) -> str:
    rows = "".join(
        f"<tr><th scope='row'>{markup.esc(key.replace('_', ' '))}</th><td>{markup.esc(_short(item))}</td></tr>"
        for key, item in _flat(value)
    )
    return f'<table class="facts"><caption>{markup.esc(caption)}</caption>{rows}</table>' if rows else ""


def _short(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)[:400]
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}" if abs(value) < 1e5 else f"{value:,.0f}"


def samples(training: dict) -> str:
    """Texts kept at the evaluations, if the run kept any: `sample` in a row of the history."""
    kept = [(r.get("step"), r.get("sample")) for r in rows_of(training) if r.get("sample")]
    if not kept:
        return ""
    items = "".join(
        f'<li><b>step {markup.esc(step)}</b> <span dir="auto">{markup.esc(str(text)[:600])}</span></li>'
        for step, text in kept
    )
    return f'{markup.title("What it wrote on the way")}<ol class="samples">{items}</ol>'


def settings(checkpoints: Checkpoints, name: str | None) -> str:
    """Settings, data with its fingerprints, outcome and command of one run."""
    training = checkpoints.training(name) if name else {}
    if not training:
        return markup.lead("No run chosen.")
    command = training.get("command")
    typed = " ".join(map(str, command)) if isinstance(command, list) else ""
    tables = [
        _table("Outcome", {key: training[key] for key in OUTCOME if key in training}),
        _table("Settings", training.get("settings", {})),
        _table("Model", training.get("model", {})),
        _table("Data", training.get("data", {})),
    ]
    line = f'<p class="lead">Typed: <code class="cmd">{markup.esc(typed)}</code></p>' if typed else ""
    return f'{line}{samples(training)}<div class="tables">{"".join(tables)}</div>'


def build(engine: Engine) -> Refreshers:
    """Lay the tab out and wire it."""
    checkpoints = engine.checkpoints
    gr.HTML(markup.lead(
        "<b>How it learnt.</b> Loss is the model's surprise at the next token, in nats: 0 is no surprise. The grey "
        "curve is text it trains on, the red one text held back. When red turns up while grey still falls, it learns "
        "by heart. This page follows a run while it goes on."
    ))  # fmt: skip
    curves = gr.HTML(cards(checkpoints), elem_id="curves")
    gr.HTML(markup.title("Settings and data"))
    names = [name for name, _, _ in runs(checkpoints)]
    which = gr.Dropdown(names, value=names[0] if names else None, label="Run", interactive=True, elem_id="run-name")
    table = gr.HTML(settings(checkpoints, names[0] if names else None), elem_id="settings")
    shown = gr.State(None)

    def refresh(chosen, seen):
        current = [(name, training.get("step"), len(rows_of(training)), status(training, age))
                   for name, training, age in runs(checkpoints)]  # fmt: skip
        if current == seen:
            return gr.skip(), gr.skip(), gr.skip(), gr.skip()
        names = [name for name, *_ in current]
        chosen = chosen if chosen in names else (names[0] if names else None)
        return cards(checkpoints), gr.update(choices=names, value=chosen), settings(checkpoints, chosen), current

    quiet = {"show_progress": "hidden", "api_visibility": "private", "queue": False}
    gr.Timer(REFRESH_SECONDS).tick(refresh, [which, shown], [curves, which, table, shown], **quiet)
    which.input(lambda name: settings(checkpoints, name), which, table, **quiet)
    return [(curves, lambda: cards(checkpoints))]
