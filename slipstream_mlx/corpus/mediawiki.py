"""A polite client of the MediaWiki action API that does not mind a bad connection.

It follows https://www.mediawiki.org/wiki/API:Etiquette and Wikimedia's User-Agent policy: one request at a time over
one connection, gzip, a pause between requests, `maxlag`, a User-Agent that says who is asking, `Retry-After` obeyed.
"""

import contextlib
import json
import random
import time
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import requests
import urllib3
from requests import exceptions as broken
from urllib3.exceptions import HTTPError, InvalidHeader, NewConnectionError

from .. import __version__
from ..errors import SlipstreamError

PROJECT = "https://github.com/slipstream-mlx/slipstream-mlx"
USER_AGENT = f"slipstream-mlx/{__version__} ({PROJECT}; questions: open an issue there) requests/{requests.__version__}"
REMEDY = "give the address of a MediaWiki api.php, like https://en.wikipedia.org/w/api.php"
MAX_BYTES = 64 * 2**20  # MediaWiki's own limit for an answer is 12 MB
API_ERRORS_THAT_PASS = ("maxlag", "ratelimited", "readonly", "internal_api_error")


class _Fault(Exception):
    """A request failed in a way that may pass. wait: seconds the server asks for. unreachable: nobody is there."""

    def __init__(self, reason: str, wait: float = 0.0, unreachable: bool = False):
        super().__init__(reason)
        self.wait, self.unreachable = wait, unreachable


