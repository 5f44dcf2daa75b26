"""Named sizes, each with the settings that train it. A preset is only a starting point: every flag overrides it."""

from dataclasses import dataclass, field, fields, replace

from .errors import SlipstreamError
from .model import ModelArgs


def _setting(default, text: str):
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class TrainArgs:
    """Settings of a training run. The help texts are the command line's too."""

    steps: int = _setting(1000, "optimiser steps")
    batch_size: int = _setting(32, "rows in a step; a row is `context` tokens")
    accumulate: int = _setting(1, "cut each step's batch into this many parts to save memory; the result is the same")
    lean: bool = _setting(
        False, "on a GPU, hold memory to what a step needs: half as much, up to a fifth slower; always so on small GPUs"
    )
    recompute: bool = _setting(
        False, "lean, and every block worked out twice instead of keeping what is inside: a third of the memory"
    )
    context: int = _setting(512, "tokens in a row, at most the model's n_positions")
    question_context: int = _setting(
        0, "tokens in a row of questions, if not `context`: short rows ask from position 0, as a user does"
    )
    lr: float = _setting(1e-3, "highest learning rate of AdamW, reached after the warm-up")
    min_lr: float = _setting(
        1e-4, "learning rate at the last step; it falls along a cosine, which lingers at both ends"
    )
    muon_lr: float = _setting(0.02, "the same for the matrices of the blocks, which Muon trains; 0 gives them to AdamW")
    warmup_steps: int = _setting(100, "steps to rise from 0 to lr: early gradients are large and point everywhere")
    weight_decay: float = _setting(0.1, "pull of the matrices towards zero, against learning by heart")
    beta1: float = _setting(0.9, "AdamW's memory of gradients")
    beta2: float = _setting(0.99, "AdamW's memory of squared gradients")
    grad_clip: float = _setting(1.0, "longest gradient (L2 norm over all parameters); 0 switches clipping off")
    dropout: float = _setting(0.0, "share of activations zeroed while training")
    eval_every: int = _setting(100, "steps between validations; a checkpoint is written at each")
    eval_batches: int = _setting(20, "batches in a validation, at most")
    patience: int = _setting(0, "stop after this many validations without a better loss; 0 never stops early")
    val_share: float = _setting(0.05, "share of the documents held back for validation")
    mix: float = _setting(0.5, "pretraining: share of questions; finetuning: share of corpus, against forgetting")
    table_weight: float = _setting(
        0.0, "what a word of an answer from tables counts beside a word of text; 0: as much of the loss as of a batch"
    )
    seed: int = _setting(1, "seed of weights, data order and dropout")

    def __post_init__(self):
        limits = {
            "steps": (1, 10**9), "batch_size": (1, 10**6), "accumulate": (1, 10**6), "context": (1, 10**6),
            "question_context": (0, 10**6),
            "lr": (0, 10), "min_lr": (0, 10), "muon_lr": (0, 10), "warmup_steps": (0, 10**9), "weight_decay": (0, 100),
            "beta1": (0, 0.9999), "beta2": (0, 0.99999), "grad_clip": (0, 10**6), "dropout": (0, 0.95),
            "eval_every": (1, 10**9), "eval_batches": (1, 10**6), "patience": (0, 10**6), "val_share": (0, 0.9),
            "mix": (0, 1), "table_weight": (0, 1000), "seed": (0, 2**63 - 1),
        }  # fmt: skip
        if self.recompute and self.dropout:
            raise SlipstreamError("--recompute needs --dropout 0: the second time, dropout would draw other masks")
        for f in fields(self):
            if f.name not in limits:
                continue
            low, high = limits[f.name]
            if not low <= getattr(self, f.name) <= high:  # NaN fails this too
                flag = f.name.replace("_", "-")
                raise SlipstreamError(f"--{flag} must be from {low} to {high}, not {getattr(self, f.name)}")


