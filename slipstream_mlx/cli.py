"""`slipstream STAGE …` runs `python -m slipstream_mlx.STAGE …`."""

import importlib
import sys

from .errors import command, fail

STAGES = {
    "download_data": "fetch Wikipedia articles and the F1DB archive",
    "build_corpus": "merge all sources into one corpus, with a card",
    "train": "pretrain a model from random weights",
    "finetune_qa": "teach a pretrained model to answer",
    "eval_qa": "ask a model questions and score the answers",
    "results": "ask a model all exams and write the page of its results",
    "bench": "measure speed and memory here",
    "generate": "let a model write or answer, once or interactively",
}


@command
def main(argv: list[str] | None = None) -> None:
    words = sys.argv[1:] if argv is None else argv
    if not words or words[0] in ("-h", "--help"):
        print("usage: slipstream STAGE [flags]; `slipstream STAGE --help` tells the flags\n")
        print("\n".join(f"  {name:<15}{text}" for name, text in STAGES.items()))
        return
    stage = words[0].replace("-", "_")
    if stage not in STAGES:
        fail(f"no stage {words[0]!r}: choose from {', '.join(STAGES)}")
    importlib.import_module(f"slipstream_mlx.{stage}").main(words[1:])


if __name__ == "__main__":
    main()
