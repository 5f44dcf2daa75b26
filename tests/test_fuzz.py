"""Thousands of broken inputs through the commands' own doors.

Each case ends in success, or in one line on stderr and exit status 2; never in a traceback or a hang, and what was on
disk stays as it was. Cases are drawn from fixed seeds: a failure names its case and comes back.
"""

import copy
import json
import random
import signal
from collections import Counter
from pathlib import Path

import pytest

from slipstream_mlx import cli

pytestmark = pytest.mark.slow  # 80 s together
SEED, HANG = 1950, 60
COUNTS: Counter[str] = Counter()
QUESTIONS = [
    {"question": "Who won at Monza?", "answer": "Ayrton Senna", "keywords": [["Senna"]], "kind": "who"},
    {"question": "When?", "answer": "In 1988.", "keywords": [["1988", "eighty-eight"], ["in"]]},
]
DOCUMENTS = [{"text": "Monza is a circuit.\nIt is fast.", "title": "Monza", "split": "train"}, {"text": "Räikkönen 🏎"}]
WEIRD = [
    None, True, -1, 0, 0.5, 10**400, 1e308, float("nan"), float("inf"), "", " ", "\0", "\ud800", "a" * 5000, "../../x",
    "{{7*7}}", [], {}, [[]], [None], {"": {}}, [["a"] * 3] * 3, 2**31, -(2**63), "gpt2", "300", [1] * 50,
]  # fmt: skip


@pytest.fixture(autouse=True)
def short_answers(monkeypatch):
    """What a tiny model says does not matter here, and it never stops by itself."""
    monkeypatch.setattr("slipstream_mlx.eval_qa.MAX_ANSWER_TOKENS", 3)


class Hang(Exception):
    pass


def run(argv, folder: Path, capsys, may_write: bool = False, until: str = "") -> bool:
    """Run a command on a folder of inputs. Returns whether it went well; fails the test if it ended badly.

    `until` is part of a message that counts as well: all before it was read and found good.
    """

    def too_long(*_):
        raise Hang(f"{HANG} s: {argv}")

    before = {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in folder.rglob("*")}
    capsys.readouterr()
    old = signal.signal(signal.SIGPROF, too_long)
    signal.setitimer(signal.ITIMER_PROF, HANG)  # processor time: a busy machine is no hang
    try:
        cli.main(argv)
        status = 0
    except SystemExit as stop:
        status = stop.code or 0
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, old)
    errors = [line for line in capsys.readouterr().err.splitlines() if line]
    assert status in (0, 2), (status, argv)
    if status == 2:
        assert len(errors) == 1 and errors[0].startswith("error: ") and len(errors[0]) < 1100, (argv, errors)
    if status == 2 or not may_write:
        after = {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in folder.rglob("*")}
        assert after == before, argv
    return status == 0 or bool(until and until in errors[0])


