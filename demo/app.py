"""The demo: `python demo/app.py` opens it on http://127.0.0.1:7860."""

import argparse
import os
import signal
import socket
import sys
import threading
from pathlib import Path

if __package__ in (None, ""):  # run as a file: the repository's root is what `demo` is imported from
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

# Before gradio is imported: nothing about the user goes anywhere, and nothing is looked up.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

from demo.engine import Engine

QUEUE_SIZE = 128
WARM_SECONDS = 60.0  # the page is there already; only its lists wait for the models


class SecurityHeaders:
    """Tells the browser to fetch nothing from anywhere else, whatever a page may ask for."""

    HEADERS = (
        (
            b"content-security-policy",
            b"default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; object-src 'none'; frame-ancestors 'self'",
        ),
        (b"referrer-policy", b"no-referrer"),
        (b"x-content-type-options", b"nosniff"),
    )

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def with_headers(message):
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *self.HEADERS]
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)


def build_app(engine: Engine):
    """The whole page as a gr.Blocks, not yet launched."""
    import gradio as gr

    from demo import api, compare, evaluation, look_inside, messages, theme, training

    checkpoints = engine.checkpoints
    with gr.Blocks(title="Slipstream MLX", analytics_enabled=False) as app:
        with gr.Row(elem_classes="topbar"):
            gr.HTML(theme.HEADER)
            gr.HTML(theme.THEME_BUTTON, js_on_load=theme.TOGGLE_THEME, elem_classes="theme-button", elem_id="theme")
        problem = messages.missing_page(checkpoints)
        page = gr.HTML(problem, visible=bool(problem), elem_id="problem")
        again = gr.Button("Look again", visible=bool(problem), elem_id="again")
        refreshers: compare.Refreshers = []
        with gr.Tabs():
            for name, tab in (
                ("Compare", compare), ("Look inside", look_inside), ("Training", training), ("Evaluation", evaluation),
            ):  # fmt: skip
                with gr.Tab(name, id=tab.__name__.rpartition(".")[2]):
                    refreshers += tab.build(engine)
        with gr.Accordion("Use it from a program", open=False, elem_id="api"):
            gr.HTML(api.HELP)
        api.build(engine)

        def look_again():
            engine.warm.wait(WARM_SECONDS)
            text = messages.missing_page(checkpoints)
            shown = [gr.update(value=text, visible=bool(text)), gr.update(visible=bool(text))]
            return shown + [value() for _, value in refreshers]

        outputs = [page, again, *(component for component, _ in refreshers)]
        gr.on([app.load, again.click], look_again, None, outputs, api_visibility="private", show_progress="hidden")
    return app.queue(max_size=QUEUE_SIZE, default_concurrency_limit=16)


def launch_app(engine: Engine, host: str = "127.0.0.1", port: int | None = None):
    """Build and serve the app without blocking. Returns the gr.Blocks, whose `local_url` says where it is."""
    from starlette.middleware import Middleware

    from demo import theme

    app = build_app(engine)
    app.launch(
        server_name=host, server_port=port, prevent_thread_lock=True, quiet=True, share=False, inbrowser=False,
        theme=theme.make_theme(), head=theme.head(), favicon_path=theme.ICON,
        footer_links=[], run_history=False, ssr_mode=False, pwa=False, mcp_server=False, enable_monitoring=False,
        max_file_size="1kb", state_session_capacity=1000, show_error=False,
        app_kwargs={"middleware": [Middleware(SecurityHeaders)]},
    )  # fmt: skip
    engine.warm_up()  # after the page is there: the browser fetches it while the models load
    return app


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="demo/app.py", description="See Slipstream think, side by side.")
    add = parser.add_argument
    add("--base", default="checkpoints/base", metavar="DIR", help="the completion model (default: %(default)s)")
    add("--qa", default="checkpoints/qa", metavar="DIR", help="the Q&A model (default: %(default)s)")
    add("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 is every machine (default: %(default)s)")
    add("--port", type=int, default=7860, metavar="N", help="port to listen on (default: %(default)s)")
    return parser.parse_args(argv)


def check_address(host: str, port: int) -> None:
    """End with one line, before anything slow, if the address cannot be listened on."""
    try:
        if not 1 <= port <= 65535:
            raise OverflowError("ports are 1 to 65535")
        info = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(info[0], info[1]) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(info[4])
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        print(f"error: cannot listen on {host}:{port} ({reason}): choose another --port or --host", file=sys.stderr)
        raise SystemExit(2) from None


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    check_address(args.host, args.port)
    done = threading.Event()
    engine = Engine(args.base, args.qa)
    app = launch_app(engine, args.host, args.port)
    print(f"Slipstream is at {app.local_url}  (Ctrl-C ends it)", flush=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    done.wait()
    app.close(verbose=False)
    engine.close()
    print("Goodbye.", flush=True)


if __name__ == "__main__":
    main()
