"""The training loop, and the pretrain command.

One step: take a batch, guess each next token, measure the surprise (cross-entropy), follow the gradient a little way
down. The loop below does that some thousands of times, and around it keeps what a long run needs: a learning rate that
warms up and cools down, validation on documents never trained on, the best weights and the last ones on disk, and a
resume that ends bit for bit where an unbroken run would have ended.
"""

import argparse
import contextlib
import dataclasses
import math
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
from tqdm import tqdm

from . import checkpoint, report
from .corpus.embedded import embedded_documents, embedded_questions, handwritten_questions
from .data import (
    TokenSet,
    encode_by_origin,
    encode_documents,
    encode_questions_by_origin,
    read_documents,
    read_questions,
    split_documents,
)
from .errors import Parser, SlipstreamError, command
from .eval_qa import evaluate_questions
from .files import write_json
from .lock import only_run
from .memory import check_memory, explain_out_of_memory
from .model import SlipstreamLM
from .optimizer import Optimizer
from .packing import Batch, make_batches, shares, validation_batches
from .parallel import team
from .presets import PRESETS, TrainArgs, get_preset
from .prompts import encode_prompt, qa_prompt
from .step import compute_dtype, evaluate, make_step, schedule
from .tokenizer import GPT2_VOCAB_SIZE, CharTokenizer, GPT2Tokenizer, Tokenizer

SAMPLES = {  # stage: what it is asked at each evaluation
    "pretrain": ("completion", "Ayrton Senna is a Formula One driver who"),
    "finetune_qa": ("qa", "Who won the world championship in 1988?"),
}
SAMPLE_TOKENS = 24


def write_sample(model: SlipstreamLM, tokenizer: Tokenizer, stage: str) -> str:
    """A fixed prompt of the stage and the likeliest tokens after it, to see how the model learns to talk.

    Draws nothing, so that a resume stays exact, and keeps no cache, because mlx-lm's takes seconds to import.
    """
    mode, text = SAMPLES.get(stage, SAMPLES["pretrain"])
    if isinstance(tokenizer, CharTokenizer):  # it is asked with the characters that it knows
        text = "".join(char for char in text if char in tokenizer.alphabet)
    ids = encode_prompt(tokenizer, text, mode) or [tokenizer.eos_id]
    model.eval()
    for _ in range(SAMPLE_TOKENS):
        token = mx.argmax(model(mx.array([ids[-model.args.n_positions :]]))[0, -1]).item()
        if token == tokenizer.eos_id:
            break
        ids.append(token)
    model.train()
    return tokenizer.decode(ids)