def spoil_bytes(raw: bytes, rng: random.Random) -> bytes:
    raw = bytearray(raw)
    for _ in range(rng.choice([1, 1, 2, 8])):
        at, size = rng.randrange(len(raw) + 1), rng.choice([1, 1, 3, 20])
        how = rng.randrange(6)
        if how == 0:
            del raw[at : at + size]
        elif how == 1:
            raw[at:at] = rng.randbytes(size)
        elif how == 2 and raw:
            raw[at % len(raw)] ^= 1 << rng.randrange(8)
        elif how == 3:
            del raw[at:]
        elif how == 4:
            raw[at:at] = raw[at : at + size] * 3
        else:
            raw[at:at] = rng.choice([b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\r", b'"', b"\xe2\x80\xa8", b"[" * 2000])
    return bytes(raw)


def spoil_value(value, rng: random.Random):
    """A deep copy with one place, anywhere inside, taken away, doubled or replaced by something weird."""
    value = copy.deepcopy(value)
    places, todo = [], [value]
    while todo:
        node = todo.pop()
        keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else []
        places += [(node, key) for key in keys]
        todo += [node[key] for key in keys if isinstance(node[key], dict | list)]
    if not places or rng.random() < 0.05:
        return rng.choice(WEIRD)
    node, key = rng.choice(places[-400:] if len(places) > 400 and rng.random() < 0.5 else places)
    how = rng.randrange(4)
    if how == 0:
        del node[key]
    elif how == 1 and isinstance(node, dict):
        node[rng.choice(["n_layer", "x", "", "keywords", "text", "__metadata__"])] = rng.choice(WEIRD)
    else:
        node[key] = rng.choice(WEIRD)
    return value


def as_lines(rows, rng) -> bytes:
    rows = spoil_value(rows, rng)
    return "\n".join(json.dumps(row) for row in (rows if isinstance(rows, list) else [rows])).encode()


def spoiled_lines(rows, rng) -> bytes:
    raw = as_lines(rows, rng)
    return raw if rng.random() < 0.6 else spoil_bytes(raw, rng)


def report(name: str, total: int, fine: int, capsys) -> None:
    COUNTS[name] = total
    with capsys.disabled():
        print(f"\nfuzz {name}: {total} cases, {fine} went well, {total - fine} were refused in one line", end="")


# Files -----------------------------------------------------------------------------------------------------------


def test_question_files(saved, tmp_path, capsys):
    rng, fine, total = random.Random(SEED), 0, 400
    file = tmp_path / "questions.jsonl"
    for case in range(total):
        file.write_bytes(spoiled_lines(QUESTIONS, rng))
        report_to = ["--report", str(tmp_path / "report.json")] if case % 10 == 0 else []
        fine += run(["eval_qa", "--model", str(saved), "--questions", str(file), *report_to], tmp_path, capsys, True)
    assert 0 < fine < total
    report("question files", total, fine, capsys)


def test_corpora(tmp_path, capsys):
    """Every case goes through train's own reading and splitting. One in forty is trained on; for the others a context
    that is too long ends the command after that."""
    rng, fine, total = random.Random(SEED + 1), 0, 400
    for case in range(total):
        suffix = rng.choice([".jsonl", ".jsonl", ".txt", ".md"])
        file = tmp_path / f"corpus{suffix}"
        file.write_bytes(
            spoiled_lines(DOCUMENTS, rng)
            if suffix == ".jsonl"
            else spoil_bytes("Monza. Räikkönen 🏎\n".encode() * 40, rng)
        )
        flags = ["train", "--corpus", str(file), "--out", str(tmp_path / "out"), "--batch-size", "2", "--steps", "1"]
        char = ["--preset", "token-forge", "--context", "8" if case % 40 == 0 else "65"]
        fine += run([*flags, *char], tmp_path, capsys, may_write=True, until="--context 65 is more")
        file.unlink()
    assert 0 < fine < total
    report("corpora", total, fine, capsys)


@pytest.mark.parametrize("name,total", [("config.json", 350), ("tokenizer.json", 250)])
def test_descriptions_of_a_model(saved, tmp_path, capsys, name, total):
    rng, fine = random.Random(SEED + 2), 0
    good = json.loads((saved / name).read_text())
    for _ in range(total):
        raw = json.dumps(spoil_value(good, rng)).encode()
        (saved / name).write_bytes(raw if rng.random() < 0.7 else spoil_bytes(json.dumps(good).encode(), rng))
        flags = ["generate", "--model", str(saved), "--prompt", "Monza", "--max-tokens", "2", "--temperature", "0"]
        fine += run(flags, tmp_path, capsys)
    assert 0 < fine < total
    report(name, total, fine, capsys)


def test_training_json(saved, tmp_path, capsys):
    """finetune_qa reads the preset from it; a context too long for the model ends the good cases, too."""
    rng, fine, total = random.Random(SEED + 3), 0, 150
    good = {"preset": "nano", "stage": "pretrain", "history": [{"step": 1, "loss": 1.0}], "best_step": 1}
    for _ in range(total):
        raw = json.dumps(spoil_value(good, rng)).encode()
        (saved / "training.json").write_bytes(
            raw if rng.random() < 0.6 else spoil_bytes(json.dumps(good).encode(), rng)
        )
        flags = ["finetune_qa", "--model", str(saved), "--out", str(tmp_path / "qa"), "--context", "999"]
        fine += run(flags, tmp_path, capsys, until="--context 999 is more")
    assert 0 < fine < total
    report("training.json", total, fine, capsys)


@pytest.mark.parametrize("name", ["model.safetensors", "state/last.safetensors"])
def test_safetensors(saved, model, tmp_path, capsys, name):
    """Headers rewritten by somebody who means harm (they carry no hash), and bytes flipped by nobody in particular."""
    from slipstream_mlx import checkpoint
    from slipstream_mlx.optimizer import Optimizer
    from slipstream_mlx.presets import TrainArgs

    record = {
        "step": 1,
        "best_step": 0,
        "best_val_loss": 1.0,
        "best_accuracy": 0.0,
        "tokens": 1,
        "seconds": 0.1,
        "history": [],
    }
    record["made_with"] = {}
    checkpoint.save_state(saved, model, Optimizer(model.trainable_parameters(), TrainArgs()).state, record)
    raw = (saved / name).read_bytes()
    size = 8 + int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:size])
    header["__metadata__"].pop("sha256")
    rng, fine, total = random.Random(SEED + 4), 0, 300
    for _ in range(total):
        how = rng.random()
        if how < 0.7:
            new = json.dumps(spoil_value(header, rng)).encode()
            new = new if how < 0.6 else spoil_bytes(new, rng)
            length = len(new) if rng.random() < 0.9 else rng.choice([0, 1, 2**63, 2**40, len(new) * 2])
            (saved / name).write_bytes(length.to_bytes(8, "little") + new + raw[size:])
        else:
            (saved / name).write_bytes(spoil_bytes(raw, rng))
        if name == "model.safetensors":
            fine += run(["generate", "--model", str(saved), "--prompt", "M", "--max-tokens", "1"], tmp_path, capsys)
        else:
            try:
                checkpoint.load_state(saved, model, {}, force=True)
                fine += 1
            except checkpoint.SlipstreamError as error:
                assert "last.safetensors" in str(error)
    assert 0 < fine < total
    report(name, total, fine, capsys)


