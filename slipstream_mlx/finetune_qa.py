"""The Q&A stage: from a model that goes on with texts to one that answers.

It is the same loop with other data: pairs of question and answer, scored on the answer alone, because the model should
learn to answer questions and not to ask them. Part of every batch is still the corpus (`--mix`), or the model would
forget what it has read while it learns how to say it.
"""

import argparse
import json
from pathlib import Path

import mlx.core as mx

from .checkpoint import TRAINING, load
from .corpus.embedded import handwritten_questions
from .data import encode_by_origin, encode_questions, encode_questions_by_origin, read_questions, split_documents
from .errors import Parser, SlipstreamError, command
from .memory import check_memory
from .model import SlipstreamLM
from .packing import make_batches, shares, validation_batches
from .parallel import team
from .presets import PRESETS, get_preset
from .train import add_train_args, check_context, describe_data, load_corpus, override, summary, train, typed


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = Parser(
        prog="slipstream finetune_qa", description="Teach a pretrained model to answer questions.",
        epilog="Settings not given come from the preset that the base model was trained with.",
    )  # fmt: skip
    add = parser.add_argument
    add("--model", default="checkpoints/base", metavar="DIR", help="pretrained checkpoint (default: %(default)s)")
    add("--questions", nargs="+", metavar="FILE", help="question files; without them, the embedded ones")
    add("--dev", nargs="+", metavar="FILE", help="question files to validate on; without them, the embedded dev set")
    add(
        "--corpus", nargs="+", metavar="PATH", help="text to mix in against forgetting; without it, the embedded corpus"
    )
    add("--out", default="checkpoints/qa", metavar="DIR", help="checkpoint folder (default: %(default)s)")
    add("--preset", metavar="NAME", help=f"settings to start from: {', '.join(PRESETS)}; default: the base model's")
    add_train_args(parser)
    return parser.parse_args(argv)


def base_preset(folder: str, name: str | None) -> str:
    """The preset a checkpoint was trained with, unless another is named."""
    if name:
        return name
    try:
        preset = json.loads((Path(folder) / TRAINING).read_text(encoding="utf-8"))["preset"]
        if isinstance(preset, str):
            return preset
        raise TypeError
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise SlipstreamError(f"{folder}/{TRAINING} does not say which preset it was: name one with --preset") from None


@command
def main(argv: list[str] | None = None) -> None:
    namespace = parse_args(argv)
    team()
    trained, tokenizer = load(namespace.model)
    preset = base_preset(namespace.model, namespace.preset)
    args = override(get_preset(preset).finetune, namespace)
    check_context(args, trained.args.n_positions)
    check_memory(args, trained.args)
    documents, questions = load_corpus(namespace)
    if not questions:
        raise SlipstreamError("no questions: --corpus without --questions leaves nothing to learn answers from")
    dev = read_questions(namespace.dev) if namespace.dev else handwritten_questions("dev")
    model = SlipstreamLM(trained.args, dropout=args.dropout)
    model.update(trained.parameters())
    texts = encode_by_origin(split_documents(documents, args.val_share)[0], tokenizer)
    pairs = encode_questions_by_origin(questions, tokenizer)
    held_back = encode_questions(dev, tokenizer, score_prompts=False)
    eos = tokenizer.eos_id
    sources = [*shares(pairs.values(), 1 - args.mix), *shares(texts.values(), args.mix)]
    batches = make_batches(
        sources, args.batch_size, args.context, eos, args.seed, args.question_context, args.table_weight
    )
    length = args.question_context or args.context
    validation = validation_batches(held_back, args.batch_size, length, eos, args.eval_batches)
    mx.random.seed(args.seed)
    print(f"finetuning {namespace.model} on {len(questions):,} questions, {args.mix:.0%} corpus mixed in")
    description = {
        "stage": "finetune_qa", "preset": preset, "base": str(namespace.model),
        "data": describe_data(pairs | texts | {"validation": held_back}), "command": typed("finetune_qa", argv),
    }  # fmt: skip
    record = train(
        model, tokenizer, batches, validation, args, namespace.out, description, namespace.resume, dev, namespace.force
    )
    print(summary(record, namespace.out))


if __name__ == "__main__":
    main()
