"""The demo without a browser: its worker, what it reads from disk, what it draws, and its API."""

import json
import os
import queue
import re
import signal
import time

import pytest

pytest.importorskip("gradio")
from demo_helpers import DemoProcess, free_port, save_pair, save_tiny

from demo import app as demo_app
from demo import charts, evaluation, markup, messages, tokens, training
from demo.checkpoints import COMPLETION, QA, Checkpoints
from demo.compare import BEGINNINGS, Side, stream_sides
from demo.engine import MAX_PROMPT_CHARS, Engine, RequestError, Sampling, check_prompt
from demo.worker import END, ERROR, PIECE, STOPPED, Stopped, Worker
from slipstream_mlx import SlipstreamError, generate, load

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return save_pair(tmp_path_factory.mktemp("checkpoints"))


@pytest.fixture(scope="module")
def engine(pair):
    engine = Engine(*map(str, pair))
    yield engine
    assert engine.close()


@pytest.fixture
def worker():
    worker = Worker()
    yield worker
    assert worker.close()


def ask(engine, prompt="Monza", name="base", mode=COMPLETION, **settings):
    (side,) = list(stream_sides(engine, [Side(name, mode, prompt)], Sampling(**settings), "test"))[-1]
    if side.error:
        raise side.error
    return side


def test_the_examples_are_the_packages_templates():
    from slipstream_mlx.prompts import COMPLETION_TEMPLATES

    for text, template in zip(BEGINNINGS, COMPLETION_TEMPLATES.values(), strict=True):
        assert re.fullmatch(re.escape(template).replace(r"\{\}", ".+"), text)


# The worker ------------------------------------------------------------------------------------------------------


def test_interleaved_jobs_write_what_each_writes_alone(engine, pair):
    model, tokenizer = load(pair[0])
    settings = [Sampling(temperature=1.0, seed=seed, max_tokens=20) for seed in range(12)]
    events = queue.SimpleQueue()
    for tag, sampling in enumerate(settings):
        engine.stream("base", COMPLETION, "Monza", sampling, events, tag, "test")
    texts, ended = [[] for _ in settings], 0
    while ended < len(settings):
        event = events.get(timeout=30)
        assert event.kind in (PIECE, END)
        if event.kind == PIECE:
            texts[event.tag].append(event.value)
        ended += event.kind == END
    for sampling, pieces in zip(settings, texts, strict=True):
        alone = generate(model, tokenizer, "Monza", temperature=1.0, seed=sampling.seed, max_tokens=20)
        assert "".join(pieces[1:]) == alone  # the first is the note


def test_tokens_are_counted_not_pieces_of_text(engine, pair):
    """Most tokens of this model are a part of a character, so there is less text than tokens."""
    from slipstream_mlx.inspection import continue_ids

    side = ask(engine, temperature=1.0, seed=4, max_tokens=50)
    model, tokenizer = load(pair[0])
    ids = list(continue_ids(model, tokenizer, tokenizer.encode("Monza"), 50, seed=4, temperature=1.0))
    assert side.tokens == len(ids) and side.text == tokenizer.decode(ids)
    assert f"<b>{len(ids)}</b> tokens" in side.figures()
    assert side.rate == pytest.approx((len(ids) - 1) / (side.last - side.first))


def test_both_sides_stream_at_once(engine):
    sides = [Side("base", COMPLETION, "Monza"), Side("qa", QA, "Monza?")]
    both_growing = 0
    for now in stream_sides(engine, sides, Sampling(max_tokens=40, temperature=1.0), "test"):
        both_growing += all(side.tokens > 0 and side.running for side in now)
    assert both_growing
    assert all(side.state == "ended" and side.tokens > 1 and not side.error for side in sides)


def endless():
    while True:
        time.sleep(0.002)
        yield "x"


def test_stop_ends_an_owners_jobs_alone(worker):
    mine, other = worker.submit(endless, owner="me"), worker.submit(endless, owner="you")
    assert mine.out.get().kind == PIECE
    assert worker.stop("me") == 1
    kinds = [PIECE]
    while kinds[-1] == PIECE:
        kinds.append(mine.out.get(timeout=5).kind)
    assert kinds[-1] == STOPPED
    while not other.out.empty():
        other.out.get()
    assert other.out.get(timeout=5).kind == PIECE
    assert worker.pending() == 1