class Stop:
    """Turns the first Ctrl-C or SIGTERM into a request that the loop honours after the step it is in."""

    def __init__(self):
        self.signal: int | None = None
        self._old: dict[int, object] = {}

    def __enter__(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._old[number] = signal.signal(number, self._request)
            except ValueError:  # not in the main thread: signals are somebody else's business
                break
        return self

    def _request(self, number, _frame):
        self.signal = number
        for n, old in self._old.items():  # a second one is not polite any more
            signal.signal(n, old)

    def __exit__(self, *_):
        for number, old in self._old.items():
            signal.signal(number, old)


def train(
    model: SlipstreamLM,
    tokenizer: Tokenizer,
    batches: Callable[[int], list[Batch]],
    validation: list[Batch],
    args: TrainArgs,
    out: str | Path,
    description: dict,
    resume: bool = False,
    exam: list[dict] | None = None,
    force: bool = False,
) -> dict:
    """Train `model` in place and write a checkpoint folder. This is the one loop of every stage.

    Args:
        batches: the batch of each step number, in parts; its weights sum to one.
        validation: batches to measure on; without any, the training loss picks the best weights.
        out: checkpoint folder. Its model.safetensors holds the best weights, state/ the last.
        description: what else training.json should say (preset, command, data fingerprint).
        resume: go on from `out`/state, which must have been made with the same settings, data and vocabulary.
        exam: questions to answer at each evaluation; the last weights whose answers are not worse than the best are
            then kept. A model that learns facts grows surer of its mistakes too: its loss on new texts rises long
            before its answers get worse.
        force: resume even if settings, data or vocabulary differ.
    Returns:
        The record that training.json holds: history, best step and loss, tokens, seconds.
    Raises:
        SlipstreamError: nothing to resume or it was made otherwise, another run holds the folder, there is no room for
            a checkpoint, the loss became NaN or infinite (the last good checkpoint is kept), or of several processes
            that train together one was lost or differs from the others.
    """
    lock = only_run(Path(out)) if team().rank == 0 else contextlib.nullcontext()
    with lock, explain_out_of_memory(args, model.args):
        return _train(model, tokenizer, batches, validation, args, Path(out), description, resume, exam, force)


def _train(
    model: SlipstreamLM,
    tokenizer: Tokenizer,
    batches: Callable[[int], list[Batch]],
    validation: list[Batch],
    args: TrainArgs,
    out: Path,
    description: dict,
    resume: bool,
    exam: list[dict] | None,
    force: bool,
) -> dict:
    workers = team()
    model.train()
    optimizer = Optimizer(model.trainable_parameters(), args, compute_dtype())
    record: dict[str, Any] = {
        "step": 0, "best_step": 0, "best_val_loss": math.inf, "best_accuracy": 0.0, "tokens": 0, "seconds": 0.0,
        "history": [],
    }  # fmt: skip
    made_with = {
        "settings": dataclasses.asdict(args), "model": dataclasses.asdict(model.args),
        "data": description.get("data", {}), "vocabulary": checkpoint.fingerprint(tokenizer),
    }  # fmt: skip
    marks = {"vocabulary": made_with["vocabulary"], "run": checkpoint.run_name(made_with)}
    if resume:
        state, record = checkpoint.load_state(out, model, made_with, force)
        optimizer.state = state
        if force and record["step"] < args.steps:
            record["finished"] = ""
        print(f"resuming {out} at step {record['step']}", flush=True)
    elif workers.rank == 0:
        checkpoint.start_anew(out)
    if workers.rank == 0:
        checkpoint.check_room(out, model, optimizer.state)
    described = resume
    workers.check_equal("settings, data or checkpoint", f"{made_with} {record['step']}")
    if workers.rank > 0:  # dropout must not mask the same places in every share
        mx.random.seed(mx.random.randint(0, 2**31 - 1, (workers.size,))[workers.rank].item())
    step_fn = make_step(model, optimizer, args, workers)
    tokens_per_step = args.batch_size * args.context
    losses: list[mx.array] = []
    stale = 0 if not resume else record.get("stale", 0)
    began, began_step, spent = time.perf_counter(), record["step"], record["seconds"]

    def save_weights(val_loss: float) -> None:
        nonlocal described
        if workers.rank > 0:
            return
        if not described:  # not before there are weights to go with it
            checkpoint.save_description(out, model.args, tokenizer)
            described = True
        checkpoint.save_weights(out, model, record["step"], val_loss, marks)

    def write(finished: str) -> None:
        record["finished"] = finished
        if workers.rank > 0:
            return
        record["processes"] = workers.size
        record["seconds"] = spent + time.perf_counter() - began
        record["device"] = str(mx.default_device())
        record["peak_memory_gib"] = mx.get_peak_memory() / 2**30
        checkpoint.save_state(out, model, optimizer.state, record | {"made_with": made_with})
        settings = {"settings": dataclasses.asdict(args), "model": dataclasses.asdict(model.args)}
        write_json(out / checkpoint.TRAINING, description | settings | record)

    bar = tqdm(total=args.steps, initial=record["step"], disable=None, unit="step", dynamic_ncols=True)
    with Stop() as stop, bar, workers:
        while record["step"] < args.steps and not record.get("finished"):
            losses.append(step_fn(record["step"], batches(record["step"])))
            record["step"] += 1
            record["tokens"] += tokens_per_step
            bar.update()
            if len(losses) > 1:  # stay one step behind the device: it never waits for us, nor we run ahead of it
                check_loss(losses[-2].item(), record["step"] - 1, args, out)
            at_end, stopping = record["step"] == args.steps, workers.agree(stop.signal)
            if record["step"] % args.eval_every and not at_end and not stopping:
                continue
            train_loss = float(np.mean([loss.item() for loss in losses]))
            losses.clear()
            check_loss(train_loss, record["step"], args, out)
            if stopping:
                if not record["best_step"]:
                    save_weights(train_loss)
                write(finished="")
                resume_command = " ".join([*description.get("command", ["slipstream", "train"]), "--resume"])
                if workers.rank == 0:
                    print(
                        f"\nstopped at step {record['step']}, all is saved. To go on: {resume_command}", file=sys.stderr
                    )
                raise SystemExit(128 + (stop.signal or signal.SIGINT))
            val_loss = evaluate(model, validation, workers) if validation else train_loss
            check_loss(val_loss, record["step"], args, out)
            rate = (record["step"] - began_step) * tokens_per_step / (time.perf_counter() - began)
            row = {
                "step": record["step"], "loss": train_loss, "val_loss": val_loss,
                "lr": schedule(args.lr, args, record["step"] - 1), "tokens_per_second": rate,
                "sample": write_sample(model, tokenizer, description["stage"]),
            }  # fmt: skip
            record["history"].append(row)
            better = val_loss < record["best_val_loss"]
            if exam:
                row["accuracy"] = workers.gather(evaluate_questions(model, tokenizer, exam)["accuracy"])[0]
                better = not_worse(row["accuracy"], record["best_accuracy"], len(exam))
                record["best_accuracy"] = max(row["accuracy"], record["best_accuracy"])
            if better:
                record["best_step"], record["best_val_loss"], stale = record["step"], val_loss, 0
                save_weights(val_loss)
            else:
                stale += 1
            record["stale"] = stale
            left = (args.steps - record["step"]) * tokens_per_step / rate
            tqdm.write(progress_line(row, args.steps, left, best=stale == 0))
            early = bool(args.patience) and stale >= args.patience
            write(finished="steps" if at_end else "early" if early else "")
            if early:
                tqdm.write(f"early stop: step {record['best_step']} was best, {stale} evaluations ago")
    if workers.rank == 0:
        checkpoint.save_transformers_twin(out)
        report.plot_loss(out)
    return record


def check_loss(loss: float, step: int, args: TrainArgs, out: Path) -> None:
    """Raise SlipstreamError if a loss is NaN or infinite: from such weights there is no way back but the last save."""
    if not math.isfinite(loss):
        raise SlipstreamError(
            f"the loss became {loss} at step {step}; what was saved in {out} before is kept: go on from there with a "
            f"lower --lr (it was {args.lr:g}) and --resume --force, or look for broken text in the corpus"
        )


def not_worse(accuracy: float, best: float, questions: int) -> bool:
    """Whether an accuracy is below the best by no more than luck: one standard error of so many questions.

    Later weights have read more. They are kept unless their answers are worse for sure; else one lucky guess early on
    would end the training of a small model.
    """
    return accuracy >= best - math.sqrt(max(best * (1 - best), 1 / questions) / questions)


def progress_line(row: dict, steps: int, seconds_left: float, best: bool) -> str:
    """One line of a run's log."""
    memory = mx.get_peak_memory() / 2**30
    return (
        f"step {row['step']:>6}/{steps}  loss {row['loss']:.4f}  val {row['val_loss']:.4f}"
        + (f"  dev {row['accuracy']:4.0%}" if "accuracy" in row else "")
        + f"{'*' if best else ' '} "
        f"lr {row['lr']:.2e}  {row['tokens_per_second']:>9,.0f} tok/s  {memory:.2f} GiB  "
        f"{int(seconds_left) // 60}:{int(seconds_left) % 60:02d} left"
    )


def summary(record: dict, out: str) -> str:
    """A run's last line."""
    answers = f", {record['best_accuracy']:.0%} of the dev questions right" if record["best_accuracy"] else ""
    return (
        f"best: validation loss {record['best_val_loss']:.4f}{answers}, at step {record['best_step']}; saved in {out}"
    )


# The command ---------------------------------------------------------------------------------------------------


def add_train_args(parser: argparse.ArgumentParser) -> None:
    """One flag for every field of TrainArgs; what is not given stays None and comes from the preset."""
    parser.add_argument("--resume", action="store_true", help="go on from the last state in --out")
    parser.add_argument("--force", action="store_true", help="resume even if settings, data or vocabulary have changed")
    for f in dataclasses.fields(TrainArgs):
        flag = "--" + f.name.replace("_", "-")
        if f.type is bool:
            parser.add_argument(flag, action="store_true", default=None, help=f.metadata["help"])
            continue
        parser.add_argument(flag, type=f.type, metavar="N" if f.type is int else "X", help=f.metadata["help"])


def override(args: TrainArgs, namespace: argparse.Namespace) -> TrainArgs:
    """The preset's settings with the given flags in their place."""
    given = {f.name: getattr(namespace, f.name) for f in dataclasses.fields(TrainArgs)}
    return dataclasses.replace(args, **{name: value for name, value in given.items() if value is not None})


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = Parser(
        prog="slipstream train", description="Pretrain a model from random weights.",
        epilog="Settings not given come from the preset. Without --corpus, the embedded handbook and facts are used.",
    )  # fmt: skip
    parser.add_argument("--preset", default="nano", metavar="NAME", help=f"{', '.join(PRESETS)} (default: %(default)s)")
    parser.add_argument("--corpus", nargs="+", metavar="PATH", help="files or folders of .txt, .md, .jsonl")
    parser.add_argument("--questions", nargs="+", metavar="FILE", help="question files to mix in (see --mix)")
    parser.add_argument(
        "--out", default="checkpoints/base", metavar="DIR", help="checkpoint folder (default: %(default)s)"
    )
    add_train_args(parser)
    return parser.parse_args(argv)


def load_corpus(namespace: argparse.Namespace) -> tuple[list, list]:
    """Documents and questions as the flags say; with neither flag, the embedded ones."""
    if not namespace.corpus:
        documents = embedded_documents()
        questions = read_questions(namespace.questions) if namespace.questions else embedded_questions()
    else:
        documents = read_documents(namespace.corpus)
        questions = read_questions(namespace.questions) if namespace.questions else []
    return documents, questions


def make_tokenizer(vocab_size: int, documents: list, questions: list) -> GPT2Tokenizer:
    """GPT-2's tokenizer; for a smaller vocabulary, the pieces of it that the data uses most."""
    if vocab_size == GPT2_VOCAB_SIZE:
        return GPT2Tokenizer()
    texts = [d.text for d in documents] + [qa_prompt(q["question"]) + " " + q["answer"] for q in questions]
    return GPT2Tokenizer.trimmed(texts, vocab_size)


def describe_data(sets: dict[str, TokenSet]) -> dict:
    """Counts and fingerprints for training.json."""
    return {k: {"documents": len(s), "tokens": len(s.tokens), "fingerprint": s.fingerprint} for k, s in sets.items()}


@command
def main(argv: list[str] | None = None) -> None:
    namespace = parse_args(argv)
    team()
    preset = get_preset(namespace.preset)
    args = override(preset.pretrain, namespace)
    documents, questions = load_corpus(namespace)
    train_docs, val_docs = split_documents(documents, args.val_share)
    if preset.tokenizer == "char":
        tokenizer: Tokenizer = CharTokenizer.train("".join(d.text + "\n" for d in documents))
        questions = []  # a character model is trained on text alone
    else:
        tokenizer = make_tokenizer(preset.model.vocab_size, documents, questions)
    model_args = dataclasses.replace(preset.model, vocab_size=tokenizer.vocab_size)
    check_context(args, model_args.n_positions)
    check_memory(args, model_args)
    texts, held_back = encode_by_origin(train_docs, tokenizer), encode_documents(val_docs, tokenizer)
    pairs = encode_questions_by_origin(questions, tokenizer)
    mix = args.mix if pairs else 0.0
    eos = tokenizer.eos_id
    sources = [*shares(texts.values(), 1 - mix), *shares(pairs.values(), mix)]
    batches = make_batches(
        sources, args.batch_size, args.context, eos, args.seed, args.question_context, args.table_weight
    )
    validation = validation_batches(held_back, args.batch_size, args.context, eos, args.eval_batches)
    mx.random.seed(args.seed)
    model = SlipstreamLM(model_args, dropout=args.dropout)
    data = describe_data(texts | pairs | {"validation": held_back})
    print(
        f"{namespace.preset}: {model.num_parameters():,} parameters on {mx.default_device()}; "
        f"{sum(len(t.tokens) for t in texts.values()):,} tokens of text, {len(questions):,} questions, "
        f"{len(held_back.tokens):,} tokens held back"
    )
    description = {"stage": "pretrain", "preset": namespace.preset, "data": data, "command": typed("train", argv)}
    exam = handwritten_questions("dev") if questions else None
    record = train(
        model, tokenizer, batches, validation, args, namespace.out, description, namespace.resume, exam, namespace.force
    )
    print(summary(record, namespace.out))


def check_context(args: TrainArgs, n_positions: int) -> None:
    for flag, length in (("context", args.context), ("question-context", args.question_context)):
        if length > n_positions:
            raise SlipstreamError(f"--{flag} {length} is more than the model's {n_positions} positions: lower it")


def typed(stage: str, argv: list[str] | None) -> list[str]:
    """What the user typed, as the `slipstream` command would have it."""
    words = sys.argv[1:] if argv is None else argv
    return ["slipstream", stage, *(word for word in words if word not in ("--resume", "--force"))]


if __name__ == "__main__":
    main()
