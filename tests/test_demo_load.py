"""Sixteen users at once, twenty requests each: none lost, none crossed, and no memory kept."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

pytestmark = pytest.mark.slow
gradio_client = pytest.importorskip("gradio_client")
from demo_helpers import DemoProcess, save_pair  # noqa: E402

from slipstream_mlx import generate, load  # noqa: E402

USERS, REQUESTS, WARM_UP = 16, 20, 4
MOST_GROWTH_MIB = 40


def request(user, number):
    """What a user asks: every prompt and seed in the test is another."""
    settings = {"max_tokens": 12, "temperature": 1.0, "seed": 1000 * user + number}
    return f"User {user} asks {number} about Monza", "qa" if number % 2 else "completion", settings


def test_sixteen_users_at_once(tmp_path):
    folders = dict(zip(("completion", "qa"), save_pair(tmp_path), strict=True))
    with DemoProcess(*folders.values()) as demo:
        patient = {"timeout": 120}  # httpx gives up after five seconds, which a busy machine may need
        clients = [gradio_client.Client(demo.url, verbose=False, httpx_kwargs=patient) for _ in range(USERS)]

        def one_user(user, requests=REQUESTS):
            answers = []
            for number in range(requests):
                prompt, mode, settings = request(user, number)
                answers.append(clients[user].predict(prompt, mode=mode, **settings, api_name="/generate")["text"])
            return answers

        with ThreadPoolExecutor(USERS) as pool:
            list(pool.map(one_user, range(USERS), [WARM_UP] * USERS))  # what is made once is made now
            before, began = demo.memory_mib(), time.perf_counter()
            answers = list(pool.map(one_user, range(USERS)))
            after, seconds = demo.memory_mib(), time.perf_counter() - began
        status = demo.stop()
    assert [len(row) for row in answers] == [REQUESTS] * USERS
    models = {mode: load(folder) for mode, folder in folders.items()}
    for user, row in enumerate(answers):
        for number, text in enumerate(row):
            prompt, mode, settings = request(user, number)
            assert text == generate(*models[mode], prompt, mode=mode, **settings), (user, number)
    print(f"{USERS * REQUESTS} requests in {seconds:.0f} s, memory {before:.0f} -> {after:.0f} MiB")
    assert after - before < MOST_GROWTH_MIB
    assert status == 0 and "Traceback" not in demo.output, demo.output
