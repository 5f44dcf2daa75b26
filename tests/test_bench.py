import json

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten

from slipstream_mlx.bench import Contender, add_ratios, main, measure, table
from slipstream_mlx.contenders import GENERATION, TRAINING, Task, installed
from slipstream_mlx.losses import cross_entropy
from slipstream_mlx.model import ModelArgs, SlipstreamLM


class Fake(Contender):
    """Takes so many seconds each turn; no process."""

    order: list[str] = []

    def __init__(self, name, seconds, error=""):
        self.name, self.task, self.count, self.error, self.peak_gib = name, Task("nano", 2, 50), 1, error, 1.5
        self.seconds, self.values = [], iter(seconds)

    def turn(self):
        Fake.order.append(self.name)
        return next(self.values)

    def close(self):
        Fake.order.append(f"{self.name} closed")


def test_contenders_take_turns_and_the_median_is_told():
    Fake.order.clear()
    slow, fast, broken = (
        Fake("PyTorch", [9, 1, 4, 2, 3]),
        Fake("slipstream", [9, 1, 1, 2, 1]),
        Fake("x", [9], "no memory"),
    )
    rows = measure([fast, slow, broken], seconds=0)
    assert sorted(Fake.order[:3]) == ["PyTorch", "slipstream", "x"], "all warm up at once"
    assert Fake.order[3:5] == ["slipstream", "PyTorch"], "then each by itself, unless it failed"
    assert Fake.order[5:11] == ["slipstream", "PyTorch"] * 3 and len(Fake.order) == 14
    assert [rows[1][key] for key in ("tokens_per_second", "lowest", "highest", "turns")] == [100 / 3, 25, 50, 3]
    add_ratios(rows)
    assert rows[1]["ratio"] == pytest.approx(3.0) and "ratio" not in rows[0] and rows[2]["error"] == "no memory"
    text = table(rows)
    assert "nano, 2 x 50: PyTorch" in text and "3.00" in text and "no memory" in text and "1.50" in text


def test_the_peer_is_the_same_model():
    torch = pytest.importorskip("torch")
    from slipstream_mlx.bench_torch import PeerLM

    shape = ModelArgs(vocab_size=300, n_positions=32, n_embd=32, n_layer=2, n_head=2)
    ours, peer = SlipstreamLM(shape), PeerLM(shape)
    ours.apply(lambda p: p + 0.2 * mx.random.normal(p.shape))
    assert sum(p.numel() for p in peer.parameters()) == sum(p.size for _, p in tree_flatten(ours.parameters()))
    names = {"attn.c_attn": "c_attn", "attn.c_proj": "attn_proj", "mlp.c_fc": "c_fc", "mlp.c_proj": "mlp_proj"}
    state = {}
    for name, array in tree_flatten(ours.parameters()):
        for old, new in names.items():
            name = name.replace(old, new)
        state[name] = torch.from_numpy(np.array(array))
    peer.load_state_dict(state)
    tokens = np.random.default_rng(0).integers(0, 300, (3, 21))
    inputs, targets = mx.array(tokens[:, :-1]), mx.array(tokens[:, 1:])
    hidden = ours.hidden_states(inputs)
    loss = cross_entropy(hidden, ours.wte.weight, targets, mx.full((3, 20), 1 / 60))
    theirs = peer(torch.from_numpy(tokens[:, :-1]), torch.from_numpy(tokens[:, 1:]))
    assert loss.item() == pytest.approx(theirs.item(), rel=1e-4)


def test_command_ends_with_one_json_line_and_writes_the_same(tmp_path, capsys):
    report = tmp_path / "r.json"
    flags = ["--preset", "token-forge", "--batch-size", "2", "--tokens", "5", "--alone", "--seconds", "0"]
    main([*flags, "--report", str(report)])
    out = capsys.readouterr().out
    result = json.loads(out.strip().splitlines()[-1])
    assert result == json.loads(report.read_text())
    assert [(row.get("batch_size"), row["contender"]) for row in result["rows"]] == [
        (2, "slipstream"), (2, "slipstream, AdamW"),
        (None, "slipstream, decoding"), (None, "slipstream, 64 at once"),
    ]  # fmt: skip
    assert all(row["lowest"] > 0 and row["turns"] == 3 for row in result["rows"]), result
    assert all(0 < row["peak_gib"] < 2 for row in result["rows"])


@pytest.mark.slow
def test_every_peer_runs(capsys):
    pytest.importorskip("torch")
    main(["--preset", "token-forge", "--batch-size", "2", "--tokens", "5", "--seconds", "0"])
    rows = json.loads(capsys.readouterr().out.strip().splitlines()[-1])["rows"]
    assert [row["contender"] for row in rows] == [name for name in TRAINING + GENERATION if installed(name)]
    assert not any("error" in row for row in rows), rows
    assert all("ratio" in row for row in rows if not row["contender"].startswith("slipstream"))


@pytest.mark.parametrize(
    "flags,message",
    [
        (["--preset", "huge"], "no preset 'huge'"),
        (["--context", "4096"], "--context 4096 is more than nano's 128"),
        (["--batch-size", "0"], "--batch-size must be 1 or more"),
        (["--report", "none/r.json"], "that folder is not there"),
    ],
)
def test_bad_flags_are_one_line(flags, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(flags)
    error = capsys.readouterr().err
    assert stop.value.code == 2 and message in error and error.count("\n") == 1
