"""At home elsewhere: the real tools, on a checkpoint of ours, with no network."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

import mlx.core as mx
import numpy as np
import pytest

from slipstream_mlx import checkpoint, generate, load
from slipstream_mlx.data import encode_documents, read_documents
from slipstream_mlx.model import ModelArgs, SlipstreamLM
from slipstream_mlx.packing import validation_batches
from slipstream_mlx.step import evaluate
from slipstream_mlx.tokenizer import GPT2Tokenizer

pytestmark = pytest.mark.slow
OFFLINE = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
TEXT = "Monza is a circuit in Italy. Räikkönen won the 2007 title for Ferrari. " * 30


@pytest.fixture
def home(tmp_path):
    """A checkpoint as training writes it: large enough for groups of 32 in quantisation."""
    mx.random.seed(5)
    tokenizer = GPT2Tokenizer.trimmed([TEXT], 512)
    model = SlipstreamLM(ModelArgs(vocab_size=512, n_positions=64, n_embd=64, n_layer=2, n_head=2))
    model.apply(lambda p: p + 0.1 * mx.random.normal(p.shape))
    model.eval()
    folder = tmp_path / "qa"
    checkpoint.save_description(folder, model.args, tokenizer)
    checkpoint.save_weights(folder, model, 1, 1.0)
    checkpoint.save_transformers_twin(folder)
    return folder


def tool(name, *flags, **kwargs) -> subprocess.CompletedProcess:
    done = subprocess.run(
        [sys.executable, "-m", "mlx_lm", name, *map(str, flags)], capture_output=True, text=True, env=OFFLINE, **kwargs
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def answer(home, question):
    model, tokenizer = load(home)
    return generate(model, tokenizer, question, mode="qa", max_tokens=12)


def test_mlx_lm_generate_answers_as_we_do(home):
    done = tool("generate", "--model", home, "--prompt", "Who won?", "--max-tokens", "12", "--temp", "0")
    said = done.stdout.split("==========")[1].strip()
    assert said == answer(home, "Who won?") != ""


def test_mlx_lm_chat_answers_as_we_do(home):
    done = tool("chat", "--model", home, "--max-tokens", "12", input="Who won?\nq\n")
    assert answer(home, "Who won?") in done.stdout


@pytest.mark.parametrize("bits,most", [(8, 0.02), (4, 0.5)])
def test_mlx_lm_convert_quantises(home, tmp_path, bits, most):
    import mlx_lm

    small = tmp_path / f"{bits}bit"
    flags = ["-q", "--q-bits", bits, "--q-group-size", "32"]
    tool("convert", "--hf-path", home, "--mlx-path", small, *flags)
    ours, tokenizer = load(home)
    theirs, _ = mlx_lm.load(str(small))
    tokens = mx.array([tokenizer.encode(TEXT)[:60]])
    off = mx.abs(mx.softmax(ours(tokens), -1) - mx.softmax(theirs(tokens), -1)).sum(-1).mean()
    assert off.item() < most
    assert (small / "model.safetensors").stat().st_size < (home / "model.safetensors").stat().st_size / (16 / bits)
    with pytest.raises(checkpoint.SlipstreamError, match="quantised: open it with"):
        load(small)


def test_mlx_lm_perplexity_is_our_validation_loss(home, tmp_path, capsys):
    import mlx_lm
    from mlx_lm.perplexity import eval_ppl

    (tmp_path / "text.txt").write_text(TEXT)
    ours, tokenizer = load(home)
    data = encode_documents(read_documents([tmp_path / "text.txt"]), tokenizer)
    batches = validation_batches(data, 4, 31, tokenizer.eos_id, 100)
    whole = [(i, t, w) for i, t, w in batches if w.all()]  # eval_ppl scores padding too
    rows = np.concatenate([np.concatenate([i, t[:, -1:]], 1) for i, t, _ in whole]).astype(np.int32)
    theirs, _ = mlx_lm.load(str(home))
    perplexity, _ = eval_ppl(theirs, mx.array(rows))
    assert np.log(perplexity) == pytest.approx(evaluate(ours, whole), rel=1e-4)


def test_mlx_lm_lora_takes_a_step(home, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    chat = {"messages": [{"role": "user", "content": "Who won?"}, {"role": "assistant", "content": "Senna"}]}
    for name in ("train", "valid"):
        (data / f"{name}.jsonl").write_text((json.dumps(chat) + "\n") * 4)
    adapters = tmp_path / "adapters"
    flags = ["--iters", 1, "--batch-size", 1, "--num-layers", 2, "--val-batches", 1, "--steps-per-report", 1]
    tool("lora", "--model", home, "--train", "--data", data, "--adapter-path", adapters, *flags)
    taught = mx.load(str(adapters / "adapters.safetensors"))
    assert any("h.1.attn.c_attn.lora_b" in name and mx.any(array != 0) for name, array in taught.items())
    tool("generate", "--model", home, "--adapter-path", adapters, "--prompt", "Who won?", "--max-tokens", "3")


def test_mlx_lm_server_answers_as_we_do(home):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlx_lm", "server", "--model", str(home), "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=OFFLINE)
    body = {"messages": [{"role": "user", "content": "Who won?"}], "max_tokens": 12, "temperature": 0}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        deadline = time.monotonic() + 90
        while True:
            try:
                with urllib.request.urlopen(request, timeout=60) as reply:
                    said = json.load(reply)["choices"][0]["message"]["content"]
                break
            except OSError:
                assert time.monotonic() < deadline and server.poll() is None
                time.sleep(0.3)
    finally:
        server.terminate()
        server.wait(timeout=20)
    assert said.strip() == answer(home, "Who won?")


def test_transformers_gives_equal_logits_and_the_same_text(home):
    torch = pytest.importorskip("torch")
    from transformers import AutoTokenizer, GPT2LMHeadModel

    theirs, names = GPT2LMHeadModel.from_pretrained(home).eval(), AutoTokenizer.from_pretrained(home)
    ours, tokenizer = load(home)
    prompt = names.apply_chat_template([{"role": "user", "content": "Who won?"}], tokenize=False)
    ids = names(prompt, return_tensors="pt")
    with torch.no_grad():
        logits = theirs(**ids).logits.numpy()
        text = theirs.generate(**ids, max_new_tokens=12, do_sample=False, pad_token_id=names.eos_token_id)
    assert np.abs(np.array(ours(mx.array(ids["input_ids"].numpy()))) - logits).max() < 1e-4
    said = names.decode(text[0, ids["input_ids"].shape[1] :], skip_special_tokens=True)
    assert said.strip() == answer(home, "Who won?")


@pytest.mark.parametrize("prefix,biases", [("transformer.", True), ("", True), ("", False)])
def test_gpt2s_own_layout_loads(tmp_path, prefix, biases):
    """As transformers saves it, and as OpenAI's weights are published: no prefix, masks among the weights."""
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(2)
    shape = {"vocab_size": 300, "n_positions": 32, "n_embd": 32, "n_layer": 2, "n_head": 2}
    theirs = GPT2LMHeadModel(GPT2Config(**shape, bos_token_id=299, eos_token_id=299)).eval()
    with torch.no_grad():
        for name, array in theirs.named_parameters():
            if "attn" not in name or "weight" in name or biases:
                array.add_(0.1 * torch.randn_like(array))
    theirs.save_pretrained(tmp_path)
    tokenizer = GPT2Tokenizer.trimmed([TEXT], 300)
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer.to_json()))
    weights = {name.removeprefix("transformer."): array for name, array in theirs.state_dict().items()}
    if prefix == "":
        weights |= {f"h.{i}.attn.bias": torch.ones(1, 1, 32, 32).tril() for i in range(2)}
        weights |= {"h.0.attn.masked_bias": torch.tensor(-1e4), "lm_head.weight": theirs.lm_head.weight.clone()}
        save_file({k: v.contiguous() for k, v in weights.items()}, tmp_path / "model.safetensors", {"format": "pt"})
    else:
        assert any(name.startswith(prefix) for name in mx.load(str(tmp_path / "model.safetensors")))
    ours, _ = load(tmp_path)
    tokens = np.arange(20)[None] * 7 % 299
    with torch.no_grad():
        logits = theirs(torch.tensor(tokens)).logits.numpy()
    assert ours.args.attention_bias is biases
    assert np.abs(np.array(ours(mx.array(tokens))) - logits).max() < 1e-4


