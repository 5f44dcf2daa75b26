"""The Compare tab: one prompt, two models, both streaming."""

import queue
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import gradio as gr

from . import markup
from .checkpoints import COMPLETION, QA, Checkpoints
from .engine import MAX_PROMPT_CHARS, MAX_SEED, MAX_TOKENS, Engine, Sampling, check_prompt, owner_of
from .messages import explain
from .worker import END, ERROR, PIECE, Event, Job

# What a tab wants refreshed whenever the page loads: a component, and what gives its new value.
Refreshers = list[tuple[gr.components.Component, Callable[[], object]]]

MODES = [("complete", COMPLETION), ("answer", QA)]
HINTS = {COMPLETION: "The text goes on here.", QA: "The answer appears here."}
UPDATE_SECONDS = 0.05  # at most twenty updates a second go to the browser, however fast the model is
# The package's COMPLETION_TEMPLATES, filled in. Written out, because importing the package would delay the first view.
BEGINNINGS = [
    "Ayrton Senna is a Formula One driver who",
    "Ferrari is a Formula One team that",
    "Monza is a Formula One circuit in",
    "The 1988 Formula One season was",
    "The Monaco Grand Prix was won by",
]
QUESTIONS = [
    "Who won the world championship in 1988?",
    "What does DRS stand for?",
    "Where is the Silverstone circuit?",
    "What is a slipstream?",
]
COPY = """() => {
  const text = document.querySelector("#%s .new")?.innerText ?? "";
  if (navigator.clipboard && window.isSecureContext) { navigator.clipboard.writeText(text); return; }
  const area = document.createElement("textarea");
  area.value = text; document.body.append(area); area.select(); document.execCommand("copy"); area.remove();
}"""


@dataclass
class Side:
    """One column while it runs."""

    name: str
    mode: str
    prompt: str
    text: str = ""
    note: str = ""
    state: str = "waiting"  # waiting, running, or how it ended
    error: Exception | None = None
    job: Job | None = None
    tokens: int = 0  # generated so far, the end token too: the engine sends a piece for each
    first: float = 0.0
    last: float = 0.0
    began: bool = False

    @property
    def running(self) -> bool:
        return self.state in ("waiting", "running")

    @property
    def rate(self) -> float:
        """Tokens a second after the first; 0 while it cannot be said."""
        spent = self.last - self.first
        return (self.tokens - 1) / spent if self.tokens > 1 and spent > 0 else 0.0

    def take(self, event: Event) -> None:
        """Fold one event of the worker in."""
        if event.kind == PIECE and not self.began:
            self.began, self.note, self.state = True, event.value, "running"
        elif event.kind == PIECE:
            self.tokens += 1
            self.first = self.first or event.at
            self.last = event.at
            self.text += event.value.lstrip() if self.mode == QA and not self.text else event.value
        elif event.kind == ERROR:
            self.state, self.error = "failed", event.value
        else:
            self.state = "ended" if event.kind == END else "stopped"

    def sheet(self) -> str:
        if self.error is not None:
            return explain(self.error)
        given = self.prompt if self.mode == COMPLETION else ""
        text = self.text if self.text or self.running else "(the model said nothing)"
        return markup.paper(self.mode, given, text, self.running, HINTS[self.mode])

    def figures(self) -> str:
        if self.error is not None:
            return markup.stats()
        parts: list[tuple[object, str]] = []
        if self.first and self.job:
            parts.append((f"{1000 * (self.first - self.job.asked):,.0f} ms", "to first token"))
        if self.rate:
            parts.append((f"{self.rate:,.0f}", "tokens/s"))
        if self.tokens:
            parts.append((self.tokens, "token" if self.tokens == 1 else "tokens"))
        if self.state != "ended":
            parts.append(("", self.state if not self.running or not self.tokens else "writing"))
        if self.note:
            parts.append(("", self.note))
        return markup.stats(*parts)


