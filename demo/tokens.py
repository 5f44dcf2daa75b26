"""How tokens are shown: as a strip of coloured buttons, and by names in which a space can be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .markup import esc

if TYPE_CHECKING:  # the package is slow to import, and the page need not wait for it
    from slipstream_mlx.inspection import TokenView

# Hover, focus or a tap shows what else the model thought of; a click tells Python which token it was.
SCRIPT = """
const tip = document.createElement("div");
tip.className = "tip"; tip.hidden = true; tip.setAttribute("role", "tooltip");
element.append(tip);
const show = (token) => {
  const card = token.querySelector(".card");
  if (!card) { tip.hidden = true; return; }
  if (!tip.isConnected) element.append(tip);
  tip.innerHTML = card.innerHTML;  // the server has escaped it
  tip.hidden = false;
  const at = token.getBoundingClientRect(), room = document.documentElement.clientWidth;
  tip.style.left = Math.max(8, Math.min(at.left, room - tip.offsetWidth - 8)) + "px";
  const below = at.bottom + 6;
  tip.style.top = (below + tip.offsetHeight < innerHeight ? below : Math.max(8, at.top - tip.offsetHeight - 6)) + "px";
};
const hide = () => { tip.hidden = true; };
element.addEventListener("mouseover", (e) => { const t = e.target.closest(".tok"); t ? show(t) : hide(); });
element.addEventListener("mouseleave", hide);
element.addEventListener("focusin", (e) => { const t = e.target.closest(".tok"); if (t) show(t); });
element.addEventListener("focusout", hide);
element.addEventListener("keydown", (e) => { if (e.key === "Escape") hide(); });
window.addEventListener("scroll", hide, { passive: true });
element.addEventListener("click", (e) => {
  const t = e.target.closest(".tok");
  if (t) trigger("select", { index: Number(t.dataset.i), value: Number(t.dataset.i) });
});
"""


def visible(text: str) -> str:
    """A token's text with what cannot be seen made visible."""
    return text.replace("\n", "⏎").replace("\t", "⇥").replace("<|endoftext|>", "■").replace(" ", "·") or "∅"


def percent(p: float) -> str:
    """A probability for people."""
    return f"{p:.0%}" if p >= 0.1 else f"{p:.1%}" if p >= 0.001 else "<0.1%"


def tint(p: float) -> float:
    """Where a probability stands between red (0) and blue (1): a cube root, because most are small."""
    return p ** (1 / 3)


def strip(views: list[TokenView], prompt_length: int, chosen: int | None = None) -> str:
    """The text as buttons: the bluer a token, the likelier the model found it; the redder, the less."""
    buttons = []
    for i, view in enumerate(views):
        names = ["tok"]
        if i < prompt_length:
            names.append("asked")
        if i == chosen:
            names.append("chosen")
        style = f' style="--p:{tint(view.probability):.3f}"' if view.probability is not None else ""
        ends = "<br>" if "\n" in view.text else ""
        label = f"token {i + 1}, {visible(view.text)}" + (
            f", probability {percent(view.probability)}" if view.probability is not None else ", the first"
        )
        pressed = "true" if i == chosen else "false"
        buttons.append(
            f'<button type="button" class="{" ".join(names)}" data-i="{i}"{style} aria-label="{esc(label)}" '
            f'aria-pressed="{pressed}">{_body(view.text)}{_card(view)}</button>{ends}'
        )
    return f'<div class="strip" dir="auto">{"".join(buttons)}</div>'


def _body(text: str) -> str:
    shown = text.replace("\n", "⏎").replace("<|endoftext|>", "■")
    return esc(shown) or "∅"


def _card(view: TokenView) -> str:
    if view.probability is None:
        return (
            '<span class="card" hidden><b>The first token</b><br>Nothing came before it, so it was not guessed.</span>'
        )
    rows = "".join(
        f'<span class="guess{" hit" if text == view.text else ""}"><code>{esc(visible(text))}</code>'
        f'<i style="width:{100 * p:.1f}px"></i>{percent(p)}</span>'
        for text, p in view.guesses
    )
    return (
        f'<span class="card" hidden><b><code>{esc(visible(view.text))}</code> {percent(view.probability)}</b> '
        f"guess no. {view.rank:,}, entropy {view.entropy:.1f} bits{rows}</span>"
    )


def legend() -> str:
    steps = "".join(f'<i class="tok" style="--p:{tint(p):.3f}">{label}</i>' for p, label in
                    ((0.001, "0.1%"), (0.02, "2%"), (0.15, "15%"), (0.5, "50%"), (1.0, "100%")))  # fmt: skip
    return f'<p class="lead legend">Probability the model gave each token: {steps} <i class="tok asked">prompt</i></p>'
