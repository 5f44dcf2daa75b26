"""Saving and loading. A checkpoint is an ordinary mlx-lm model folder that transformers can read too.

    config.json  tokenizer.json  tokenizer_config.json  chat_template.jinja     what the model is
    model.safetensors              the best weights, in mlx-lm's GPT-2 names
    transformers.safetensors       the same in transformers' layout, written when training ends
    training.json                  settings, data fingerprint, loss history
    state/last.safetensors         all that a resume needs: last weights, optimiser, random state

Every file is written beside its place, flushed to disk and renamed over the old one, so that whenever the power goes
there is either the old file or the new one. Nothing is pickled: safetensors and JSON hold data, never code.
"""

import json
from pathlib import Path

import mlx.core as mx
from mlx.utils import tree_flatten, tree_unflatten

from .errors import SlipstreamError
from .files import replace, write_json, write_text
from .model import ModelArgs, SlipstreamLM
from .prompts import chat_template
from .tokenizer import EOS, Tokenizer, tokenizer_from_json

CONFIG, WEIGHTS, TWIN, TRAINING = "config.json", "model.safetensors", "transformers.safetensors", "training.json"
STATE = Path("state") / "last.safetensors"
CONV1D = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")


def load(path: str | Path) -> tuple[SlipstreamLM, Tokenizer]:
    """The model and tokenizer of a checkpoint folder, ready for `generate`.

    Raises SlipstreamError if the folder is not a Slipstream checkpoint or does not hold together.
    """
    folder = Path(path)
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
    model = SlipstreamLM(args)
    model.update(tree_unflatten(list(_read_weights(folder / WEIGHTS, model).items())))
    model.eval()
    mx.eval(model.parameters())  # arrays not yet computed cannot cross to another thread
    return model, tokenizer


def save_description(folder: Path, args: ModelArgs, tokenizer: Tokenizer) -> None:
    """Write all of a checkpoint that does not change while training."""
    folder.mkdir(parents=True, exist_ok=True)
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


def save_weights(folder: Path, model: SlipstreamLM, step: int, val_loss: float) -> None:
    """Write model.safetensors: padding rows cut off, the attention biases that GPT-2 has written as zeros."""
    args = model.args
    weights = {f"model.{name}": array for name, array in tree_flatten(model.parameters())}
    weights["model.wte.weight"] = weights["model.wte.weight"][: args.vocab_size]
    for layer in range(args.n_layer):
        for name, size in (("c_attn", 3 * args.n_embd), ("c_proj", args.n_embd)):
            weights[f"model.h.{layer}.attn.{name}.bias"] = mx.zeros(size)
    _write_safetensors(folder / WEIGHTS, weights, {"format": "mlx", "step": str(step), "val_loss": repr(val_loss)})
    (folder / TWIN).unlink(missing_ok=True)  # older than this file now


def save_transformers_twin(folder: Path) -> None:
    """Write the weights once more as transformers wants them: other names, and [in, out] instead of [out, in]."""
    twin = {}
    for name, array in mx.load(str(folder / WEIGHTS)).items():
        name = name.replace("model.", "transformer.", 1)
        twin[name] = array.T if name.endswith(CONV1D) else array
    _write_safetensors(folder / TWIN, twin, {"format": "pt"})


def save_state(folder: Path, model: SlipstreamLM, optimizer_state: dict, record: dict) -> None:
    """Write all that a bit-exact resume needs, in one file: raw weights, optimiser and random state, the record."""
    arrays = {f"model.{name}": array for name, array in tree_flatten(model.parameters())}
    arrays |= {f"optimizer.{name}": array for name, array in tree_flatten(optimizer_state)}
    arrays["random_key"] = mx.array(mx.random.state[0])
    (folder / STATE).parent.mkdir(parents=True, exist_ok=True)
    _write_safetensors(folder / STATE, arrays, {"record": json.dumps(record)})


def load_state(folder: Path, model: SlipstreamLM) -> tuple[dict, dict]:
    """Put the saved weights and random state back; return the optimiser's state and the record.

    Raises SlipstreamError if there is nothing to resume, or it is of another model.
    """
    path = folder / STATE
    if not path.is_file():
        raise SlipstreamError(f"nothing to resume in {folder} (no {STATE}): start without --resume")
    try:
        arrays, metadata = mx.load(str(path), return_metadata=True)
        record = json.loads(metadata["record"])
        weights = {name[6:]: array for name, array in arrays.items() if name.startswith("model.")}
        optimizer = [(name[10:], array) for name, array in arrays.items() if name.startswith("optimizer.")]
        high, low = arrays["random_key"].tolist()
    except (RuntimeError, ValueError, KeyError) as error:
        raise SlipstreamError(f"{path} cannot be read ({error}): delete it and start again") from None
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
        fields = ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head")
        return ModelArgs(**{f: config[f] for f in fields}, layer_norm_epsilon=float(config["layer_norm_epsilon"]))
    except (ValueError, AttributeError, TypeError):
        raise SlipstreamError(f"{path} is not valid JSON of a model: train or copy the checkpoint again") from None
    except KeyError as error:
        raise SlipstreamError(f"{path}: {error} is missing: train or copy the checkpoint again") from None


def _read_weights(path: Path, model: SlipstreamLM) -> dict[str, mx.array]:
    """Weights in our names, padding rows put back. Refuses attention biases that are not zero: we have none."""
    try:
        stored = mx.load(str(path))
    except (RuntimeError, ValueError) as error:
        raise SlipstreamError(f"{path} cannot be read ({error}): train or copy the checkpoint again") from None
    weights = {}
    for name, array in stored.items():
        name = name.removeprefix("model.")
        if name.endswith(("attn.c_attn.bias", "attn.c_proj.bias")):
            if mx.any(array != 0).item():
                raise SlipstreamError(f"{path}: {name} is not zero, and Slipstream's attention has no biases")
            continue
        weights[name] = array.astype(mx.float32)
    pads = model.args.padded_vocab_size - model.args.vocab_size
    if "wte.weight" in weights:
        weights["wte.weight"] = mx.pad(weights["wte.weight"], ((0, pads), (0, 0)))
    _check_shapes(path, weights, model)
    return weights


def _check_shapes(path: Path, weights: dict[str, mx.array], model: SlipstreamLM) -> None:
    wanted = {name: array.shape for name, array in tree_flatten(model.parameters())}
    found = {name: array.shape for name, array in weights.items()}
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            raise SlipstreamError(
                f"{path}: {name} should have shape {wanted.get(name)} and has {found.get(name)}: "
                "the weights are of another model"
            )


def _write_safetensors(path: Path, arrays: dict[str, mx.array], metadata: dict[str, str]) -> None:
    temporary = path.with_name(f"{path.stem}.tmp.safetensors")
    mx.save_safetensors(str(temporary), arrays, metadata)
    replace(temporary, path)