def test_variants_of_gpt2_that_we_do_not_have_are_refused(home):
    for key, value in {"activation_function": "relu", "tie_word_embeddings": False, "n_inner": 99}.items():
        config = json.loads((home / "config.json").read_text())
        (home / "config.json").write_text(json.dumps(config | {key: value}))
        with pytest.raises(checkpoint.SlipstreamError, match=f"{key} is .* and Slipstream has only"):
            load(home)
        (home / "config.json").write_text(json.dumps(config))


def test_lm_evaluation_harness_asks_as_we_do(home, tmp_path):
    """Its own question-answering task, over mlx-lm's model, must find every answer that we give (and no others)."""
    pytest.importorskip("lm_eval", reason="lm-evaluation-harness is not installed: pip install lm-eval")
    questions = ["Who won?", "Where is Monza?", "Which team?"]
    rows = [{"question": q, "answer": answer(home, q)} for q in questions] + [{"question": "When?", "answer": "never"}]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    task = {
        "task": "slipstream_qa", "dataset_path": "json", "test_split": "train", "output_type": "generate_until",
        "dataset_kwargs": {"data_files": str(tmp_path / "rows.jsonl")}, "doc_to_text": "{{question}}",
        "doc_to_target": "{{answer}}", "generation_kwargs": {"max_gen_toks": 12, "until": ["<|endoftext|>"]},
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    }  # fmt: skip
    script = f"""
import json
import lm_eval
from mlx_lm.evaluate import MLXLM, chat_template_fn
from mlx_lm.sample_utils import make_sampler
model = MLXLM({str(home)!r}, max_tokens=12, use_chat_template=True, sampler=make_sampler(temp=0.0))
MLXLM.apply_chat_template = chat_template_fn()
found = lm_eval.simple_evaluate(model=model, tasks=[json.loads({json.dumps(task)!r})], apply_chat_template=True)
print("exact_match", found["results"]["slipstream_qa"]["exact_match,none"])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=OFFLINE)
    assert "exact_match 0.75" in done.stdout, done.stdout[-500:] + done.stderr[-3000:]