def test_more_jobs_than_turns_wait_and_are_all_done(worker):
    jobs = [worker.submit(lambda i=i: iter([i] * 3)) for i in range(40)]
    for i, job in enumerate(jobs):
        assert [job.out.get(timeout=10).value for _ in range(3)] == [i] * 3
        assert job.out.get(timeout=10).kind == END
    assert worker.pending() == 0


def test_an_error_in_one_job_leaves_the_others(worker):
    def broken():
        yield 1
        raise ValueError("no")

    bad, good = worker.submit(broken), worker.submit(lambda: iter([1, 2, 3]))
    assert [bad.out.get(timeout=5).kind for _ in range(2)] == [PIECE, ERROR]
    assert [good.out.get(timeout=5).kind for _ in range(4)] == [PIECE] * 3 + [END]


def test_closing_stops_what_runs_and_refuses_more():
    worker = Worker()
    jobs = [worker.submit(endless) for _ in range(20)]  # more than take turns at once
    assert worker.close(timeout=10)
    for job in jobs:
        while (event := job.out.get(timeout=1)).kind == PIECE:
            pass
        assert event.kind == STOPPED
    with pytest.raises(Stopped):
        worker.submit(endless)


def test_a_reader_that_goes_away_stops_its_jobs(engine):
    stream = stream_sides(
        engine, [Side("base", COMPLETION, "Monza")], Sampling(max_tokens=400, temperature=2.0), "gone"
    )
    next(stream)
    stream.close()
    deadline = time.time() + 10
    while engine.worker.pending() and time.time() < deadline:
        time.sleep(0.01)
    assert engine.worker.pending() == 0


# Requests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": -1}, {"temperature": float("nan")}, {"temperature": "hot"}, {"top_p": 0}, {"top_p": 1.5},
        {"min_p": -0.1}, {"top_k": 1.5}, {"top_k": -1}, {"max_tokens": 0}, {"max_tokens": 10**9}, {"seed": -1},
        {"seed": None}, {"seed": True}, {"repetition_penalty": 0}, {"repetition_penalty": float("inf")},
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(RequestError, match=next(iter(settings))):
        Sampling(**settings)


def test_prompts_that_are_empty_or_too_long_are_refused():
    for prompt in ("", "  \n", None, 7, "x" * (MAX_PROMPT_CHARS + 1), "x" * 50_000):
        with pytest.raises(RequestError):
            check_prompt(prompt)
    assert check_prompt("Räikkönen 🏎 عربي") == "Räikkönen 🏎 عربي"
    assert check_prompt("a\ud800b") == "a?b"


@pytest.mark.parametrize(
    "prompt",
    [HOSTILE, "🏎🏁" * 5, "من فاز بالسباق؟", "\x00\x07", "<|endoftext|>", "x" * 4000],
    ids=["html", "emoji", "right-to-left", "control", "end-token", "long"],
)
def test_odd_prompts_are_only_text(engine, prompt):
    side = ask(engine, prompt, max_tokens=5)
    assert side.state == "ended"
    assert "<script" not in side.sheet() and "<img" not in side.sheet()
    assert (side.note != "") == (len(prompt) == 4000)  # says that the context cannot hold it


def test_same_seed_same_text_another_seed_another_text(engine):
    texts = [ask(engine, seed=seed, temperature=1.0).text for seed in (7, 7, 8)]
    assert texts[0] == texts[1] != texts[2]


# What is on disk -------------------------------------------------------------------------------------------------


def test_every_folder_beside_the_two_is_found_and_no_other(tmp_path):
    base, qa = save_pair(tmp_path / "checkpoints")
    save_tiny(tmp_path / "checkpoints" / "sweep" / "lr3")
    (tmp_path / "checkpoints" / "notes").mkdir()
    secret = save_tiny(tmp_path / "elsewhere")
    found = Checkpoints(base, qa)
    assert found.names() == ["base", "qa", "sweep/lr3"]
    assert (found.default(COMPLETION), found.default(QA)) == ("base", "qa")
    assert [found.mode(name) for name in found.names()] == [COMPLETION, QA, COMPLETION]
    for name in ("../elsewhere", str(secret), "", "nothing", None):
        with pytest.raises(SlipstreamError, match="no checkpoint"):
            found.load(name)