def stream_sides(engine: Engine, sides: list[Side], sampling: Sampling, owner: str) -> Iterator[list[Side]]:
    """Run the sides at once; yields them whenever there is something new, and at the end."""
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    try:
        for tag, side in enumerate(sides):
            try:
                side.job = engine.stream(side.name, side.mode, side.prompt, sampling, events, tag, owner)
            except Exception as error:
                side.state, side.error = "failed", error
        yield sides
        shown = time.perf_counter()
        while any(side.running for side in sides):
            event = events.get()
            sides[event.tag].take(event)
            if event.kind != PIECE or time.perf_counter() - shown > UPDATE_SECONDS or sides[event.tag].tokens == 1:
                yield sides
                shown = time.perf_counter()
    finally:  # the reader may have gone
        for side in sides:
            if side.job:
                side.job.stop()


def build(engine: Engine) -> Refreshers:
    """Lay the tab out and wire it."""
    gr.HTML(markup.lead(
        "<b>One prompt, two models.</b> The one on the left has only read about Formula&nbsp;1 and goes on with any "
        "text. The one on the right was then taught to answer questions. Other checkpoints show what training did."
    ))  # fmt: skip
    prompt = gr.Textbox(
        label="Prompt",
        placeholder="Begin a text, or ask a question …",
        lines=1,
        max_lines=8,
        autofocus=True,
        elem_id="prompt",
        submit_btn=False,
        info=f"Enter runs it. At most {MAX_PROMPT_CHARS:,} characters.",
    )
    _chips("Begin:", BEGINNINGS, prompt)
    _chips("Ask:", QUESTIONS, prompt)
    with gr.Row(elem_classes="actions"):
        run = gr.Button("Run both", variant="primary", elem_id="run")
        stop = gr.Button("Stop", variant="stop", interactive=False, elem_id="stop")
        retry = gr.Button("Retry", elem_id="retry")
    with gr.Row(equal_height=True):
        columns = [_column(engine, "left", COMPLETION), _column(engine, "right", QA)]
    controls = sampling_controls()
    left, right = columns
    inputs = [prompt, left["name"], left["mode"], right["name"], right["mode"], *controls]
    outputs = [left["sheet"], left["stats"], right["sheet"], right["stats"], run, stop, retry]

    def run_both(request: gr.Request, text, left_name, left_mode, right_name, right_mode, *values):
        owner = owner_of(request)
        engine.worker.stop(owner)  # one run at a time for each person
        busy = [gr.update(interactive=False), gr.update(interactive=True), gr.update(interactive=False)]
        idle = [gr.update(interactive=True), gr.update(interactive=False), gr.update(interactive=True)]
        try:
            sampling, text = make_sampling(*values), check_prompt(text)
        except Exception as error:
            yield [explain(error), markup.stats(), explain(error), markup.stats(), *idle]
            return
        sides = [Side(left_name, left_mode, text), Side(right_name, right_mode, text)]
        for now in stream_sides(engine, sides, sampling, owner):
            running = any(side.running for side in now)
            yield [part for side in now for part in (side.sheet(), side.figures())] + (busy if running else idle)

    quiet = {"show_progress": "hidden", "api_visibility": "private"}
    options = {**quiet, "concurrency_limit": 16, "concurrency_id": "generate"}
    gr.on([run.click, prompt.submit], run_both, inputs, outputs, **options)
    new_seed = retry.click(lambda: random.randint(0, MAX_SEED), None, controls[-1], queue=False, **quiet)
    new_seed.then(run_both, inputs, outputs, **options)

    def stop_mine(request: gr.Request):
        engine.worker.stop(owner_of(request))

    stop.click(stop_mine, None, None, queue=False, **quiet)
    lists = ((left["name"], COMPLETION), (right["name"], QA))
    return [(name, lambda mode=mode: choices(engine.checkpoints, mode)) for name, mode in lists]


def choices(checkpoints: Checkpoints, mode: str):
    """What a list of checkpoints shows after a look at the disk."""
    return gr.update(choices=checkpoints.usable(), value=checkpoints.default(mode))


