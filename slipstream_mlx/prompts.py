"""What the model reads when it is asked something. One format, rendered in one place, for training and for use."""

import numpy as np

from .tokenizer import Tokenizer

COMPLETION_TEMPLATES = {
    "driver": "{} is a Formula One driver who",
    "team": "{} is a Formula One team that",
    "circuit": "{} is a Formula One circuit in",
    "season": "The {} Formula One season was",
    "race": "The {} Grand Prix was won by",
}


def qa_prompt(question: str) -> str:
    """The text before an answer. The answer follows after a space and ends with <|endoftext|>."""
    return f"Question: {question}\nAnswer:"


def encode_prompt(tokenizer: Tokenizer, text: str, mode: str = "completion") -> list[int]:
    """A prompt's token ids, as the model saw them in training. `mode` is "completion" or "qa"."""
    return tokenizer.encode(qa_prompt(" ".join(text.split())) if mode == "qa" else text)


def encode_pair(tokenizer: Tokenizer, question: str, answer: str) -> tuple[np.ndarray, np.ndarray]:
    """A question and its answer as token ids, and a mask that is True on the answer and its end token alone.

    The two parts are encoded apart, because in use the prompt is encoded before there is an answer.
    """
    prompt = encode_prompt(tokenizer, question, "qa")
    reply = [*tokenizer.encode(" " + " ".join(answer.split())), tokenizer.eos_id]
    return np.array(prompt + reply), np.arange(len(prompt) + len(reply)) >= len(prompt)


def chat_template() -> str:
    """The same format as a Jinja template, for mlx-lm's and transformers' chat tools. System messages are skipped."""
    question = qa_prompt("{{ message['content'] }}")
    return (
        "{%- for message in messages -%}"
        "{%- if message['role'] == 'user' -%}" + question + "{%- elif message['role'] == 'assistant' -%}"
        "{{ ' ' + message['content'] + '<|endoftext|>' }}{%- endif -%}"
        "{%- endfor -%}"
    )
