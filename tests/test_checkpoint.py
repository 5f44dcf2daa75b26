import json

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten

from slipstream_mlx import SlipstreamError, checkpoint, load
from slipstream_mlx.prompts import qa_prompt


def test_round_trip(saved, model, tokenizer):
    loaded, loaded_tokenizer = load(saved)
    for (name, a), (_, b) in zip(tree_flatten(model.parameters()), tree_flatten(loaded.parameters()), strict=True):
        rows = model.args.vocab_size if name == "wte.weight" else None  # padding rows are not saved
        assert (np.array(a)[:rows] == np.array(b)[:rows]).all(), name
    assert loaded_tokenizer.encode("Monza 1988") == tokenizer.encode("Monza 1988")


def test_the_contract_of_names_and_shapes(saved):
    config = json.loads((saved / "config.json").read_text())
    wanted = {"model_type", "n_ctx", "n_embd", "n_head", "n_layer", "n_positions", "layer_norm_epsilon", "vocab_size"}
    assert wanted <= config.keys() and config["tie_word_embeddings"] is True
    weights = mx.load(str(saved / "model.safetensors"))
    assert weights["model.wte.weight"].shape == (300, 32)
    assert weights["model.h.1.attn.c_attn.weight"].shape == (96, 32)  # Linear: [out, in]
    assert float(mx.abs(weights["model.h.0.attn.c_proj.bias"]).max()) == 0
    assert all(name.startswith("model.") for name in weights) and "lm_head.weight" not in weights
    assert not [p.name for p in saved.rglob("*") if p.suffix in (".py", ".pkl", ".pt", ".bin")]


def test_mlx_lm_generates_the_same_greedy_text(saved, model, tokenizer):
    import mlx_lm

    from slipstream_mlx import generate

    other, other_tokenizer = mlx_lm.load(str(saved))
    theirs = mlx_lm.generate(other, other_tokenizer, "The 1988 race", max_tokens=12)
    assert generate(model, tokenizer, "The 1988 race", max_tokens=12, temperature=0) == theirs


def test_transformers_reads_text_and_weights(saved, model, tokenizer):
    torch = pytest.importorskip("torch")
    from transformers import AutoTokenizer, GPT2LMHeadModel

    theirs = AutoTokenizer.from_pretrained(saved)
    ids = theirs("Räikkönen at Monza")["input_ids"]
    assert ids == tokenizer.encode("Räikkönen at Monza") and theirs.eos_token_id == tokenizer.eos_id
    other = GPT2LMHeadModel.from_pretrained(saved).eval()
    with torch.no_grad():
        logits = other(torch.tensor([ids])).logits.numpy()
    assert np.abs(np.array(model(mx.array([ids]))) - logits).max() < 1e-4


def test_the_chat_template_is_the_training_prompt(saved):
    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(saved)
    chat = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "Who won in 1988?"}]
    assert theirs.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) == qa_prompt("Who won in 1988?")
    chat += [{"role": "assistant", "content": "Ayrton Senna"}]
    assert (
        theirs.apply_chat_template(chat, tokenize=False) == qa_prompt("Who won in 1988?") + " Ayrton Senna<|endoftext|>"
    )


def test_new_weights_make_the_old_twin_go(saved, model):
    checkpoint.save_weights(saved, model, step=2, val_loss=0.5)
    assert not (saved / "transformers.safetensors").exists()


def damage_config(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({k: v for k, v in (config | changes).items() if v is not None}))


@pytest.mark.parametrize(
    "damage,message",
    [
        (lambda f: (f / "model.safetensors").unlink(), "holds no trained model"),
        (lambda f: (f / "tokenizer.json").unlink(), "tokenizer.json is missing"),
        (lambda f: (f / "config.json").write_text("{"), "not valid JSON"),
        (lambda f: (f / "config.json").write_text("[]"), "not valid JSON"),
        (lambda f: damage_config(f, n_layer=None), "'n_layer' is missing"),
        (lambda f: damage_config(f, n_layer=3), "has 2 layers and config.json says 3"),
        (lambda f: damage_config(f, n_layer=-1), "n_layer must be"),
        (lambda f: damage_config(f, vocab_size=299), "they are of two checkpoints"),
        (lambda f: damage_config(f, model_type="llama"), "model_type is 'llama'"),
        (lambda f: damage_config(f, layer_norm_epsilon="tiny"), "not valid JSON"),
        (lambda f: (f / "model.safetensors").write_bytes(b"\x00" * 50), "cannot be read"),
        (
            lambda f: (f / "model.safetensors").write_bytes((f / "model.safetensors").read_bytes()[:900]),
            "cannot be read",
        ),
    ],
)
def test_broken_checkpoints_are_named(saved, damage, message):
    damage(saved)
    with pytest.raises(SlipstreamError, match=message):
        load(saved)


def test_real_attention_biases_are_kept(saved, tmp_path):
    """GPT-2's own weights have them, ours are written as zeros and left out again."""
    import mlx_lm

    assert not load(saved)[0].args.attention_bias
    weights = dict(mx.load(str(saved / "model.safetensors")))
    weights["model.h.0.attn.c_attn.bias"] = mx.ones(96)
    mx.eval(weights)
    mx.save_safetensors(str(saved / "model.safetensors"), weights)
    model, tokenizer = load(saved)
    checkpoint.save_description(tmp_path / "again", model.args, tokenizer)
    checkpoint.save_weights(tmp_path / "again", model, step=1, val_loss=1.0)
    again, _ = load(tmp_path / "again")
    theirs, _ = mlx_lm.load(str(tmp_path / "again"))
    tokens = mx.array([[1, 2, 3]])
    for other in (again, theirs):
        assert float(mx.abs(model(tokens) - other(tokens)).max()) < 1e-4


def test_no_folder(tmp_path):
    with pytest.raises(SlipstreamError, match="make pretrain"):
        load(tmp_path / "nothing")
