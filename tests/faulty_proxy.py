"""A small HTTP proxy that stands in front of a wiki and spoils a share of the answers, in the ways that networks do."""

import gzip
import random
import socket
import struct
import threading
import time
import urllib.request
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FAULTS = {
    "429": 3,
    "503": 3,
    "maxlag": 2,
    "reset": 3,
    "cut": 3,
    "truncated": 3,
    "garbage": 2,
    "slow": 1,
}  # with weights
MAXLAG = b'{"error": {"code": "maxlag", "info": "Waiting for a database server: 9 seconds lagged.", "lag": 9}}'


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing: connections that break are the point."""


class FaultyProxy:
    """Passes requests on to `target` and answers on `api`; `rate` of them, drawn with `seed`, fail.

    counts: "requests", "connections", "passed" and each fault by name. requests: (path, headers) of all that came.
    """

    def __init__(self, target: str, rate: float = 0.0, seed: int = 0):
        self.target, self.rate = target, rate
        self.counts: Counter = Counter()
        self.requests: list[tuple[str, dict]] = []
        self._random, self._lock = random.Random(seed), threading.Lock()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self.api = f"http://127.0.0.1:{self._server.server_address[1]}/api.php"

    def __enter__(self) -> "FaultyProxy":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def faults(self) -> int:
        """Answers spoilt so far."""
        return sum(self.counts[name] for name in FAULTS)

    def draw(self) -> str:
        """What to do with the next request: a fault's name, or "passed"."""
        with self._lock:
            self.counts["requests"] += 1
            fault = "passed"
            if self._random.random() < self.rate:
                fault = self._random.choices(list(FAULTS), list(FAULTS.values()))[0]
            self.counts[fault] += 1
            return fault

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"  # keeps connections open, which php -S does not

            def setup(self) -> None:
                super().setup()
                proxy.counts["connections"] += 1

            def do_GET(self) -> None:
                proxy.requests.append((self.path, dict(self.headers)))
                fault = proxy.draw()
                if fault in ("429", "503"):
                    self._send(b"", status=int(fault), headers={"Retry-After": "0"} if fault == "429" else {})
                elif fault == "maxlag":
                    self._send(MAXLAG, headers={"Retry-After": "0"})
                elif fault == "reset":
                    self._hang_up()
                else:
                    self._spoil(fault, self._ask_the_wiki())

            def _ask_the_wiki(self) -> bytes:
                with urllib.request.urlopen(proxy.target + "?" + self.path.partition("?")[2], timeout=30) as response:
                    return response.read()

            def _spoil(self, fault: str, body: bytes) -> None:
                if fault == "truncated":  # whole for HTTP, half for JSON
                    self._send(body[: len(body) // 2])
                elif fault == "garbage":  # a page of some box in between
                    self._send(b"<html><body>Bad gateway</body></html>", headers={"Content-Type": "text/html"})
                elif fault == "cut":
                    self._send(body, cut=True)
                elif fault == "slow":
                    self._send(body, pause=0.05)
                else:
                    self._send(body)

            def _send(
                self, body: bytes, status: int = 200, headers: dict | None = None, cut: bool = False, pause: float = 0.0
            ) -> None:
                if "gzip" in self.headers.get("Accept-Encoding", ""):
                    body = gzip.compress(body, 1)
                    headers = {"Content-Encoding": "gzip"} | (headers or {})
                self.send_response(status)
                for name, value in ({"Content-Type": "application/json"} | (headers or {})).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if cut:
                    self.wfile.write(body[: len(body) // 2])
                    self._hang_up()
                elif pause:
                    self._drip(body, pause)
                else:
                    self.wfile.write(body)

            def _drip(self, body: bytes, pause: float) -> None:
                """A few bytes at a time: no single read is slow, only the whole."""
                try:
                    for i in range(0, len(body), 2):
                        self.wfile.write(body[i : i + 2])
                        self.wfile.flush()
                        time.sleep(pause)
                except OSError:  # the client lost patience
                    self.close_connection = True

            def _hang_up(self) -> None:
                """Reset the connection instead of closing it."""
                self.wfile.flush()
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()

            def finish(self) -> None:
                try:
                    super().finish()
                except (OSError, ValueError):  # already hung up
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler
