"""A checkpoint or a source that means harm: nothing of it runs, and nothing is written or read elsewhere."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from slipstream_mlx import SlipstreamError, checkpoint, load
from slipstream_mlx.cli import main


class Payload:
    """Whoever unpickles this runs a shell command."""

    def __init__(self, command: str):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.fixture
def trap(tmp_path):
    """The file that appears when somebody's code has run."""
    return tmp_path / "sprung"


@pytest.fixture
def malicious(saved, trap):
    """A checkpoint with every trick that we know of, and good weights: it is to be used, and nothing of it to run."""
    touch = f"touch {trap}"
    code = f"import os\nos.system({touch!r})\n"
    jinja = "{{ cycler.__init__.__globals__.os.popen('" + touch + "').read() }}{{ ''.__class__.__mro__ }}"
    config = json.loads((saved / "config.json").read_text())
    config |= {"model_file": "evil.py", "auto_map": {"AutoModelForCausalLM": "evil.Model"}, "trust_remote_code": True,
               "transformers_weights": "../../../../etc/passwd", "chat_template": jinja}  # fmt: skip
    (saved / "config.json").write_text(json.dumps(config))
    tokenizer_config = json.loads((saved / "tokenizer_config.json").read_text())
    tokenizer_config |= {"auto_map": {"AutoTokenizer": ["evil.Tokenizer", None]}, "chat_template": jinja}
    (saved / "tokenizer_config.json").write_text(json.dumps(tokenizer_config))
    (saved / "chat_template.jinja").write_text(jinja)
    for name in ("evil.py", "__init__.py", "modeling_gpt2.py", "sitecustomize.py", "json.py", "conftest.py"):
        (saved / name).write_text(code)
    bomb = pickle.dumps(Payload(touch))
    for name in ("pytorch_model.bin", "training_args.bin", "optimizer.pt", "model.pkl", "state.npz", "vocab.pkl"):
        (saved / name).write_bytes(bomb)
    training = {"preset": "nano", "stage": jinja, "command": ["sh", "-c", touch], "history": [], "base": f"$({touch})"}
    (saved / "training.json").write_text(json.dumps(training))
    return saved


def test_the_trap_works(trap):
    pickle.loads(pickle.dumps(Payload(f"touch {trap}")))
    assert trap.exists()


def test_nothing_runs(malicious, trap, capsys, tmp_path):
    (tmp_path / "q.jsonl").write_text('{"question": "{{ 7*7 }}", "answer": "x"}')
    load(malicious)
    main(["generate", "--model", str(malicious), "--mode", "qa", "--prompt", "Who?", "--max-tokens", "2"])
    main(["eval_qa", "--model", str(malicious), "--questions", str(tmp_path / "q.jsonl")])
    with pytest.raises(SystemExit):
        main(["finetune_qa", "--model", str(malicious), "--out", str(tmp_path / "out"), "--context", "999"])
    from slipstream_mlx.report import plot_loss

    training = json.loads((malicious / "training.json").read_text())
    training |= {"history": [{"step": 1, "loss": 1.0, "val_loss": 1.0}], "best_step": 1, "best_val_loss": 1.0}
    (malicious / "training.json").write_text(json.dumps(training))
    plot_loss(malicious)
    assert not trap.exists()


@pytest.mark.parametrize("name", ["model.safetensors", "state/last.safetensors"])
def test_a_pickle_in_the_place_of_weights_is_refused(saved, model, trap, name):
    (saved / "state").mkdir()
    (saved / name).write_bytes(pickle.dumps(Payload(f"touch {trap}")))
    with pytest.raises(SlipstreamError, match="cannot be read"):
        load(saved) if name.startswith("model") else checkpoint.load_state(saved, model, {})
    assert not trap.exists()


def test_only_the_checkpoints_own_three_files_are_opened(malicious, trap):
    """Seen from outside: every file that Python opens while a checkpoint is loaded, and any code that it executes."""
    script = f"""
import sys
from slipstream_mlx import load, generate, checkpoint
import slipstream_mlx.tokenizer
slipstream_mlx.tokenizer._byte_chars()
seen = []
sys.addaudithook(lambda event, args: seen.append((event, str(args[0]))) if event in ("open", "exec", "import",
    "os.system", "subprocess.Popen", "os.posix_spawn", "os.fork", "pickle.find_class", "socket.connect") else None)
load({str(malicious)!r})
found = list(seen)
print(*sorted({{f"{{event}} {{what}}" for event, what in found}}), sep="\\n")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    names = ("config.json", "model.safetensors", "tokenizer.json")
    opened = {line for line in done.stdout.splitlines() if not line.startswith("import ")}
    assert opened == {f"open {malicious / name}" for name in names}
    assert not trap.exists()


def test_the_demo_runs_nothing_either(malicious, trap):
    pytest.importorskip("gradio")
    from demo.checkpoints import Checkpoints

    checkpoints = Checkpoints(malicious, malicious.parent / "qa")
    for name in checkpoints.usable():
        checkpoints.load(name)
        checkpoints.training(name)
    assert checkpoints.usable() and not trap.exists()


def test_other_tools_refuse_it_too(malicious, trap):
    """Not our doing, but it is what our layout relies on: no trust flag is needed, so none is given."""
    import mlx_lm
    from jinja2.exceptions import SecurityError
    from transformers import PreTrainedTokenizerFast

    with pytest.raises(ValueError, match="custom module"):
        mlx_lm.load(str(malicious))
    tokenizer = PreTrainedTokenizerFast.from_pretrained(malicious)
    with pytest.raises(SecurityError):
        tokenizer.apply_chat_template([{"role": "user", "content": "Who?"}], tokenize=False)
    assert not trap.exists()


def test_a_wiki_cannot_choose_where_its_articles_go(tmp_path):
    from slipstream_mlx.corpus.wikipedia import MANIFEST, read_articles, survey_titles

    class Wiki:
        report = None

        def query(self, **_):
            page = {"pageid": "../../evil", "revisions": [{"revid": 1, "timestamp": ""}], "fullurl": ""}
            return {"pages": {"Monza": page}}

    survey = survey_titles(Wiki(), {"Monza": "circuits"})
    assert survey.missing == ["Monza"] and not survey.pages
    entry = {"page_id": 1, "title": "", "url": "", "licence": "", "sha256": "", "file": "../../secret.json"}
    (tmp_path / MANIFEST).write_text(json.dumps({"articles": [entry]}))
    with pytest.raises(SlipstreamError, match="is not a manifest"):
        list(read_articles(tmp_path))


def test_a_link_in_a_corpus_folder_is_read_as_the_text_it_is(tmp_path):
    """A corpus is what its owner points at, links included; a folder that links to itself does not hang."""
    from slipstream_mlx.data import read_documents

    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "a.txt").write_text("Monza")
    (folder / "loop").symlink_to(folder)
    assert [Path(d.source).name for d in read_documents([folder])] == ["a.txt"]