def _chips(label: str, texts: list[str], target: gr.Textbox) -> None:
    """A row of examples; a click puts one into `target`, in the browser alone."""
    with gr.Row(elem_classes="chips"):
        gr.HTML(markup.lead(markup.esc(label)))
        for text in texts:
            chip = gr.Button(text, size="sm", elem_classes="chip")
            chip.click(None, None, target, js=f"() => {text!r}", api_visibility="private")


def _column(engine: Engine, key: str, mode: str) -> dict:
    checkpoints = engine.checkpoints
    chosen = checkpoints.default(mode)
    chosen_mode = checkpoints.mode(chosen) if chosen else mode
    with gr.Column(min_width=320):
        with gr.Row():
            name = gr.Dropdown(
                checkpoints.usable(), value=chosen, label="Checkpoint", min_width=140, elem_id=f"{key}-name",
                info="Any trained folder.", interactive=True,
            )  # fmt: skip
            how = gr.Dropdown(
                MODES, value=chosen_mode, label="Task", min_width=140, elem_id=f"{key}-mode",
                info="Follows the checkpoint.", interactive=True,
            )  # fmt: skip
        sheet = gr.HTML(
            markup.paper(chosen_mode, hint=HINTS[chosen_mode]), elem_id=f"{key}-sheet", elem_classes="sheet"
        )
        figures = gr.HTML(markup.stats(), elem_id=f"{key}-stats")
        copy = gr.Button("Copy", size="sm", elem_id=f"{key}-copy")
    copy.click(None, None, None, js=COPY % f"{key}-sheet", api_visibility="private")
    name.input(checkpoints.mode, name, how, api_visibility="private", show_progress="hidden", queue=False)
    return {"name": name, "mode": how, "sheet": sheet, "stats": figures}


def slider(label: str, low: float, high: float, value: float, step: float, info: str, **more) -> gr.Slider:
    """A number to be picked, with a sentence on what it does."""
    return gr.Slider(low, high, value, step=step, label=label, info=info, min_width=150, **more)


def seed_number(info: str, **more) -> gr.Number:
    """The seed, which has too many values for a slider."""
    return gr.Number(1950, label="Seed", precision=0, minimum=0, maximum=MAX_SEED, info=info, min_width=120, **more)


def sampling_controls() -> list:
    """The controls in the order that `make_sampling` takes them."""
    with gr.Accordion("Sampling: how the next token is picked", open=False, elem_id="sampling"):
        with gr.Row():
            own = gr.Checkbox(
                True, label="Each mode's own temperature",
                info="0.8 to go on with a text, 0 to answer. Moving the slider switches this off.", elem_id="own-temp",
            )  # fmt: skip
            temperature = slider(
                "Temperature", 0, 2, 0.8, 0.05,
                "0 always takes the likeliest token; 1 samples as the model guesses; higher is wilder.",
            )  # fmt: skip
        with gr.Row():
            cuts = [
                slider("Top-p", 0.05, 1, 1, 0.01,
                       "Keeps the likeliest tokens that together hold this much probability; 1 keeps all."),
                slider("Top-k", 0, 200, 0, 1, "Keeps only this many of the likeliest tokens; 0 keeps all."),
                slider("Min-p", 0, 1, 0, 0.01,
                       "Drops tokens less likely than this share of the likeliest one's probability; 0 drops none."),
            ]  # fmt: skip
        with gr.Row():
            rest = [
                slider("Repetition penalty", 1, 2, 1, 0.05,
                       "Above 1 makes the last twenty tokens less likely to come again."),
                slider("Length", 1, MAX_TOKENS, 120, 1, "At most this many tokens; an answer ends by itself."),
                seed_number("The dice: the same seed and settings give the same text again. Retry throws new ones.",
                            elem_id="seed"),
            ]  # fmt: skip
    temperature.input(lambda: False, None, own, api_visibility="private", queue=False, show_progress="hidden")
    return [own, temperature, *cuts, *rest]


def make_sampling(own, temperature, top_p, top_k, min_p, penalty, length, seed) -> Sampling:
    """The controls' values as checked settings. Raises RequestError."""
    return Sampling(None if own else temperature, top_p, top_k, min_p, penalty, length, seed)
