"""Take the pictures in docs/screenshots/: `make screenshots`, or `python demo/screenshots.py --base DIR --qa DIR`.

Needs Playwright (`pip install playwright`) and a Chromium (`apt-get install chromium`).
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if __package__ in (None, ""):
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from demo.app import launch_app
from demo.engine import Engine

ROOT = Path(__file__).resolve().parent.parent
WIDE, NARROW = {"width": 1100, "height": 1060}, {"width": 390, "height": 844}
FLAGS = ["--no-sandbox", "--headless", "--disable-background-networking", "--disable-gpu"]
PROMPT = "Who won the world championship in 1988?"
COLOURS = 128  # a palette keeps the files small


def compare(page) -> None:
    page.fill("#prompt textarea", PROMPT)
    page.click("#run")
    page.wait_for_selector("#left-stats b")
    page.wait_for_selector("#run:not([disabled])")


def look_inside(page) -> None:
    page.get_by_role("tab", name="Look inside").click()
    page.click("#look-run")
    page.wait_for_selector("#attention svg.heat")
    page.wait_for_timeout(500)  # the panels above the strip settle, or it would move away from under the pointer
    page.locator("#strip .tok:not(.asked)").nth(2).hover()


def training(page) -> None:
    page.get_by_role("tab", name="Training").click()
    page.wait_for_selector("#curves polyline")


def evaluation(page) -> None:
    page.get_by_role("tab", name="Evaluation").click()
    page.click("#eval-b input")
    page.get_by_role("option", name="base", exact=True).click()
    page.click("#eval-run")
    page.wait_for_selector("#eval-progress .progress")
    page.wait_for_selector("#eval-run:not([disabled])", timeout=600_000)


SHOTS = [  # name, what to do first, the window, light or dark, the whole page
    ("compare", compare, WIDE, "light", False),
    ("compare-dark", compare, WIDE, "dark", False),
    ("look-inside", look_inside, WIDE, "light", True),
    ("training", training, WIDE, "light", False),
    ("evaluation", evaluation, WIDE, "light", False),
    ("telephone", compare, NARROW, "light", False),
]


@contextmanager
def opened(playwright, url: str, window: dict, colours: str) -> Iterator:
    """A fresh page of the demo."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        raise SystemExit("error: no chromium here: apt-get install chromium")
    browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
    page = browser.new_page(viewport=window, color_scheme=colours)
    page.goto(url)
    page.wait_for_selector("#prompt textarea")
    yield page
    browser.close()


def shrink(path: Path) -> None:
    """Rewrite a PNG with a palette."""
    from PIL import Image

    with Image.open(path) as image:
        small = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="demo/screenshots.py", description="Take the pictures in docs/screenshots/.")
    parser.add_argument("--base", default="checkpoints/base", metavar="DIR", help="the completion model")
    parser.add_argument("--qa", default="checkpoints/qa", metavar="DIR", help="the Q&A model")
    parser.add_argument("--out", default=str(ROOT / "docs" / "screenshots"), metavar="DIR", help="where to put them")
    args = parser.parse_args(argv)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise SystemExit("error: Playwright is not installed: pip install playwright") from None
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    engine = Engine(args.base, args.qa)
    app = launch_app(engine)
    while engine.worker.pending():  # it warms up
        time.sleep(0.1)
    try:
        with sync_playwright() as playwright:
            for name, act, window, colours, whole in SHOTS:
                with opened(playwright, app.local_url, window, colours) as page:
                    act(page)
                    page.screenshot(path=out / f"{name}.png", full_page=whole)
                shrink(out / f"{name}.png")
                print(f"{out / name}.png  {os.path.getsize(out / f'{name}.png') // 1024} KiB", flush=True)
    finally:
        app.close(verbose=False)
        engine.close()


if __name__ == "__main__":
    main()
