"""Fetching the open data that the full corpus is made of: Wikipedia's articles and F1DB, the open Formula 1 database.

    python -m slipstream_mlx.download_data all --out data

Both are resumable: a second run fetches only what is missing or has changed.
"""

import argparse
from pathlib import Path

from .corpus import wikipedia
from .corpus.mediawiki import Client
from .errors import Parser, SlipstreamError, command

SHOWN = 10  # names of a kind that are printed; the manifest has them all


@command
def main(argv: list[str] | None = None) -> None:
    """Run the command. Bad input or a source that fails for good ends with one line and exit status 2."""
    args = _parser().parse_args(argv)
    if args.source in ("f1db", "all"):  # first: it takes seconds
        from .corpus import f1db

        f1db.fetch(args.f1db or f1db.URL, args.out)
    if args.source in ("wikipedia", "all"):
        _download_wikipedia(args)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="slipstream download_data", description="Fetch the data for the full corpus.")
    parser.add_argument("source", choices=("wikipedia", "f1db", "all"), help="what to fetch")
    add = parser.add_argument
    add("--out", type=Path, default=Path("data"), metavar="DIR", help="folder to keep it in (default: data)")
    add("--api", default=wikipedia.API, metavar="URL", help="api.php of the wiki (default: %(default)s)")
    add(
        "--titles",
        type=Path,
        metavar="FILE",
        help='titles, one a line under "# category" lines (default: our own list)',
    )
    add("--f1db", metavar="PATH_OR_URL", help="F1DB's source archive (default: the pinned release, from GitHub)")
    add(
        "--pace", type=float, default=Client.pace, metavar="SECONDS", help="between two requests (default: %(default)s)"
    )
    return parser


def _download_wikipedia(args: argparse.Namespace) -> None:
    if not 0 <= args.pace <= 60:
        raise SlipstreamError(f"--pace {args.pace} is not a pause in seconds: give a number from 0 to 60")
    titles = wikipedia.read_titles(args.titles)
    client = Client(args.api, pace=args.pace)
    folder = args.out / "wikipedia"
    manifest = wikipedia.download(client, titles, folder)
    before, after = manifest["text_bytes"] / 1e6, manifest["cleaned_bytes"] / 1e6
    print(
        f"{folder}: {len(manifest['articles'])} articles from {len(titles)} titles "
        f"({manifest['fetched']} fetched, {manifest['kept']} already here), "
        f"{client.counts['requests']} requests, {client.counts['faults']} of them failed and were repeated"
    )
    share = after / before if before else 0
    print(f"text: {before:.2f} MB, after cleaning {after:.2f} MB ({share:.0%}); licence {wikipedia.LICENCE}")
    for kind in ("redirected", "repeated", "missing", "disambiguation", "empty"):
        rows = manifest[kind]
        names = [row if isinstance(row, str) else f"{row['asked']} -> {row['title']}" for row in rows[:SHOWN]]
        if rows:
            more = f" and {len(rows) - SHOWN} more, see {folder / wikipedia.MANIFEST}" if len(rows) > SHOWN else ""
            print(f"{kind} ({len(rows)}): {'; '.join(names)}{more}")


if __name__ == "__main__":
    main()
