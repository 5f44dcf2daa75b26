"""The demo in a real browser: Chromium driven by Playwright, against a small model trained on the spot.

Needs `pip install playwright` and a Chromium (`apt-get install chromium`); skipped with its reason without.
SLIPSTREAM_DEMO_CHECKPOINTS=DIR, a folder with `base` and `qa` in it, saves the training. Nothing here sleeps and hopes:
every wait is for a condition, with a limit that only a broken demo should reach.
"""

import json
import math
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from demo_helpers import ROOT, DemoProcess, free_port, save_pair

pytestmark = pytest.mark.slow
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
pytest.importorskip("gradio")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
if CHROMIUM is None:
    pytest.skip("no chromium: apt-get install chromium", allow_module_level=True)

FLAGS = ["--no-sandbox", "--headless", "--disable-background-networking", "--disable-gpu"]
PATIENCE = 90  # seconds: a machine with two busy cores is slow, and a working demo never waits so long
HOSTILE = {
    "html": "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">",
    "emoji": "🏎🏁🇲🇨 Räikkönen 👨‍👩‍👧",
    "right-to-left": "من فاز بالسباق في موناكو؟",
    "template": "${alert(1)} {{constructor.constructor('alert(1)')()}} \\u003cb\\u003e",
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """checkpoints/base and checkpoints/qa, trained for some seconds; a copy, because tests write beside them."""
    root = tmp_path_factory.mktemp("trained") / "checkpoints"
    if ready := os.environ.get("SLIPSTREAM_DEMO_CHECKPOINTS"):
        for name in ("base", "qa"):
            shutil.copytree(Path(ready) / name, root / name, ignore=shutil.ignore_patterns("state", "transformers*"))
        return root
    small = ["--steps", "30", "--eval-every", "10", "--eval-batches", "1", "--batch-size", "4"]
    for stage, flags in (
        ("train", ["--preset", "nano", "--mix", "0", "--out", str(root / "base")]),  # answers would teach it to stop
        ("finetune_qa", ["--model", str(root / "base"), "--out", str(root / "qa")]),
    ):
        subprocess.run([sys.executable, "-m", f"slipstream_mlx.{stage}", *flags, *small], cwd=ROOT, check=True)
    return root


@pytest.fixture(scope="module")
def demo(trained):
    with DemoProcess(trained / "base", trained / "qa") as process:
        yield process
        assert process.stop() == 0, process.output
        assert "Traceback" not in process.output, process.output


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Watched:
    """A page, and what must not happen on it."""

    def __init__(self, browser, url, **options):
        self.context = browser.new_context(**{"viewport": {"width": 1180, "height": 900}, **options})
        self.page = self.context.new_page()
        self.page.set_default_timeout(1000 * PATIENCE)
        self.troubles: list[str] = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.troubles.append(f"page error: {error}"))
        self.page.on("dialog", lambda dialog: (self.troubles.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        self.context.on("request", self._request)
        self.page.goto(url)
        self.ready()

    def ready(self):
        """Wait until the page can be used: it is drawn, and answers."""
        self.page.wait_for_selector("#prompt textarea")
        self.page.wait_for_selector("#run:not([disabled])")

    def close(self):
        """Leave, and check that nothing has gone wrong on the way."""
        self.context.close()
        assert not self.troubles

    def _console(self, message):
        cut_off = re.search("AbortError|Connection errored out|ERR_ABORTED", message.text)  # Gradio's word for a reload
        if message.type in ("error", "warning") and not cut_off:
            self.troubles.append(f"console {message.type}: {message.text}")

    def _request(self, request):
        if not re.match(r"(http://127\.0\.0\.1:|data:|blob:)", request.url):
            self.troubles.append(f"request to {request.url}")


@pytest.fixture
def watched(browser, demo):
    watched = Watched(browser, demo.url)
    yield watched
    watched.close()


@pytest.fixture
def page(watched):
    return watched.page


def tab(page, name):
    page.get_by_role("tab", name=name).click()


def run(page, prompt, wait=True):
    page.fill("#prompt textarea", prompt)
    page.evaluate("document.querySelectorAll('.paper, .notice').forEach(sheet => sheet.dataset.old = 1)")
    page.click("#run")
    if wait:
        page.wait_for_function(
            "!document.querySelector('#left-sheet [data-old], #right-sheet [data-old], .paper[aria-busy=true]')"
        )
        page.wait_for_selector("#run:not([disabled])")


def written(page, side):
    return page.inner_text(f"#{side}-sheet .new")


def until(condition, seconds=PATIENCE):
    """Poll until true; the last value."""
    deadline = time.time() + seconds
    while not (value := condition()) and time.time() < deadline:
        time.sleep(0.05)
    return value


def looked_inside(page):
    """Press the button and wait for the text and all panels, new ones."""
    page.evaluate("document.querySelectorAll('#strip .strip, #attention svg').forEach(old => old.dataset.old = 1)")
    page.click("#look-run")
    page.wait_for_selector("#strip .strip:not([data-old])")
    page.wait_for_selector("#attention svg.heat:not([data-old])")


# Compare ---------------------------------------------------------------------------------------------------------


BEGINNINGS = ["Ayrton Senna is a Formula One driver who", "Monza is", "In 1988", "Ferrari has", "The Monaco Grand Prix"]


def test_both_sides_grow_and_differ(page):
    for beginning in BEGINNINGS:  # a model of thirty steps may stop after a word or two
        page.reload()
        page.wait_for_selector("#prompt textarea")
        page.evaluate(  # every state of the left sheet, seen by the browser itself: polling would miss some
            """() => {
              window.lengths = [];
              const look = () => lengths.push(document.querySelector("#left-sheet .new")?.textContent.length ?? 0);
              new MutationObserver(look).observe(document.querySelector("#left-sheet"),
                { childList: true, subtree: true, characterData: true });
            }"""
        )
        run(page, beginning)
        lengths = page.evaluate("lengths")
        if len(set(lengths)) > 3:
            break
    assert len(set(lengths)) > 3 and lengths == sorted(lengths)  # seen to grow
    assert page.inner_text("#left-sheet").startswith(beginning)
    assert written(page, "left") != written(page, "right")
    for side in ("left", "right"):
        assert re.search(r"[\d,]+ ms\s+to first token", page.inner_text(f"#{side}-stats"))
        assert "token" in page.inner_text(f"#{side}-stats")


def test_stop_stops_mid_stream(browser, endless):
    engine, url = endless
    watched = Watched(browser, url)
    page = watched.page
    run(page, "In 1988", wait=False)
    page.wait_for_function("document.querySelector('#left-sheet .new')?.innerText.length > 20")
    page.click("#stop")
    page.wait_for_function("document.querySelector('#left-stats').innerText.includes('stopped')")
    assert until(lambda: page.is_enabled("#run") and not engine.worker.pending())
    text = written(page, "left")
    assert len(text) > 20 and "x" in text
    assert f"{len(text)} tokens" in " ".join(page.inner_text("#left-stats").split())
    run(page, "In 1988", wait=False)  # and it can be run again
    assert until(lambda: engine.worker.pending() == 2)
    watched.close()


def test_a_reader_who_leaves_stops_the_work(browser, endless):
    engine, url = endless
    watched = Watched(browser, url)
    assert until(lambda: engine.worker.pending() == 0)
    run(watched.page, "Monza", wait=False)
    assert until(lambda: engine.worker.pending() == 2)
    watched.context.close()
    assert until(lambda: engine.worker.pending() == 0)


@pytest.fixture(scope="module")
def endless(tmp_path_factory):
    """A demo whose texts never end, a letter a while: (engine, address)."""
    from demo import app as demo_app
    from demo.engine import Engine

    engine = Engine(*map(str, save_pair(tmp_path_factory.mktemp("endless"))))

    def stream(name, mode, prompt, sampling, out, tag, owner):
        def start():
            yield ""
            while True:
                time.sleep(0.01)
                yield "x"

        return engine.worker.submit(start, out, tag, owner)

    engine.stream = stream
    app = demo_app.launch_app(engine, port=free_port())
    yield engine, app.local_url
    app.close(verbose=False)
    assert engine.close()


def test_same_seed_repeats_and_retry_does_not(page):
    texts = []
    for _ in range(2):
        run(page, "The 1988 Formula One season was")
        texts.append(written(page, "left"))
    assert texts[0] == texts[1]
    page.click("#retry")
    assert until(lambda: page.is_enabled("#retry") and written(page, "left") not in ("", texts[0]))
    page.get_by_text("Sampling: how the next token is picked").click()
    assert page.input_value("#seed input") != "1950"


def test_examples_load_on_click_and_copy_copies(page, watched):
    watched.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="What does DRS stand for?").click()
    assert until(lambda: page.input_value("#prompt textarea") == "What does DRS stand for?")
    page.get_by_role("button", name="Monza is a Formula One circuit in").click()
    assert until(lambda: page.input_value("#prompt textarea") == "Monza is a Formula One circuit in")
    page.click("#run")
    assert until(lambda: page.is_enabled("#run") and page.query_selector("#left-stats b"))
    page.click("#left-copy")
    assert page.evaluate("navigator.clipboard.readText()") == written(page, "left")


def test_hostile_prompts_are_only_text(page):
    for prompt in HOSTILE.values():
        run(page, prompt)
        assert page.title() == "Slipstream MLX"
        assert page.inner_text("#left-sheet .given") == prompt
        assert page.query_selector("#left-sheet script, #left-sheet img, #left-sheet b") is None
    tab(page, "Look inside")
    for prompt in HOSTILE.values():
        page.fill("#look-prompt textarea", prompt)
        looked_inside(page)
        page.hover(".tok[data-i='3']")
        assert page.title() == "Slipstream MLX" and page.query_selector("#strip script, #strip img") is None


def test_empty_and_enormous_prompts_are_refused_kindly(page):
    for prompt, says in (("", "Type something"), ("x" * 50_000, "50,000"), ("   ", "Type something")):
        run(page, prompt, wait=False)
        assert until(lambda says=says: says in page.inner_text("#left-sheet"))
        page.wait_for_selector("#run:not([disabled])")
    run(page, "Monza is")  # and it goes on working
    assert written(page, "left")


def test_a_new_checkpoint_can_be_chosen_after_a_reload(page, trained):
    shutil.copytree(trained / "qa", trained / "later" / "epoch2", dirs_exist_ok=True)
    page.reload()
    option = page.get_by_role("option", name="later/epoch2")
    page.wait_for_selector("#prompt textarea")

    def listed():
        page.click("#left-name input")
        return until(option.is_visible, seconds=3) or page.keyboard.press("Escape")  # a busy machine draws it later

    assert until(listed)
    option.click()
    assert until(lambda: page.input_value("#left-mode input") == "answer")
    run(page, "Who won the world championship in 1988?")
    assert written(page, "left") == written(page, "right") != ""
    shutil.rmtree(trained / "later")


# Look inside -----------------------------------------------------------------------------------------------------


def test_looking_inside(page):
    tab(page, "Look inside")
    looked_inside(page)
    tokens = page.query_selector_all("#strip .tok")
    generated = page.query_selector_all("#strip .tok:not(.asked)")
    assert len(generated) >= 3
    assert len({token.evaluate("t => getComputedStyle(t).backgroundColor") for token in generated}) > 2
    generated[1].hover()
    tip = page.inner_text("#strip .tip")
    assert "entropy" in tip and tip.count("%") >= 5
    assert "entropy before each token" in page.inner_text("#entropy") and page.query_selector("#entropy polyline")
    assert page.locator("#next .bar").count() == 12
    before = page.inner_html("#lens"), page.inner_html("#attention"), page.inner_text("#next")
    generated[1].click()
    place = len(tokens) - len(generated) + 2
    assert until(lambda: page.input_value("#position input[type=number]") == str(place))
    assert until(lambda: page.inner_text("#next") != before[2] and page.inner_html("#lens") != before[0])
    for choice in ("#layer", "#head"):  # nano has one layer
        others = page.locator(f"{choice} input:not(:checked)")
        assert others.count() == {"#layer": 0, "#head": 3}[choice]
        if others.count():
            shown = page.inner_html("#attention")
            others.first.check()
            assert until(lambda shown=shown: page.inner_html("#attention") != shown)


# Training and evaluation -----------------------------------------------------------------------------------------


def test_training_curves_follow_a_run(page, trained):
    tab(page, "Training")
    page.wait_for_selector("#curves polyline")
    assert page.locator("#curves .run").count() >= 2
    settings = page.inner_text("#settings")
    assert "fingerprint" in settings and "slipstream train" in settings
    assert settings.count("Ayrton Senna is a Formula One driver who") >= 3  # what it wrote at each evaluation
    new = trained / "growing"
    new.mkdir(exist_ok=True)
    record = json.loads((trained / "base" / "training.json").read_text())
    for count in (1, 2):
        record |= {"step": count, "finished": "", "history": record["history"][:1] * count}
        record["history"] = [{**row, "step": i + 1, "sample": f"lap {i}"} for i, row in enumerate(record["history"])]
        (new / "training.json").write_text(json.dumps(record))
        page.wait_for_function(
            f"[...document.querySelectorAll('.run')].some(r => /growing[^]*step {count} of/.test(r.innerText))"
        )
    assert "running" in page.inner_text("#curves")
    page.click("#run-name input")
    page.get_by_role("option", name="growing").click()
    assert until(lambda: "lap 1" in page.inner_text("#settings"))
    shutil.rmtree(new)
    assert until(lambda: "growing" not in page.inner_text("#curves"))


def test_an_evaluation_runs_live_and_is_filtered(page):
    tab(page, "Evaluation")
    page.click("#eval-b input")
    page.get_by_role("option", name="base").click()
    page.click("#eval-run")
    progress = set()
    until(
        lambda: progress.add(page.inner_text("#eval-progress")) or (len(progress) > 3 and page.is_enabled("#eval-run")),
        240,
    )
    assert len(progress) > 3 and page.is_enabled("#eval-run")
    total = int(re.search(r"of (\d+) questions", page.inner_text("#eval-table"))[1])
    assert page.locator("#eval-table tbody tr").count() == total >= 40
    assert page.locator("#eval-bars .kind").count() > 3
    page.get_by_role("radio", name="A is wrong").check()
    page.click("#eval-kind input")
    page.get_by_role("option", name="who").click()
    assert until(lambda: page.locator("#eval-table tbody tr").count() < total / 2)
    cells = page.locator("#eval-table tbody tr td:nth-child(3)").all()
    assert all("wrong" in cell.get_attribute("class") for cell in cells)


# The page itself -------------------------------------------------------------------------------------------------


def test_first_view_is_quick_once_the_models_are_loaded(browser, demo):
    warm = Watched(browser, demo.url)
    run(warm.page, "Monza is")  # the models are loaded now
    warm.context.close()
    times = [math.inf]
    while min(times) >= 3 and len(times) < 12 or len(times) < 4:  # the best of some: the machine may have other work
        began = time.perf_counter()
        watched = Watched(browser, demo.url)
        times.append(time.perf_counter() - began)
        watched.context.close()
    print(f"first view in {min(times):.2f} s; the demo served {demo.seconds_to_serve:.2f} s after its process began")
    assert min(times) < 3


def test_it_fits_a_telephone(browser, demo):
    watched = Watched(browser, demo.url, viewport={"width": 390, "height": 844}, has_touch=True)
    page = watched.page
    run(page, "Monza is")
    tabs = {"Look inside": "#look-run", "Training": "#curves polyline", "Evaluation": "#eval-run", "Compare": "#run"}
    for name, shown in tabs.items():
        tab(page, name)
        page.wait_for_selector(shown)
        if name == "Look inside":
            looked_inside(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
    watched.close()


def press_tab_until(page, selector, key="Tab"):
    """Go on with Tab until an element that matches has the focus; fails where the keyboard does not lead there."""
    for _ in range(60):
        page.keyboard.press(key)
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{key} does not reach {selector}")


def test_it_works_by_keyboard_alone(page):
    page.keyboard.press("Escape")
    for selector in ("#theme button", "[role=tab]", "#prompt textarea"):
        press_tab_until(page, selector)
    page.keyboard.type("Monza is")
    for selector in (".chip", "#run", "#retry", "#left-name input", "#left-sheet .paper", "#left-copy", "#api button"):
        press_tab_until(page, selector)
    press_tab_until(page, "#prompt textarea", "Shift+Tab")
    page.keyboard.press("Enter")
    assert until(lambda: page.query_selector("#left-stats b") and page.is_enabled("#run"))
    press_tab_until(page, "[role=tab]", "Shift+Tab")
    while page.evaluate("document.activeElement.innerText") != "Look inside":
        press_tab_until(page, "[role=tab]", "Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#look-run")
    press_tab_until(page, "#look-run")
    page.keyboard.press("Enter")
    page.wait_for_selector("#attention svg.heat")
    press_tab_until(page, ".tok[data-i='2']")
    assert page.is_visible("#strip .tip")
    page.keyboard.press("Escape")
    assert not page.is_visible("#strip .tip")
    page.keyboard.press("Enter")
    assert until(lambda: page.input_value("#position input[type=number]") == "3")
    press_tab_until(page, "#position input[type=number]")
    press_tab_until(page, "#layer input")
    press_tab_until(page, "#head input[value='2']")
    shown = page.inner_html("#attention")
    page.keyboard.press("Space")
    assert until(lambda: page.inner_html("#attention") != shown)


@pytest.mark.parametrize("system", ["light", "dark"])
def test_light_and_dark(browser, demo, system):
    watched = Watched(browser, demo.url, color_scheme=system)
    page = watched.page

    def lightness():
        r, g, b = map(int, re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))[:3])
        return (r + g + b) / 765

    assert until(lambda: (lightness() > 0.5) == (system == "light"))
    page.click("#theme")
    assert until(lambda: (lightness() > 0.5) != (system == "light"))
    page.reload()
    page.wait_for_selector("#prompt textarea")
    assert until(lambda: (lightness() > 0.5) != (system == "light"))  # the choice is kept
    watched.close()


