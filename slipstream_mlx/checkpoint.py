"""Saving and loading. A checkpoint is an ordinary mlx-lm model folder that transformers can read too.

    config.json  tokenizer.json  tokenizer_config.json  chat_template.jinja     what the model is
    model.safetensors              the best weights, in mlx-lm's GPT-2 names
    transformers.safetensors       the same in transformers' layout, written when training ends
    training.json                  settings, data fingerprint, loss history
    state/last.safetensors         all that a resume needs: last weights, optimiser, random state
    previous/                      the same folder, weights and state, as it was one save ago

Every file is written beside its place, flushed to disk and renamed over the old one, so that whenever the power goes
there is either the old file or the new one. Each weights file carries its own hash; one that is damaged is named, and
what `previous/` holds is used. Nothing is pickled: safetensors and JSON hold data, never code.
"""

import hashlib
import json
import math
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import mlx.core as mx
from mlx.utils import tree_flatten, tree_unflatten

from .errors import SlipstreamError
from .files import duplicate, remove_temporaries, write_bytes, write_json, write_text
from .integrity import DamagedError, is_whole, read_safetensors, write_safetensors
from .model import ModelArgs, SlipstreamLM
from .prompts import chat_template
from .tokenizer import EOS, Tokenizer, tokenizer_from_json

