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