def test_the_page_says_how_to_use_it_from_a_program(page):
    page.get_by_text("Use it from a program").click()
    assert until(lambda: "gradio_client" in page.inner_text("#api"))


def test_without_checkpoints_the_page_says_what_to_do(browser, trained, tmp_path):
    with DemoProcess(tmp_path / "base", tmp_path / "qa") as process:
        watched = Watched(browser, process.url)
        page = watched.page
        assert "make quickstart" in page.inner_text("#problem")
        run(page, "Monza is", wait=False)
        page.wait_for_selector("#left-sheet .notice")
        tab(page, "Look inside")
        page.click("#look-run")
        page.wait_for_selector("#strip .notice")
        tab(page, "Evaluation")
        page.click("#eval-run")
        page.wait_for_selector("#eval-progress .notice")
        tab(page, "Compare")
        for name in ("base", "qa"):  # without the save before, which would stand in for a damaged one
            shutil.copytree(trained / name, tmp_path / name, ignore=shutil.ignore_patterns("previous"))
        page.click("#again")
        assert until(lambda: not page.is_visible("#problem"))
        run(page, "Monza is")
        assert until(lambda: written(page, "left"))
        (tmp_path / "qa" / "model.safetensors").write_bytes(b"not a model")
        run(page, "Monza is")
        page.wait_for_selector("#right-sheet .notice")
        assert "make" in page.inner_text("#right-sheet") and "Traceback" not in page.content()
        watched.context.close()
        assert not watched.troubles
        process.stop()
        assert "Traceback" not in process.output, process.output