@dataclass(frozen=True)
class Preset:
    """A size: its shape, its tokenizer ("gpt2" or "char"), and how it is pretrained and finetuned."""

    model: ModelArgs
    tokenizer: str
    pretrain: TrainArgs
    finetune: TrainArgs


# Text first, with some questions in it, then more questions: a fact that was read before it is asked for is found again
# under other words; one that is asked for too often, or whose answer weighs more than text, is learnt by heart
# (experiment_log.md).
_SLIPSTREAM = TrainArgs(
    steps=6800, batch_size=64, context=512, question_context=64, lr=1e-3, min_lr=1e-4, warmup_steps=100,
    weight_decay=0.1, eval_every=1700, eval_batches=4, mix=0.2, table_weight=1.0,
)  # fmt: skip
_SLIPSTREAM_QA = replace(_SLIPSTREAM, steps=5500, min_lr=1e-5, warmup_steps=50, eval_every=1375, mix=0.4)

PRESETS: dict[str, Preset] = {
    # The ancestor, at the settings nanoGPT gives for Shakespeare on a CPU. vocab_size is the text's own alphabet.
    "token-forge": Preset(
        model=ModelArgs(vocab_size=65, n_positions=64, n_embd=128, n_layer=4, n_head=4),
        tokenizer="char",
        pretrain=TrainArgs(
            steps=2000,
            batch_size=12,
            context=64,
            lr=1e-3,
            min_lr=1e-4,
            warmup_steps=100,
            weight_decay=0.1,
            eval_every=250,
            eval_batches=200,
            val_share=0.1,
            mix=0.0,
        ),
        finetune=TrainArgs(steps=200, batch_size=12, context=64, lr=1e-4, min_lr=1e-5, warmup_steps=20),
    ),
    # The quickstart: some four minutes on two CPU cores, both stages together. One wide layer learnt more facts in that
    # time than two or three narrow ones (experiment_log.md, 2026-11-22).
    "nano": Preset(
        model=ModelArgs(vocab_size=2048, n_positions=128, n_embd=256, n_layer=1, n_head=4),
        tokenizer="gpt2",
        pretrain=TrainArgs(
            steps=420,
            batch_size=16,
            context=128,
            lr=3e-3,
            min_lr=3e-4,
            muon_lr=0.01,
            warmup_steps=40,
            eval_every=140,
            eval_batches=5,
            mix=0.8,
        ),
        # Short rows: a question is asked from position 0, with no other question in sight.
        finetune=TrainArgs(
            steps=800,
            batch_size=32,
            context=64,
            lr=2e-3,
            min_lr=1e-4,
            muon_lr=0.007,
            warmup_steps=20,
            eval_every=200,
            eval_batches=5,
            mix=0.1,
        ),
    ),
    # The real one: exactly 51,197,440 parameters.
    "slipstream-51m": Preset(
        model=ModelArgs(vocab_size=50257, n_positions=512, n_embd=512, n_layer=8, n_head=8),
        tokenizer="gpt2",
        pretrain=_SLIPSTREAM,
        finetune=_SLIPSTREAM_QA,
    ),
    # GPT-2 small, to show that it fits.
    "gpt2-124m": Preset(
        model=ModelArgs(vocab_size=50257, n_positions=1024, n_embd=768, n_layer=12, n_head=12),
        tokenizer="gpt2",
        pretrain=replace(_SLIPSTREAM, context=1024, lr=6e-4, min_lr=6e-5, accumulate=4),
        finetune=replace(_SLIPSTREAM_QA, context=1024, lr=6e-4, min_lr=6e-6, accumulate=4),
    ),
}


def get_preset(name: str) -> Preset:
    """Raises SlipstreamError that lists the presets if there is none of that name."""
    if name not in PRESETS:
        raise SlipstreamError(f"no preset {name!r}: choose from {', '.join(PRESETS)}")
    return PRESETS[name]