# Flags and prompts -----------------------------------------------------------------------------------------------

VALUES = ["", " ", "0", "-1", "1", "nan", "inf", "-inf", "1e400", "1e-400", "9" * 400, "0x10", "1_000", "٣", "--", "-",
          "\0", "\ud800", "a" * 3000, "/", "/dev/null", "..", "~", "$(id)", "🏎", "true", "3.7", "2", "0.5"]  # fmt: skip


def test_flags(saved, tmp_path, capsys, monkeypatch):
    """Any flags in any order with any values. Nothing here names a corpus that exists, so nothing trains for long."""
    from slipstream_mlx import eval_qa, finetune_qa, generate, train

    monkeypatch.chdir(tmp_path)
    (tmp_path / "q.jsonl").write_text(json.dumps(QUESTIONS[0]))
    stages = {"train": train, "finetune_qa": finetune_qa, "generate": generate, "eval_qa": eval_qa}
    known = {}
    for stage in stages:
        with pytest.raises(SystemExit):
            cli.main([stage, "--help"])
        known[stage] = sorted(
            {w.strip("[],") for w in capsys.readouterr().out.split() if w.strip("[],").startswith("--")}
        )
    required = {
        "train": ["--corpus", "nowhere.txt", "--out", "out"],
        "finetune_qa": ["--questions", "nowhere.jsonl", "--model", str(saved), "--out", "out"],
        "generate": ["--model", str(saved), "--prompt", "Monza", "--max-tokens", "1"],
        "eval_qa": ["--model", str(saved), "--questions", "q.jsonl"],
    }
    rng, fine, total = random.Random(SEED + 5), 0, 500
    for _ in range(total):
        stage = rng.choice([*stages, *stages, "race", "", "-x", "\0"])
        flags = list(required.get(stage, []))
        for _ in range(rng.choice([1, 1, 2, 4])):
            flag = rng.choice([f for f in known.get(stage, ["--x"]) if f not in ("--help", "--prompt", "--report")])
            flags += rng.choice([[flag, rng.choice(VALUES)], [f"{flag}={rng.choice(VALUES)}"], [flag]])
        rng.random() < 0.1 and flags.append(rng.choice(VALUES))
        if stage == "generate":
            flags += ["--max-tokens", "1"]
        fine += run([stage, *flags], tmp_path, capsys)
    assert 0 < fine < total
    report("flags", total, fine, capsys)


def test_prompts(saved, tmp_path, capsys):
    """Any Unicode, NUL and lone surrogates included, and a megabyte in one line."""
    rng, fine, total = random.Random(SEED + 6), 0, 150
    alphabets = [
        (0, 128),
        (0, 0x250),
        (0x300, 0x370),
        (0x4E00, 0x9FFF),
        (0x1F300, 0x1FAFF),
        (0xD7F0, 0xE010),
        (0, 0x110000),
    ]
    long = ["a" * 1_000_000, " " * 999_999 + "a", "\0" * 1_000_000, "漢 " * 500_000]
    for case in range(total):
        low, high = rng.choice(alphabets)
        text = "".join(chr(rng.randrange(low, high)) for _ in range(rng.choice([0, 1, 5, 60])))
        text = long[case] if case < len(long) else text
        mode = rng.choice(["qa", "completion"])
        flags = ["generate", "--model", str(saved), "--mode", mode, "--max-tokens", "2", f"--prompt={text}"]
        went_well = run(flags, tmp_path, capsys)
        assert went_well != any(0xD800 <= ord(c) <= 0xDFFF for c in text)
        fine += went_well
    report("prompts", total, fine, capsys)


def test_there_were_enough(capsys):
    if len(COUNTS) < 9:
        pytest.skip("only when the whole file is run")
    assert sum(COUNTS.values()) >= 2000
    with capsys.disabled():
        print(f"\nfuzz: {sum(COUNTS.values())} cases in all", end="")
