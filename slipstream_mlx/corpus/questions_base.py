"""The shape of a kind of question."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Ask:
    """One kind of question, in all the ways it is asked.

    kind: who, when, where, team, count, why or what, for the report. answer: a template. keywords: which of the
    context's keyword lists an answer must satisfy. phrasings: ids such as "season.champion.3" point into them, so new
    ones go at the end; a phrasing typed without a capital is asked in lower case and without accents throughout.
    gives_away: kinds that share this name tell each other's answers ("Senna won in 1988, but for whom?"), so that a
    fact held out of one is held out of all; by default the kind's own key.
    """

    kind: str
    answer: str
    keywords: str
    phrasings: tuple[str, ...]
    gives_away: str = ""