CONFIG, WEIGHTS, TWIN, TRAINING = "config.json", "model.safetensors", "transformers.safetensors", "training.json"
STATE, PREVIOUS = Path("state") / "last.safetensors", "previous"
RECORD = (
    "step",
    "best_step",
    "best_val_loss",
    "best_accuracy",
    "tokens",
    "seconds",
    "history",
)  # what a state's record has, at least
DESCRIPTION = (CONFIG, "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
OURS = {  # variants of GPT-2 that we do not have; the first value is the one that a missing key means
    "activation_function": ("gelu_new", "gelu_pytorch_tanh"), "tie_word_embeddings": (True,),
    "scale_attn_weights": (True,), "scale_attn_by_inverse_layer_idx": (False,), "n_inner": (None,),
    "add_cross_attention": (False,),
}  # fmt: skip
ATTENTION_BIASES = ("attn.c_attn.bias", "attn.c_proj.bias")
CONV1D = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")


def load(path: str | Path) -> tuple[SlipstreamLM, Tokenizer]:
    """The model and tokenizer of a checkpoint folder, ready for `generate`.

    Where the folder is damaged and its `previous/` is not, that is loaded and a warning on stderr says so.
    Raises SlipstreamError if the folder is not a Slipstream checkpoint or does not hold together.
    """
    folder = Path(path)
    try:
        return _load(folder)
    except SlipstreamError as error:
        try:
            found = _load(folder / PREVIOUS)
        except SlipstreamError:
            raise error from None
        print(f"warning: {error}. Using {folder / PREVIOUS}, the save before it", file=sys.stderr)
        return found


def _load(folder: Path) -> tuple[SlipstreamLM, Tokenizer]:
    if not (folder / CONFIG).is_file() or not (folder / WEIGHTS).is_file():
        raise SlipstreamError(
            f"{folder} holds no trained model (no {CONFIG} and {WEIGHTS}): train one with `make pretrain`"
        )
    args = _read_config(folder / CONFIG)
    tokenizer = tokenizer_from_json(folder / "tokenizer.json")
    if tokenizer.vocab_size != args.vocab_size:
        raise SlipstreamError(
            f"{folder}: the tokenizer has {tokenizer.vocab_size} tokens and the model {args.vocab_size}: "
            "they are of two checkpoints"
        )
    stored, metadata = read_safetensors(folder / WEIGHTS)
    if metadata.get("vocabulary") not in (None, fingerprint(tokenizer)):
        raise SlipstreamError(f"{folder}: tokenizer.json is not the one that {WEIGHTS} was trained with")
    weights = _our_names(stored)
    _check_sizes(folder, weights, args)
    if any(name.endswith(ATTENTION_BIASES) for name in weights):
        args = replace(args, attention_bias=True)
    model = SlipstreamLM(args)
    pads = args.padded_vocab_size - args.vocab_size
    weights["wte.weight"] = mx.pad(weights["wte.weight"], ((0, pads), (0, 0)))
    _check_shapes(folder / WEIGHTS, weights, model)
    model.update(tree_unflatten(list(weights.items())))
    model.eval()
    mx.eval(model.parameters())  # arrays not yet computed cannot cross to another thread
    return model, tokenizer


def fingerprint(tokenizer: Tokenizer) -> str:
    """Sixteen hexadecimal digits that tell one vocabulary from another."""
    digest = hashlib.sha256()
    for token in range(tokenizer.vocab_size):
        piece = tokenizer.decode_bytes([token])
        digest.update(len(piece).to_bytes(4, "little") + piece)
    return digest.hexdigest()[:16]


def start_anew(folder: Path) -> None:
    """Make room for a new run: what an older one left stays in place until the first save, and then in `previous/`."""
    clean(folder)
    if not (folder / WEIGHTS).is_file() or not is_whole(folder / WEIGHTS):
        return
    previous = folder / PREVIOUS
    shutil.rmtree(previous, ignore_errors=True)
    (previous / STATE).parent.mkdir(parents=True)
    for name in (*DESCRIPTION, TRAINING, STATE, WEIGHTS):
        if (folder / name).is_file():
            duplicate(folder / name, previous / name)


def check_room(folder: Path, model: SlipstreamLM, optimizer_state: dict) -> None:
    """Raise SlipstreamError before the first step if the disk has no room for what a run writes."""
    weights = sum(array.nbytes for _, array in tree_flatten(model.parameters()))
    state = weights + sum(array.nbytes for _, array in tree_flatten(optimizer_state))
    wanted = 2 * weights + 3 * state + (16 << 20)  # best and previous; last, previous and the one being written
    ours = [folder / part / name for part in ("", PREVIOUS) for name in (WEIGHTS, TWIN, STATE)]
    taken = {path.stat().st_ino: path.stat().st_size for path in ours if path.is_file()}  # these are replaced
    free = shutil.disk_usage(folder).free + sum(taken.values())
    if free < wanted:
        raise SlipstreamError(
            f"{folder} has room for {free >> 20:,} MiB and this run's checkpoints take {wanted >> 20:,}: "
            "make room or choose another --out"
        )


def clean(folder: Path) -> None:
    """Remove what a killed run had half written."""
    remove_temporaries(folder, folder / "state", folder / PREVIOUS, folder / PREVIOUS / "state")


def keep_previous(folder: Path, name: str | Path) -> None:
    """Keep a file that is about to be replaced. Weights take their description along: `previous/` loads by itself."""
    previous = folder / PREVIOUS
    if not (folder / name).is_file():
        return
    (previous / STATE).parent.mkdir(parents=True, exist_ok=True)
    for beside in (*DESCRIPTION, TRAINING) if name == WEIGHTS else ():
        text, kept = (folder / beside).read_bytes() if (folder / beside).is_file() else None, previous / beside
        if text is None:
            kept.unlink(missing_ok=True)
        elif not kept.is_file() or kept.read_bytes() != text:  # no link: it should survive damage
            write_bytes(kept, text)
    duplicate(folder / name, previous / name)


def mend(folder: Path, record: dict, run: str) -> None:
    """Before a resume: put the weights of the save before in the place of damaged ones, and correct the record."""
    path, previous = folder / WEIGHTS, folder / PREVIOUS / WEIGHTS
    if not record["best_step"] or is_whole(path):
        return
    record |= {"best_step": 0, "best_val_loss": math.inf, "best_accuracy": 0.0}
    what = "the next validation writes it anew"
    if previous.is_file() and is_whole(previous):
        metadata = read_safetensors(previous)[1]
        if metadata.get("run") == run:
            duplicate(previous, path)
            record |= {"best_step": int(metadata["step"]), "best_val_loss": float(metadata["val_loss"])}
            row: dict = next((row for row in record["history"] if row["step"] == record["best_step"]), {})
            record["best_accuracy"] = row.get("accuracy", 0.0)
            what = f"{previous}, of step {metadata['step']}, takes its place"
    print(f"warning: {path} is damaged or missing; {what}", file=sys.stderr)


def run_name(made_with: dict) -> str:
    """Sixteen hexadecimal digits of what a run is made with: two runs of one name end with the same weights."""
    return hashlib.sha256(json.dumps(made_with, sort_keys=True).encode()).hexdigest()[:16]


def differences(was: dict, now: dict, name: str = "") -> list[str]:
    """What differs between two descriptions of a run, in words like "lr 0.001 -> 0.002"."""
    found = []
    for key in sorted(was.keys() | now.keys()):
        old, new = was.get(key), now.get(key)
        label = f"{name} {key}".strip()
        if isinstance(old, dict) and isinstance(new, dict):
            found += differences(old, new, "" if key == "settings" else label)
        elif old != new:
            found.append(f"{label} {old} -> {new}")
    return found


def save_description(folder: Path, args: ModelArgs, tokenizer: Tokenizer) -> None:
    """Write all of a checkpoint that does not change while training. What another run left there goes."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (STATE, TRAINING, WEIGHTS, TWIN):
        (folder / name).unlink(missing_ok=True)
    config = {
        "model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "activation_function": "gelu_new",
        "vocab_size": args.vocab_size, "n_positions": args.n_positions, "n_ctx": args.n_positions,
        "n_embd": args.n_embd, "n_layer": args.n_layer, "n_head": args.n_head,
        "layer_norm_epsilon": args.layer_norm_epsilon, "tie_word_embeddings": True,
        "bos_token_id": tokenizer.eos_id, "eos_token_id": tokenizer.eos_id,
        "transformers_weights": TWIN,  # or transformers would take mlx-lm's file and quietly start from random weights
    }  # fmt: skip
    tokenizer_config = {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": EOS, "eos_token": EOS, "unk_token": EOS,
        "model_max_length": args.n_positions, "add_prefix_space": False, "clean_up_tokenization_spaces": False,
    }  # fmt: skip
    write_json(folder / CONFIG, config)
    write_json(folder / "tokenizer.json", tokenizer.to_json())
    write_json(folder / "tokenizer_config.json", tokenizer_config)
    write_text(folder / "chat_template.jinja", chat_template())


def save_weights(
    folder: Path, model: SlipstreamLM, step: int, val_loss: float, marks: dict[str, str] | None = None
) -> None:
    """Write model.safetensors: padding rows cut off, the attention biases that GPT-2 has written as zeros.

    `marks` go into the file's metadata: "vocabulary" (see `fingerprint`) and "run" (see `run_name`) are looked at.
    """
    args = model.args
    weights = {f"model.{name}": array for name, array in tree_flatten(model.parameters())}
    weights["model.wte.weight"] = weights["model.wte.weight"][: args.vocab_size]
    for layer in range(0 if args.attention_bias else args.n_layer):
        for name, size in (("c_attn", 3 * args.n_embd), ("c_proj", args.n_embd)):
            weights[f"model.h.{layer}.attn.{name}.bias"] = mx.zeros(size)
    metadata = {"format": "mlx", "step": str(step), "val_loss": repr(val_loss)} | (marks or {})
    keep_previous(folder, WEIGHTS)
    write_safetensors(folder / WEIGHTS, weights, metadata)
    (folder / TWIN).unlink(missing_ok=True)  # older than this file now


def save_transformers_twin(folder: Path) -> None:
    """Write the weights once more as transformers wants them: other names, and [in, out] instead of [out, in]."""
    twin = {}
    for name, array in read_safetensors(folder / WEIGHTS)[0].items():
        name = name.replace("model.", "transformer.", 1)
        twin[name] = array.T if name.endswith(CONV1D) else array
    write_safetensors(folder / TWIN, twin, {"format": "pt"})


def save_state(folder: Path, model: SlipstreamLM, optimizer_state: dict, record: dict) -> None:
    """Write all that a bit-exact resume needs, in one file: raw weights, optimiser and random state, the record."""
    arrays = {f"model.{name}": array for name, array in tree_flatten(model.parameters())}
    arrays |= {f"optimizer.{name}": array for name, array in tree_flatten(optimizer_state)}
    arrays["random_key"] = mx.array(mx.random.state[0])
    (folder / STATE).parent.mkdir(parents=True, exist_ok=True)
    keep_previous(folder, STATE)
    write_safetensors(folder / STATE, arrays, {"record": json.dumps(record)})


def load_state(folder: Path, model: SlipstreamLM, made_with: dict, force: bool = False) -> tuple[dict, dict]:
    """Put the saved weights and random state back; return the optimiser's state and the record.

    A damaged state is named, and the one of the save before is used. Raises SlipstreamError if there is nothing to
    resume, or it was made with other settings or data than `made_with` says (unless `force`), or is of another model.
    """
    clean(folder)
    path = folder / STATE
    if not path.is_file():
        raise SlipstreamError(f"nothing to resume in {folder} (no {STATE}): start without --resume")
    try:
        optimizer, record = _read_state(path, model, made_with, force)
    except DamagedError as error:
        previous = folder / PREVIOUS / STATE
        if not previous.is_file() or not is_whole(previous):
            raise
        optimizer, record = _read_state(previous, model, made_with, force)
        print(f"warning: {error}. Going on from {previous}, the save before it", file=sys.stderr)
        duplicate(previous, path)
    mend(folder, record, run_name(record.pop("made_with")))
    return optimizer, record


def _read_state(path: Path, model: SlipstreamLM, made_with: dict, force: bool) -> tuple[dict, dict]:
    arrays, metadata = read_safetensors(path)
    try:
        record = json.loads(metadata["record"])
        weights = {name[6:]: array for name, array in arrays.items() if name.startswith("model.")}
        optimizer = [(name[10:], array) for name, array in arrays.items() if name.startswith("optimizer.")]
        high, low = arrays["random_key"].tolist()
        was, _ = record["made_with"], [record[key] for key in RECORD]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SlipstreamError(f"{path} is no training state ({error}): start without --resume") from None
    if not force and (changed := differences(was, made_with)):
        raise SlipstreamError(
            f"{path.parents[1]} was trained otherwise: {'; '.join(changed)}. Resume with what it was, "
            "add --force to go on with what it is now, or choose another --out"
        )
    _check_shapes(path, weights, model)
    model.update(tree_unflatten(list(weights.items())))
    mx.random.seed((high << 32) | low)
    mx.eval(model.parameters(), [array for _, array in optimizer])  # loads are lazy, and this file will be replaced
    return tree_unflatten(optimizer), record


def _read_config(path: Path) -> ModelArgs:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        if config.get("model_type") != "gpt2":
            raise SlipstreamError(f"{path}: model_type is {config.get('model_type')!r}; Slipstream reads 'gpt2'")
        if "quantization" in config:
            raise SlipstreamError(f"{path}: the model is quantised: open it with `python -m mlx_lm generate`")
        for key, wanted in OURS.items():
            if config.get(key, wanted[0]) not in wanted:
                raise SlipstreamError(f"{path}: {key} is {config[key]!r}, and Slipstream has only {wanted[0]!r}")
        fields = ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head")
        return ModelArgs(**{f: config[f] for f in fields}, layer_norm_epsilon=float(config["layer_norm_epsilon"]))
    except (ValueError, AttributeError, TypeError, OverflowError, RecursionError):
        raise SlipstreamError(f"{path} is not valid JSON of a model: train or copy the checkpoint again") from None
    except KeyError as error:
        raise SlipstreamError(f"{path}: {error} is missing: train or copy the checkpoint again") from None


def _our_names(stored: dict[str, mx.array]) -> dict[str, mx.array]:
    """Weights in float32 and under our names, from mlx-lm's layout ("model.h.0…") or GPT-2's own ("h.0…").

    GPT-2's own, with or without "transformer." in front, keeps its products as [in, out], and keeps its causal masks
    and its tied head as well. Attention biases that are all zero, as we write them, are left out.
    """
    ours = any(name.startswith("model.") for name in stored)
    weights = {}
    for name, array in stored.items():
        name = name.removeprefix("model.").removeprefix("transformer.")
        if name == "lm_head.weight" or name.endswith((".attn.bias", ".attn.masked_bias")):
            continue
        weights[name] = (array.T if not ours and name.endswith(CONV1D) else array).astype(mx.float32)
    biases = [name for name in weights if name.endswith(ATTENTION_BIASES)]
    if not any(mx.any(weights[name] != 0).item() for name in biases):
        for name in biases:
            del weights[name]
    return weights


def _check_sizes(folder: Path, weights: dict[str, mx.array], args: ModelArgs) -> None:
    """Before memory is taken for a model: does config.json tell of the one that the weights are of?"""
    layers = sum(name.startswith("h.") and name.endswith(".ln_1.weight") for name in weights)
    tables = {"wte.weight": (args.vocab_size, args.n_embd), "wpe.weight": (args.n_positions, args.n_embd)}
    for name, shape in tables.items():
        found = weights[name].shape if name in weights else None
        if found != shape:
            raise SlipstreamError(
                f"{folder / WEIGHTS}: {name} should have shape {shape} and has {found}: "
                f"the weights are of another model than {CONFIG}"
            )
    if layers != args.n_layer:
        raise SlipstreamError(f"{folder / WEIGHTS} has {layers} layers and {CONFIG} says {args.n_layer}")


def _check_shapes(path: Path, weights: dict[str, mx.array], model: SlipstreamLM) -> None:
    wanted = {name: array.shape for name, array in tree_flatten(model.parameters())}
    found = {name: array.shape for name, array in weights.items()}
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            raise SlipstreamError(
                f"{path}: {name} should have shape {wanted.get(name)} and has {found.get(name)}: "
                "the weights are of another model"
            )
