"""What to say when something is not there or cannot be read: never a stack trace, always a command."""

import logging

from .checkpoints import Checkpoints
from .engine import RequestError
from .markup import notice
from .worker import Stopped

TRAIN = ("make quickstart", "make pretrain finetune")
log = logging.getLogger("slipstream.demo")


def missing_page(checkpoints: Checkpoints) -> str:
    """The page for an app whose models are missing or broken; "" if both are well."""
    usable = checkpoints.usable()
    folders = [checkpoints.folders()[name] for name in usable]
    absent = [folder for folder in (checkpoints.base, checkpoints.qa) if folder.resolve() not in folders]
    broken = [text for folder, text in checkpoints.problems.items() if folder in folders]
    if broken:
        return notice("A checkpoint cannot be used", " ".join(dict.fromkeys(broken)), *TRAIN)
    if not absent:
        return ""
    where = " and ".join(str(folder) for folder in absent)
    if not usable:
        return notice(
            "There is no trained model yet",
            f"I looked in {where}. Train one (the first command takes about five minutes on two cores, the second "
            "trains the real one), then press “Look again”. While it trains, the Training tab shows how it goes.",
            *TRAIN,
        )
    return notice("One of the two models is missing", f"There is no trained model in {where}. To make it:", *TRAIN)


def explain(error: Exception) -> str:
    """An error as a panel. What a user can put right says how; anything else is logged and stays short."""
    from slipstream_mlx import SlipstreamError

    if isinstance(error, RequestError):
        return notice("Not like this", str(error))
    if isinstance(error, Stopped):
        return notice("Stopped", str(error))
    if isinstance(error, SlipstreamError):
        text = str(error)
        commands = TRAIN if "checkpoint" in text or "trained model" in text or "weights" in text else ()
        return notice("That did not work", text, *commands)
    log.error("unexpected error in the demo", exc_info=error)
    return notice(
        "That did not work",
        "Something unexpected happened; the demo's terminal says what. If it is the checkpoint, train it again:",
        *TRAIN,
    )


def one_line(error: Exception) -> str:
    """The same for a program that calls the API."""
    from slipstream_mlx import SlipstreamError

    if isinstance(error, RequestError | SlipstreamError | Stopped):
        return " ".join(str(error).split())
    log.error("unexpected error in the demo", exc_info=error)
    return "something unexpected happened; the demo's terminal says what"
