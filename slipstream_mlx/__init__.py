"""Slipstream MLX: a Formula 1 language model you can train from scratch on a Mac, talk to, and take apart.

from slipstream_mlx import load, generate
model, tokenizer = load("checkpoints/qa")
print(generate(model, tokenizer, "Who won the 1976 title?", mode="qa"))
"""

__version__ = "0.1.0"

import os
import warnings

from . import _blas

# `slipstream_mlx.generate` is the function and, for `python -m`, the command: runpy need not remark on it.
warnings.filterwarnings("ignore", message=".*found in sys.modules", category=RuntimeWarning, module="runpy")

_blas.load_mkl()  # before anything imports mlx.core

from .activations import on_gpu  # noqa: E402
from .checkpoint import load  # noqa: E402
from .errors import SlipstreamError  # noqa: E402
from .generate import generate, stream_generate  # noqa: E402
from .model import ModelArgs, SlipstreamLM  # noqa: E402

if not on_gpu():
    # MLX reads this at its first computation: how many arrays' ancestors it follows side by side when it puts a graph
    # in order. With its 20, the two halves of a batch (step.make_lanes) would come one after the other.
    os.environ.setdefault("MLX_BFS_MAX_WIDTH", "1000")

__all__ = ["ModelArgs", "SlipstreamError", "SlipstreamLM", "__version__", "generate", "load", "stream_generate"]