def test_a_checkpoint_trained_on_is_read_again_and_few_are_kept(tmp_path):
    base, qa = save_pair(tmp_path)
    found = Checkpoints(base, qa)
    first = found.load("base")
    assert found.load("base") is first
    save_tiny(base, seed=9)
    os.utime(base / "model.safetensors", (1, 1))
    assert found.load("base") is not first
    for i in range(6):
        save_tiny(tmp_path / f"more{i}")
        found.load(f"more{i}")
    assert len(found._loaded) == 4


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"history": 7, "settings": []}', '{"history": [7, {"step": "x"}]}']
)
def test_a_training_record_that_makes_no_sense_is_no_trouble(tmp_path, content):
    base, qa = save_pair(tmp_path)
    (base / "training.json").write_text(content)
    found = Checkpoints(base, qa)
    assert "qa" in training.cards(found)
    assert training.settings(found, "base") and found.mode("base") == COMPLETION


def test_missing_and_broken_checkpoints_get_a_page_with_the_command(tmp_path):
    nothing = Checkpoints(tmp_path / "base", tmp_path / "qa")
    page = messages.missing_page(nothing)
    assert "no trained model yet" in page and "make quickstart" in page
    base, qa = save_pair(tmp_path)
    assert messages.missing_page(nothing) == ""
    (base / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(SlipstreamError):
        nothing.load("base")
    assert "cannot be used" in messages.missing_page(nothing)
    save_tiny(base)
    nothing.load("base")
    assert messages.missing_page(nothing) == ""
    (qa / "model.safetensors").unlink()
    assert "One of the two" in messages.missing_page(nothing)


def test_unexpected_errors_stay_in_the_log(caplog):
    page = messages.explain(KeyError("secret path"))
    assert "secret" not in page and "terminal" in page
    assert "secret path" in caplog.text
    assert "secret" not in messages.one_line(KeyError("secret path"))


# What is drawn ---------------------------------------------------------------------------------------------------


def hostile_views():
    from slipstream_mlx.inspection import TokenView

    return [TokenView(0, HOSTILE), TokenView(1, "<b>\n", 0.5, 1, 1.0, ((HOSTILE, 0.5), ("<i>", 0.25)))]


def test_nothing_anyone_wrote_becomes_markup(tmp_path):
    base, qa = save_pair(tmp_path)
    record = json.loads((base / "training.json").read_text())
    record["preset"] = record["stage"] = HOSTILE
    record["command"], record["settings"] = [HOSTILE], {HOSTILE: HOSTILE, "steps": 4}
    record["history"][0]["sample"] = HOSTILE
    (base / "training.json").write_text(json.dumps(record))
    found = Checkpoints(base, qa)
    row = {"question": HOSTILE, "answer": HOSTILE, "given": HOSTILE, "correct": True, "kind": HOSTILE}
    report = {"correct": 1, "count": 1, "by_kind": {HOSTILE: {"correct": 1, "count": 1}}, "rows": [row]}
    pages = [
        markup.paper(QA, HOSTILE, HOSTILE), markup.notice(HOSTILE, HOSTILE, HOSTILE), markup.stats((HOSTILE, HOSTILE)),
        tokens.strip(hostile_views(), 1), charts.bars([(HOSTILE, 0.5, HOSTILE)]), training.cards(found),
        training.settings(found, "base"), evaluation.accuracy_bars([report], [HOSTILE]),
        evaluation.answers_table([report], [HOSTILE]), messages.explain(SlipstreamError(HOSTILE)),
    ]  # fmt: skip
    for page in pages:
        assert "<script" not in page and "<img" not in page and "&lt;script" in page


def test_the_card_of_a_token_names_what_else_it_might_have_been():
    strip = tokens.strip(hostile_views(), 1, chosen=1)
    assert 'class="tok asked"' in strip and 'class="tok chosen"' in strip
    assert "guess no. 1" in strip and "50%" in strip and "25%" in strip
    assert tokens.visible(" a\n<|endoftext|>") == "·a⏎■" and tokens.visible("") == "∅"
    assert [tokens.percent(p) for p in (1, 0.5, 0.012, 0.0001)] == ["100%", "50%", "1.2%", "<0.1%"]


@pytest.mark.parametrize(("low", "high"), [(0, 1), (2.1, 2.2), (0, 1e6), (-3, 3), (5, 5), (0.1, 0.1 + 1e-12)])
def test_ticks_are_few_round_and_inside(low, high):
    marks = charts.ticks(low, high)
    assert 0 < len(marks) <= 7 and all(low - 1e-9 <= mark <= high + 1e-6 for mark in marks)


def test_charts_stand_points_that_are_missing():
    nan = float("nan")
    empty = charts.line_chart([charts.Line("a", "red", [])], "x", "y")
    assert "Nothing to draw" in empty
    assert "Nothing to draw" in charts.line_chart([charts.Line("a", "red", [(1, nan)])], "x", "y")
    one = charts.line_chart([charts.Line("a", "red", [(1, 2), (2, nan), (nan, 1)])], "x", "y", marks=[(1, "best")])
    assert one.count("<circle") == 1 and "nan" not in one
    shaded = charts.line_chart([charts.Line("a", "red", [(0, 1), (10, 2)])], "x", "y", shade=(5, 10))
    assert 'class="shade"' in shaded


def test_a_run_shows_its_best_step_overfit_and_state(pair):
    found = Checkpoints(*pair)
    cards = training.cards(found)
    assert "best: 2.500 at step 20" in cards and 'class="shade"' in cards and "step 40 of 40, finished" in cards
    record = found.training("base")
    assert training.status({**record, "finished": ""}, age=5) == "step 40 of 40, running"
    assert training.status({**record, "finished": ""}, age=9999) == "step 40 of 40, unfinished"
    assert training.status({**record, "finished": "early"}, age=5) == "step 40 of 40, stopped early"
    page = training.settings(found, "base")
    assert "c0ffee" in page and "slipstream train" in page and "0.001" in page


# Evaluation ------------------------------------------------------------------------------------------------------

QUESTIONS = [
    {"question": "Who?", "answer": "Senna", "keywords": [["Senna"]], "kind": "who"},
    {"question": "When?", "answer": "1988", "kind": "when"},
]


def test_questions_are_asked_as_eval_qa_asks_them(engine, pair):
    from slipstream_mlx.eval_qa import evaluate_questions

    steps = list(evaluation.ask_all(engine, ["base", "qa"], QUESTIONS, "test"))
    assert [done for done, _ in steps] == [1, 2, 3, 4]
    for folder, report in zip(pair, steps[-1][1], strict=True):
        asked = evaluate_questions(*load(folder), QUESTIONS)
        for row in asked["rows"]:
            assert 0 <= row.pop("probability") <= 1  # which only a batch of questions tells
        assert report == asked


def test_an_evaluation_can_be_stopped(engine):
    many = [{**QUESTIONS[0], "question": f"Who {i}?"} for i in range(200)]
    steps = evaluation.ask_all(engine, ["base"], many, "stop me")
    next(steps)
    engine.worker.stop("stop me")
    with pytest.raises(RequestError, match="Stopped"):
        list(steps)
    deadline = time.time() + 5
    while engine.worker.pending() and time.time() < deadline:
        time.sleep(0.01)
    assert engine.worker.pending() == 0


def report(*verdicts):
    rows = [{**q, "given": "x", "correct": v} for q, v in zip(QUESTIONS, verdicts, strict=True)]
    by_kind = {q["kind"]: {"correct": int(v), "count": 1} for q, v in zip(QUESTIONS, verdicts, strict=True)}
    return {"correct": sum(verdicts), "count": len(rows), "by_kind": by_kind, "rows": rows}


@pytest.mark.parametrize(
    ("kind", "verdict", "left"),
    [("All", "All", 2), ("who", "All", 1), ("All", "A is right", 1), ("All", "A is wrong", 1), ("All", "Both wrong", 1),
     ("All", "They differ", 1), ("when", "They differ", 0), ("who", "Both wrong", 0)],
)  # fmt: skip
def test_answers_are_filtered_by_kind_and_verdict(kind, verdict, left):
    both = [report(True, False), report(False, False)]
    rows = [row for row in evaluation.joined(both) if evaluation.keep_row(row, kind, verdict)]
    assert len(rows) == left
    table = evaluation.answers_table(both, ["a", "b"], kind, verdict)
    assert f"{left} of 2 questions" in table
    assert re.findall("<th scope='col'>(.*?)</th>", table) == ["Question", "Reference", "A a", "B b"]
    assert table.count("<td") == 4 * left


def test_reports_are_kept_read_from_disk_and_forgotten_when_trained_on(tmp_path):
    base, qa = save_pair(tmp_path)
    reports = evaluation.Reports(Checkpoints(base, qa))
    assert reports.get("base") == {} == reports.get(None) == reports.get("nothing")
    (base / "eval.json").write_text(json.dumps(report(True, True)))
    assert reports.get("base")["correct"] == 2
    reports.keep("base", report(True, False))
    assert reports.get("base")["correct"] == 1
    os.utime(base / "model.safetensors", (time.time() + 60, time.time() + 60))
    assert reports.get("base") == {}
    for broken in ("{", "[]", '{"rows": [1], "by_kind": {}}', '{"rows": []}'):
        (qa / "eval.json").write_text(broken)
        assert reports.get("qa") == {}


# The app ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(engine):
    app = demo_app.launch_app(engine, port=free_port())
    yield app
    app.close(verbose=False)


@pytest.fixture(scope="module")
def client(served):
    from gradio_client import Client

    return Client(served.local_url, verbose=False)


def test_nothing_in_the_page_comes_from_elsewhere(served):
    import httpx

    assert served.local_url.startswith("http://127.0.0.1:")
    assert not served.analytics_enabled and not served.run_history
    page = httpx.get(served.local_url)
    css = httpx.get(served.local_url + "theme.css").text
    assert "fonts.g" not in page.text + css and "@import" not in css and "url(http" not in css
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "cdn" not in page.text.lower()


def test_the_endpoints_are_named_and_documented(client):
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    wanted = {"/checkpoints", "/generate", "/stream", "/compare", "/look_inside", "/next_tokens", "/stop"}
    assert set(endpoints) == wanted
    assert all(endpoint["description"] for endpoint in endpoints.values())


def test_the_api_writes_what_the_package_writes(client, pair):
    listed = client.predict(api_name="/checkpoints")
    assert listed == [{"name": "base", "mode": "completion"}, {"name": "qa", "mode": "qa"}]
    settings = {"temperature": 0.9, "top_p": 0.9, "top_k": 50, "min_p": 0.01, "repetition_penalty": 1.1, "seed": 3}
    answer = client.predict("Monza", max_tokens=30, **settings, api_name="/generate")
    assert answer["text"] == generate(*load(pair[0]), "Monza", max_tokens=30, **settings)
    assert answer["checkpoint"] == "base" and answer["first_token_ms"] > 0 and answer["tokens"] <= 30
    answer = client.predict("Who?", mode="qa", max_tokens=10, api_name="/generate")
    assert answer["text"] == generate(*load(pair[1]), "Who?", mode="qa", max_tokens=10)


def test_streaming_grows_to_the_same_text(client):
    job = client.submit("Monza", max_tokens=100, seed=5, api_name="/stream")
    pieces = list(job)
    assert len(pieces) > 1 and all(b.startswith(a) for a, b in zip(pieces, pieces[1:], strict=False))
    assert pieces[-1] == client.predict("Monza", max_tokens=100, seed=5, api_name="/generate")["text"]


def test_compare_asks_each_side_in_its_own_way(client):
    both = client.predict("Monza", max_tokens=20, seed=2, api_name="/compare")
    assert (both["left"]["checkpoint"], both["right"]["checkpoint"]) == ("base", "qa")
    assert both["left"]["text"] != both["right"]["text"]


def test_look_inside_gives_probabilities_and_runners_up(client):
    rows = client.predict("Monza is", max_tokens=6, seed=4, api_name="/look_inside")
    text = client.predict("Monza is", max_tokens=6, seed=4, api_name="/generate")["text"]
    assert "".join(row["text"] for row in rows if row["generated"]).replace("<|endoftext|>", "") == text
    assert rows[0]["probability"] is None
    for row in rows[1:]:
        best = [p for _, p in row["guesses"]]
        assert best == sorted(best, reverse=True) and 0 <= row["probability"] <= best[0] + 1e-6
    guesses = client.predict("Monza is", k=3, api_name="/next_tokens")
    assert len(guesses) == 3 and 0 < sum(g["probability"] for g in guesses) <= 1


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({"prompt": ""}, "Type something"), ({"prompt": "x" * 50_000}, "50,000 characters"),
        ({"prompt": "x", "mode": "shout"}, "mode"), ({"prompt": "x", "checkpoint": "../../etc"}, "no checkpoint"),
        ({"prompt": "x", "max_tokens": 10**9}, "max_tokens"), ({"prompt": "x", "seed": -5}, "seed"),
        ({"prompt": "x", "top_p": 7.0}, "top_p"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("endpoint", ["/generate", "/stream"])
def test_bad_requests_are_refused_in_words(client, request_, says, endpoint):
    from gradio_client.exceptions import AppError

    with pytest.raises(AppError, match=says) as caught:
        client.submit(**request_, api_name=endpoint).result()
    assert "Traceback" not in str(caught.value)


def test_a_client_can_stop_its_own_text(client, monkeypatch):
    import slipstream_mlx

    def slow(*_, **__):
        yield from endless()

    monkeypatch.setattr(slipstream_mlx, "stream_generate", slow)
    job = client.submit("Monza", api_name="/generate")
    deadline = time.time() + 10
    while not client.predict(api_name="/stop") and time.time() < deadline:
        time.sleep(0.05)
    assert job.result(timeout=10)["note"] == "stopped"


def test_the_demo_with_no_checkpoints_starts_and_says_what_to_do(tmp_path):
    from gradio_client import Client
    from gradio_client.exceptions import AppError

    engine = Engine(str(tmp_path / "base"), str(tmp_path / "qa"))
    app = demo_app.launch_app(engine, port=free_port())
    try:
        client = Client(app.local_url, verbose=False)
        assert client.predict(api_name="/checkpoints") == []
        with pytest.raises(AppError, match="no checkpoint"):
            client.predict("Monza", api_name="/generate")
        page = app.get_config_file()
        shown = [c["props"].get("value") or "" for c in page["components"] if c["props"].get("elem_id") == "problem"]
        assert "make quickstart" in shown[0]
    finally:
        app.close(verbose=False)
        assert engine.close()


def test_an_address_that_cannot_be_used_ends_in_one_line(capsys, served):
    port = int(served.local_url.rstrip("/").rpartition(":")[2])
    for flags in (["--port", str(port)], ["--port", "99999"], ["--host", "no.such.host.invalid"]):
        with pytest.raises(SystemExit) as caught:
            demo_app.main(flags)
        assert caught.value.code == 2
        line = capsys.readouterr().err
        assert line.startswith("error: cannot listen on") and line.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_process_starts_serves_and_ends_cleanly_in_the_middle_of_texts(pair, number):
    from gradio_client import Client

    with DemoProcess(*pair) as demo:
        client = Client(demo.url, verbose=False, httpx_kwargs={"timeout": 120})
        jobs = [client.submit("Monza", max_tokens=400, temperature=2.0, seed=i, api_name="/stream") for i in range(12)]
        next(iter(jobs[0]))  # it writes
        status = demo.stop(number)
    assert not all(job.done() and not job.exception() for job in jobs)
    assert status == 0, demo.output
    assert "Traceback" not in demo.output and "Goodbye" in demo.output, demo.output
