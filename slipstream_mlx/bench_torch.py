"""The peer in the benchmark: the same transformer and training step in PyTorch, as a PyTorch user would write it.

Only `bench` imports this, and only where PyTorch is installed. A test carries weights over and holds it to our loss.
"""

import time
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .model import ModelArgs
from .presets import TrainArgs


class Block(nn.Module):
    """Pre-LayerNorm attention and feed-forward, as in `model.Block`."""

    def __init__(self, args: ModelArgs):
        super().__init__()
        C, self.n_head = args.n_embd, args.n_head
        self.ln_1, self.ln_2 = (nn.LayerNorm(C, eps=args.layer_norm_epsilon) for _ in range(2))
        self.c_attn, self.attn_proj = nn.Linear(C, 3 * C, bias=False), nn.Linear(C, C, bias=False)
        self.c_fc, self.mlp_proj = nn.Linear(C, 4 * C), nn.Linear(4 * C, C)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        B, T, C = x.shape
        q, k, v = (p.view(B, T, self.n_head, -1).transpose(1, 2) for p in self.c_attn(self.ln_1(x)).split(C, dim=2))
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.attn_proj(out.transpose(1, 2).reshape(B, T, C))
        return x + self.mlp_proj(F.gelu(self.c_fc(self.ln_2(x)), approximate="tanh"))


class PeerLM(nn.Module):
    """`SlipstreamLM` in PyTorch, the vocabulary padded alike: tokens and targets [B, T] -> the mean loss."""

    def __init__(self, args: ModelArgs):
        super().__init__()
        self.wte = nn.Embedding(args.padded_vocab_size, args.n_embd)
        self.wpe = nn.Embedding(args.n_positions, args.n_embd)
        self.h = nn.ModuleList(Block(args) for _ in range(args.n_layer))
        self.ln_f = nn.LayerNorm(args.n_embd, eps=args.layer_norm_epsilon)
        for parameter in self.parameters():
            if parameter.ndim == 2:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, tokens: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        x = self.wte(tokens) + self.wpe.weight[: tokens.shape[1]]
        for block in self.h:
            x = block(x)
        logits = F.linear(self.ln_f(x), self.wte.weight)
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.reshape(-1))


def device() -> str:
    """Where PyTorch computes: the GPU if it sees one, else the CPU."""
    return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"


def training(shape: ModelArgs, args: TrainArgs, compiled: bool) -> tuple[Callable[[int], float], Callable[[], float]]:
    """Functions that make `count` training steps and return the seconds they took, and that tell the peak GiB.

    Every advantage that costs a user one line: fused AdamW, TF32, flash attention, bfloat16 by autocast on a GPU,
    float32 on the CPU (as we do), the whole forward and backward pass compiled if `compiled`.
    """
    where = device()
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high")
    model = PeerLM(shape).to(where)
    decayed, rest = ([p for p in model.parameters() if (p.ndim == 2) is matrix] for matrix in (True, False))
    groups = [{"params": decayed, "weight_decay": args.weight_decay}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=args.lr, betas=(args.beta1, args.beta2), fused=True)
    forward = torch.compile(model) if compiled else model
    tokens = np.random.default_rng(0).integers(0, shape.vocab_size, (args.batch_size, args.context + 1))
    inputs, targets = (torch.from_numpy(part.copy()).to(where) for part in (tokens[:, :-1], tokens[:, 1:]))
    autocast = torch.autocast(where, torch.bfloat16, enabled=where != "cpu")
    wait = {"cuda": torch.cuda.synchronize, "mps": torch.mps.synchronize, "cpu": lambda: None}[where]

    def run(count: int) -> float:
        wait()
        began = time.perf_counter()
        for _ in range(count):
            with autocast:
                loss = forward(inputs, targets)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), args.grad_clip)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        wait()
        return time.perf_counter() - began

    def peak() -> float:
        gib = torch.cuda.max_memory_allocated() / 2**30 if where == "cuda" else 0.0
        if where == "cuda":
            torch.cuda.empty_cache()  # leave the room to the others
        return gib

    return run, peak
