"""Plots of what a training run wrote in training.json."""

import json
from pathlib import Path

TRAIN_COLOUR, VAL_COLOUR = "#8a8f98", "#e10600"


def plot_loss(folder: str | Path) -> Path:
    """Draw `folder`/loss.png from its training.json: both losses, the best step marked, the overfit shaded."""
    import matplotlib

    matplotlib.use("Agg")  # draws without a screen
    from matplotlib import pyplot

    folder = Path(folder)
    training = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    history = training["history"]
    steps = [row["step"] for row in history]
    figure, axes = pyplot.subplots(figsize=(7, 4), dpi=110)
    axes.plot(steps, [row["loss"] for row in history], color=TRAIN_COLOUR, label="training")
    axes.plot(steps, [row["val_loss"] for row in history], color=VAL_COLOUR, label="validation")
    best = training["best_step"]
    axes.axvline(best, color=VAL_COLOUR, linestyle=":", label=f"best: {training['best_val_loss']:.3f} at step {best}")
    if steps and best < steps[-1]:
        axes.axvspan(best, steps[-1], color=VAL_COLOUR, alpha=0.07, label="overfitting")
    axes.set(xlabel="step", ylabel="cross-entropy (nats per token)", title=f"{training['preset']}, {training['stage']}")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.tight_layout()
    path = folder / "loss.png"
    figure.savefig(path)
    pyplot.close(figure)
    return path


def plot_calibration(curves: dict[str, list[dict]], path: Path) -> None:
    """Draw, for each named set of answers, the share that is right against how sure the model was of them."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5, 5), dpi=110)
    axes.plot([0, 1], [0, 1], color=TRAIN_COLOUR, linestyle=":", label="as sure as it should be")
    for colour, (name, bins) in zip((VAL_COLOUR, "#1b4d8a"), curves.items(), strict=False):
        axes.plot([b["probability"] for b in bins], [b["right"] for b in bins], color=colour, marker="o", label=name)
    axes.set(xlabel="probability the model gives its answer", ylabel="share of such answers that is right")
    axes.set(xlim=(0, 1), ylim=(0, 1), title="Does it know what it knows?")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper left")
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
