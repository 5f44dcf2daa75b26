"""Small pieces of HTML. Whatever a person or a model wrote goes through `esc`, here and nowhere else."""

from html import escape


def esc(value: object) -> str:
    """Text that is text wherever it stands in HTML, attributes included."""
    return escape(str(value), quote=True)


def paper(mode: str, given: str = "", text: str = "", running: bool = False, hint: str = "") -> str:
    """The sheet a model writes on: what it was given in grey, what it wrote in black."""
    body = f'<span class="given">{esc(given)}</span><span class="new" dir="auto">{esc(text)}</span>'
    if not given and not text:
        body = f'<span class="empty">{esc(hint)}</span>'
    caret = '<span class="caret" aria-hidden="true"></span>' if running else ""
    busy = "true" if running else "false"
    return (
        f'<div class="paper {esc(mode)}" role="region" aria-label="generated text" aria-busy="{busy}" tabindex="0" '
        f'dir="auto">{body}{caret}</div>'
    )


def stats(*parts: tuple[object, str]) -> str:
    """A line of figures: (value, unit) pairs."""
    spans = "".join(f"<span><b>{esc(value)}</b> {esc(unit)}</span>" for value, unit in parts)
    return f'<div class="stats">{spans}</div>'


def notice(title: str, text: str, *commands: str) -> str:
    """Something is not as it should be: what, and the commands that put it right."""
    lines = "".join(f"<div><code>{esc(command)}</code></div>" for command in commands)
    return f'<div class="notice" role="status"><h3>{esc(title)}</h3><p>{esc(text)}</p>{lines}</div>'


def lead(text: str) -> str:
    """Short words beside a thing. Ours, not a user's: may hold markup."""
    return f'<p class="lead">{text}</p>'


def title(text: str) -> str:
    return f'<h2 class="section-title">{esc(text)}</h2>'
