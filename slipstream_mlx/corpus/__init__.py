"""Where text comes from. Nothing in here knows of tokens or models."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Document:
    """One text that stands by itself.

    text: plain prose, paragraphs apart by an empty line. title: what it is about. source: where it is from (a path or
    a URL). licence: under which it may be passed on. split: "train" or "validation" if that is settled, or "".
    """

    text: str
    title: str = ""
    source: str = ""
    licence: str = ""
    split: str = ""

    @property
    def origin(self) -> str:
        """The kind of source: the site of a URL, or a path's first part ("handbook", "F1DB (…)")."""
        first = self.source.split("/")[0]
        return self.source.split("/")[2] if first.endswith(":") else first or "unknown"
