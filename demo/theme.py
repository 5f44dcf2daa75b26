"""How the demo looks: one red, greys, and the fonts that the reader's own system has."""

from pathlib import Path

import gradio as gr

HERE = Path(__file__).parent
STYLE, ICON = HERE / "style.css", HERE / "icon.svg"
SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Ubuntu", "DejaVu Sans", "sans-serif")
MONO = ("ui-monospace", "SF Mono", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")
RED = gr.themes.Color(
    "#fff3f1", "#ffe1dd", "#ffc6bf", "#ff9c91", "#ff6a5a", "#f2331f",
    "#e10600", "#bd0500", "#990600", "#7a0b06", "#430301",
)  # fmt: skip

# Keeps the light or dark that the reader chose here last, whatever Gradio sets while it starts; without a choice
# Gradio follows the system.
HEAD = """<meta name="color-scheme" content="light dark"><script>
(() => {  // Gradio puts this into the head once the page is up, so there is a body
  const apply = () => {
    const chosen = localStorage.getItem("slipstream-theme");
    if (chosen && document.body.classList.contains("dark") !== (chosen === "dark"))
      document.body.classList.toggle("dark");
  };
  apply();
  new MutationObserver(apply).observe(document.body, { attributeFilter: ["class"] });
})();
</script>"""

THEME_BUTTON = '<button type="button" aria-label="Light or dark" title="Light or dark">◐</button>'
TOGGLE_THEME = """element.addEventListener("click", (e) => {
  if (!e.target.closest("button")) return;
  const dark = !document.body.classList.contains("dark");
  localStorage.setItem("slipstream-theme", dark ? "dark" : "light");
  document.body.classList.toggle("dark", dark);
});"""

HEADER = """<header class="brand">
  <svg viewBox="0 0 44 28" width="44" height="28" aria-hidden="true">
    <path d="M14 2h28l-4 6H10z"/><path d="M9 11h22l-4 6H5z"/><path d="M4 20h14l-4 6H0z"/>
  </svg>
  <div><h1>Slipstream <span>MLX</span></h1>
  <p>A Formula&nbsp;1 language model, trained from scratch. Watch it think.</p></div>
</header>"""


def head() -> str:
    """What goes into the page's head. The style goes there whole, because Gradio rewrites the rules of its `css`."""
    return f"{HEAD}<style>{STYLE.read_text(encoding='utf-8')}</style>"


def make_theme() -> gr.themes.Base:
    """Gradio's plainest theme with our colours; fonts by name only, so that nothing is fetched."""
    theme = gr.themes.Base(
        primary_hue=RED,
        secondary_hue="zinc",
        neutral_hue="zinc",
        radius_size=gr.themes.sizes.radius_sm,
        font=[gr.themes.Font(name) for name in SANS],
        font_mono=[gr.themes.Font(name) for name in MONO],
    )
    return theme.set(
        body_background_fill="#f6f6f7",
        body_background_fill_dark="#101114",
        background_fill_primary_dark="#17181c",
        background_fill_secondary_dark="#1d1e23",
        block_background_fill="white",
        block_background_fill_dark="#17181c",
        block_border_width="1px",
        block_shadow="none",
        block_info_text_color="*neutral_500",
        block_info_text_color_dark="*neutral_400",
        block_label_text_color="*neutral_700",
        block_label_text_color_dark="*neutral_300",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_700",
        button_primary_text_color="white",
        slider_color="*primary_600",
        slider_color_dark="*primary_500",
    )