@dataclass
class Client:
    """Asks one wiki. Every number is in seconds but the counts; small ones make tests quick.

    timeout: for one whole answer, however slowly it drips. pace: from the start of a request to the start of the next.
    backoff: before the second try; doubled for each after it, up to `max_backoff`, times a random 0.5 to 1.5 so that
    many clients do not come back together. max_retry_after: a server that asks for a longer wait is left alone.
    report: told of every fault in a few words, and "" when it is over.
    """

    api: str
    pace: float = 0.25
    timeout: float = 60.0
    backoff: float = 1.0
    max_backoff: float = 60.0
    max_retry_after: float = 600.0
    tries: int = 10
    maxlag: int = 5
    report: Callable[[str], None] = lambda text: None
    counts: Counter = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._session = requests.Session()
        self._session.headers.update({"User-Agent": USER_AGENT, "Accept-Encoding": "gzip"})
        self._next = 0.0
        self._answered = False

    def query(self, **params: object) -> dict:
        """The `query` part of `action=query`, put together from as many answers as it takes; `pages` keyed by title.

        Raises SlipstreamError if the wiki cannot be reached, refuses, or keeps failing.
        """
        fixed = {"action": "query", "format": "json", "formatversion": 2, "maxlag": self.maxlag, **params}
        merged: dict = {"pages": {}}
        more: dict | None = {}
        while more is not None:
            answer = self.get(fixed | more)
            part = answer.get("query", {})
            for page in part.pop("pages", ()):
                # Continued answers bring each page again, with other properties filled in.
                merged["pages"].setdefault(page.get("title"), {}).update(page)
            for name, values in part.items():
                known = merged.setdefault(name, [])
                known += [value for value in values if value not in known]
            following = answer.get("continue")
            if following is not None and following == more:  # a page larger than the wiki lets an answer be
                raise SlipstreamError(f"{self.api} goes round in circles (continue={following}): try again later")
            more = following
            self.counts["continued"] += more is not None
        return merged

    def get(self, params: dict) -> dict:
        """One answer of the API, tried until it comes whole. Raises SlipstreamError as `query` does."""
        # urllib3's Retry sees neither a body that breaks off, nor one that is no JSON, nor an error inside a 200.
        attempt = 0
        while True:
            attempt += 1
            time.sleep(max(0.0, self._next - time.monotonic()))
            self._next = time.monotonic() + self.pace
            self.counts["requests"] += 1
            try:
                answer = self._try(params)
                self._answered = True
                if attempt > 1:
                    self.report("")
                return answer
            except _Fault as fault:
                self.counts["faults"] += 1
                wait = self._wait_after(fault, attempt)
                self._next = time.monotonic() + wait
                self.report(f"{fault}: waiting {wait:.1f} s")

    def _wait_after(self, fault: _Fault, attempt: int) -> float:
        """Seconds to wait before the next try. Raises SlipstreamError if there should be none."""
        # A wrong address or no network should be told in seconds, a fault in mid-work be waited out.
        hopeless = fault.unreachable and not self._answered
        if attempt >= (min(3, self.tries) if hopeless else self.tries):
            raise SlipstreamError(
                f"{self.api} failed {attempt} times, last with {fault}: "
                + (f"check the network, or {REMEDY}" if hopeless else "run again to go on")
            ) from None
        if fault.wait > self.max_retry_after:
            raise SlipstreamError(f"{self.api} asks to wait {fault.wait:.0f} s: run again later to go on") from None
        backoff = min(self.backoff * 2 ** (attempt - 1), self.max_backoff) * random.uniform(0.5, 1.5)
        return max(backoff, fault.wait)

    def _try(self, params: dict) -> dict:
        deadline = time.monotonic() + self.timeout
        try:
            timeouts = (min(10.0, self.timeout), self.timeout)
            with self._session.get(self.api, params=params, timeout=timeouts, stream=True) as response:
                wait = _retry_after(response)
                if response.status_code == 429 or response.status_code >= 500:
                    raise _Fault(f"HTTP {response.status_code}", wait)
                if not response.ok:
                    raise SlipstreamError(f"{self.api} answered HTTP {response.status_code}: {REMEDY}")
                body = _read(response, deadline)
                kind = response.headers.get("Content-Type", "unknown")
        except (broken.InvalidURL, broken.InvalidSchema, broken.MissingSchema):
            raise SlipstreamError(f"{self.api!r} is not an address: {REMEDY}") from None
        except (requests.RequestException, HTTPError, OSError, zlib.error) as error:
            unreachable = _nobody_there(error)
            raise _Fault("no connection" if unreachable else type(error).__name__, unreachable=unreachable) from None
        try:
            answer = json.loads(body)
        except ValueError:
            if "json" not in kind:
                raise _Fault(f"{kind.partition(';')[0]} instead of JSON", unreachable=True) from None
            raise _Fault("broken JSON") from None
        if not isinstance(answer, dict):
            raise _Fault("broken JSON")
        if refusal := answer.get("error"):
            code = str(refusal.get("code"))
            if code.startswith(API_ERRORS_THAT_PASS):
                raise _Fault(code, wait)
            raise SlipstreamError(f"{self.api} refuses: {code}: {refusal.get('info', 'no reason given')}")
        return answer


def _read(response: requests.Response, deadline: float) -> bytes:
    """The body, unzipped. `requests` times each read alone: a body that drips would hold it for ever."""
    body = bytearray()
    while part := response.raw.read1(2**16, decode_content=False):
        body += part
        if len(body) > MAX_BYTES:
            raise _Fault(f"an answer of more than {MAX_BYTES >> 20} MB")
        if time.monotonic() > deadline:
            raise _Fault("slow body")
    if response.headers.get("Content-Encoding", "").lower() != "gzip":
        return bytes(body)
    unzip = zlib.decompressobj(wbits=31)
    return unzip.decompress(body, MAX_BYTES)  # one that breaks off here is broken JSON there


def _retry_after(response: requests.Response) -> float:
    """What Retry-After asks for in seconds, written as a number or a date; 0 if it is not there or makes no sense."""
    with contextlib.suppress(InvalidHeader, OverflowError, ValueError):
        return float(urllib3.Retry().parse_retry_after(response.headers.get("Retry-After", "0")))
    return 0.0


def _nobody_there(error: Exception) -> bool:
    """Whether no connection came about at all: no such name, a refused port, a certificate that does not fit."""
    if isinstance(error, broken.SSLError | broken.ConnectTimeout | broken.ProxyError):
        return True
    cause = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(cause, NewConnectionError)
