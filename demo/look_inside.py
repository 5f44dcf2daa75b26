"""The Look inside tab: how sure, what else, where it looked, how the guess formed."""

import gradio as gr

from . import charts, markup, tokens
from .checkpoints import COMPLETION
from .compare import MODES, Refreshers, choices, seed_number, slider
from .engine import Engine, Sampling, check_prompt, owner_of
from .messages import explain

MAX_NEW, MAX_LOOK = 64, 160  # tokens generated, and tokens looked at in all
MAX_MAP = 44  # tokens on the heat map
EXAMPLE = "Ayrton Senna won the world championship in"


def look(engine: Engine, name: str, mode: str, prompt: str, sampling: Sampling, owner: str = "") -> dict:
    """Generate up to `sampling.max_tokens` tokens and view them all.

    Returns {"ids", "prompt_length", "views", "n_layer", "n_head"}. Raises SlipstreamError or RequestError.
    """
    prompt = check_prompt(prompt)
    room = min(sampling.max_tokens, MAX_NEW)

    def start():
        from slipstream_mlx import inspection

        model, tokenizer = engine.checkpoints.load(name)
        context = min(model.args.n_positions, MAX_LOOK)
        new = min(room, context // 2)
        asked = inspection.prompt_ids(model, tokenizer, prompt, mode)[-(context - new) :]
        temperature = {None: 0.8 if mode == COMPLETION else 0.0}.get(sampling.temperature, sampling.temperature)
        settings = {
            "temperature": temperature, "top_p": sampling.top_p, "top_k": sampling.top_k, "min_p": sampling.min_p,
            "repetition_penalty": sampling.repetition_penalty,
        }  # fmt: skip
        written = []
        for token in inspection.continue_ids(model, tokenizer, asked, new, seed=sampling.seed, **settings):
            written.append(token)
            yield None
        views = inspection.view_tokens(model, tokenizer, asked + written, k=6)
        yield {
            "ids": asked + written, "prompt_length": len(asked), "views": views,
            "n_layer": model.args.n_layer, "n_head": model.args.n_head,
        }  # fmt: skip

    return engine.last(start, owner)


def details(engine: Engine, name: str, ids: list[int], position: int, layer: int, owner: str = "") -> dict:
    """The next-token distribution, logit lens and attention after the first `position` of `ids`.

    Returns {"next": [(text, p)], "lens": [[(text, p)] per layer], "attention": [n_head, T, T]}.
    """

    def start():
        from slipstream_mlx import inspection

        model, tokenizer = engine.checkpoints.load(name)
        prefix = ids[:position]
        yield {
            "next": inspection.next_tokens(model, tokenizer, prefix, k=12),
            "lens": inspection.logit_lens(model, tokenizer, prefix, k=4),
            "attention": inspection.attention_maps(model, ids, min(max(layer, 1), model.args.n_layer) - 1),
        }

    return engine.last(start, owner)


def entropy_chart(views: list) -> str:
    """Entropy along the text."""
    numbered = [(i, v) for i, v in enumerate(views, 1) if v.entropy is not None]
    labels = [f"before {i} {tokens.visible(v.text)}: {v.entropy:.2f} bits" for i, v in numbered]
    line = charts.Line("entropy", "var(--s-red)", [(i, v.entropy) for i, v in numbered], labels=labels)
    return charts.line_chart([line], "token", "entropy before each token (bits)", zero=True, width=900)


def next_bars(guesses: list) -> str:
    """The likeliest next tokens as bars; the rest of the probability is the last line."""
    top = guesses[0][1] if guesses else 1
    rows = [(tokens.visible(text), p / top, tokens.percent(p)) for text, p in guesses]
    rest = max(0.0, 1 - sum(p for _, p in guesses))
    return charts.bars(rows, mono=True) + f'<p class="lead">All other tokens together: {tokens.percent(rest)}</p>'


def lens_table(lens: list) -> str:
    """One row a layer, the last on top; the model's final choice is underlined wherever it appears."""
    final = lens[-1][0][0]
    rows = []
    for depth in range(len(lens) - 1, -1, -1):
        cells = "".join(
            f'<td style="--p:{p:.3f}" class="{"final" if text == final else ""}">'
            f"<code>{markup.esc(tokens.visible(text))}</code>"
            f" <small>{tokens.percent(p)}</small></td>"
            for text, p in lens[depth]
        )
        label = "embedding" if depth == 0 else f"layer {depth}" + (" (out)" if depth == len(lens) - 1 else "")
        rows.append(f"<tr><th scope='row'>{label}</th>{cells}</tr>")
    return f'<div class="scroll"><table class="lens">{"".join(rows)}</table></div>'


def numbers(count: int) -> list[int]:
    """What there is to choose among `count` layers or heads. Not a slider: that cannot show a model of one layer."""
    return list(range(1, count + 1))


def build(engine: Engine) -> Refreshers:
    """Lay the tab out and wire it."""
    checkpoints = engine.checkpoints
    chosen = checkpoints.default(COMPLETION)
    gr.HTML(markup.lead(
        "<b>Every token is a guess.</b> The model gives each token of its vocabulary a probability and one is drawn. "
        "Run it, then point at a token to see what else it thought of; click one to move the panels below there."
    ))  # fmt: skip
    with gr.Row(equal_height=True):
        prompt = gr.Textbox(EXAMPLE, label="Prompt", max_lines=6, scale=1, elem_id="look-prompt", min_width=260)
        with gr.Column(min_width=260), gr.Row():
            name = gr.Dropdown(
                checkpoints.usable(), value=chosen, label="Checkpoint", min_width=120, interactive=True,
                elem_id="look-name",
            )  # fmt: skip
            mode = gr.Dropdown(
                MODES, value=checkpoints.mode(chosen) if chosen else COMPLETION, label="Task", min_width=185,
                interactive=True,
            )  # fmt: skip
    with gr.Row():
        length = slider("Tokens to write", 1, MAX_NEW, 24, 1, "At most; an answer ends by itself.")
        temperature = slider("Temperature", 0, 2, 0.8, 0.05, "0 always takes the likeliest.")
        seed = seed_number("Same seed, same text.")
    run = gr.Button("Look inside", variant="primary", elem_id="look-run")
    gr.HTML(tokens.legend())
    strip = gr.HTML(
        markup.lead("The text appears here, a token a box."), js_on_load=tokens.SCRIPT, elem_id="strip", padding=False
    )
    state = gr.State(None)  # {"ids", "prompt_length", "name"}: the panels below compute the rest anew
    with gr.Column(visible=False) as panels:
        position = gr.Slider(
            1, 2, 1, step=1, label="Look after token number", elem_id="position",
            info="The panels below show the model with this many tokens read. Clicking a token sets it.",
        )  # fmt: skip
        with gr.Row():
            with gr.Column(min_width=320):
                gr.HTML(markup.title("What comes next?") + markup.lead(
                    "The likeliest next tokens after that place. · is a space, ⏎ a new line, ■ the end of the text."
                ))  # fmt: skip
                following = gr.HTML(elem_id="next")
            with gr.Column(min_width=320):
                gr.HTML(markup.title("How the guess forms") + markup.lead(
                    "The logit lens: what the model would say if it stopped after each layer. Read it from the bottom "
                    "up; the final choice is underlined. Early layers were never trained to be read, so they babble."
                ))  # fmt: skip
                lens = gr.HTML(elem_id="lens")
        gr.HTML(markup.title("How unsure it was") + markup.lead(
            "Entropy before each token: 0 bits is certainty, each bit more doubles the choices it hesitates between. "
            "Names are hard to guess, their second halves easy."
        ))  # fmt: skip
        entropy = gr.HTML(elem_id="entropy")
        gr.HTML(markup.title("Where it looked") + markup.lead(
            "Attention: each row is a token, and the stronger a square, the more it read from that column. "
            "Heads divide the work: some look one token back, some rest on the first token when idle."
        ))  # fmt: skip
        with gr.Row():
            layer = gr.Radio(numbers(1), value=1, label="Layer", elem_id="layer", min_width=140)
            head = gr.Radio(numbers(1), value=1, label="Head", elem_id="head", min_width=140)
        attention = gr.HTML(elem_id="attention")

    detail_inputs = [state, position, layer, head]
    detail_outputs = [following, lens, attention]

    def show_details(request: gr.Request, kept, place, at_layer, at_head):
        if not kept:
            return "", "", ""
        try:
            ids = kept["ids"]
            place = min(max(int(place or 1), 1), len(ids))
            found = details(engine, kept["name"], ids, place, int(at_layer or 1), owner_of(request))
        except Exception as error:
            return explain(error), "", ""
        maps = found["attention"]
        weights = maps[min(max(int(at_head or 1), 1), len(maps)) - 1]
        first = max(0, min(place - MAX_MAP // 2, len(ids) - MAX_MAP))
        window = slice(first, first + MAX_MAP)
        names = [tokens.visible(text) for text in kept["texts"][window]]
        note = f"Tokens {first + 1} to {first + len(names)} of {len(ids)}." if len(ids) > MAX_MAP else ""
        heat = charts.heat_map(weights[window, window], names, first, place - 1 - first)
        return next_bars(found["next"]), lens_table(found["lens"]), heat + (markup.lead(note) if note else "")

    def run_look(request: gr.Request, text, which, how, tokens_wanted, degrees, dice):
        owner = owner_of(request)
        try:
            sampling = Sampling(temperature=degrees, max_tokens=tokens_wanted, seed=dice)
            found = look(engine, which, how, text, sampling, owner)
        except Exception as error:
            return [explain(error), None, gr.update(visible=False), "", *[gr.skip()] * 3]
        views, asked = found["views"], found["prompt_length"]
        kept = {"ids": found["ids"], "texts": [v.text for v in views], "prompt_length": asked, "name": which}
        return [
            tokens.strip(views, asked), kept, gr.update(visible=True), entropy_chart(views),
            gr.update(maximum=len(views), value=asked),
            gr.update(choices=numbers(found["n_layer"]), value=found["n_layer"]),
            gr.update(choices=numbers(found["n_head"]), value=1),
        ]  # fmt: skip

    def choose(event: gr.SelectData):
        return int(event.index) + 1

    options = {"api_visibility": "private", "concurrency_limit": 16}
    gr.on(
        [run.click, prompt.submit], run_look, [prompt, name, mode, length, temperature, seed],
        [strip, state, panels, entropy, position, layer, head], concurrency_id="generate", show_progress="minimal",
        **options,
    ).then(show_details, detail_inputs, detail_outputs, show_progress="hidden", **options)  # fmt: skip
    gr.on(
        [position.input, layer.input, head.input], show_details, detail_inputs, detail_outputs, show_progress="hidden",
        trigger_mode="always_last", **options,
    )  # fmt: skip
    strip.select(choose, None, position, queue=False, show_progress="hidden", api_visibility="private").then(
        show_details, detail_inputs, detail_outputs, show_progress="hidden", **options
    )
    name.input(checkpoints.mode, name, mode, queue=False, show_progress="hidden", api_visibility="private")
    return [(name, lambda: choices(checkpoints, COMPLETION))]
