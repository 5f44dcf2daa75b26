"""Which checkpoints there are, what they are for, and the few that are held in memory."""

import json
import os
from collections import OrderedDict
from pathlib import Path

MAX_LOADED = 4  # models kept in memory at once; the one not used for longest makes room
MAX_LISTED = 200
COMPLETION, QA = "completion", "qa"


class Checkpoints:
    """The checkpoint folders around `base` and `qa`, by short names.

    Only folders found here can be named by a user: no other path is ever opened.
    """

    def __init__(self, base: str | Path, qa: str | Path):
        self.base, self.qa = Path(base), Path(qa)
        self.problems: dict[Path, str] = {}  # what went wrong when a folder was last loaded
        self._loaded: OrderedDict[tuple[Path, float], tuple] = OrderedDict()

    def folders(self) -> dict[str, Path]:
        """Name -> folder, base and qa first; then every folder beside them that holds a config.json."""
        found = {}
        for folder in [self.base, self.qa, *self._beside()]:
            if (folder / "config.json").is_file() or (folder / "training.json").is_file():
                path = folder.resolve()
                if path not in found.values() and len(found) < MAX_LISTED:
                    found[self._name(folder, found)] = path
        return found

    def names(self) -> list[str]:
        return list(self.folders())

    def usable(self) -> list[str]:
        """Names of the folders that hold weights."""
        return [name for name, folder in self.folders().items() if (folder / "model.safetensors").is_file()]

    def default(self, mode: str) -> str | None:
        """The name to show first: --base for completion, --qa for answers, or whatever else is of that mode."""
        wanted = (self.qa if mode == QA else self.base).resolve()
        names = self.usable()
        folders = self.folders()
        of_mode = [name for name in names if self.mode(name) == mode]
        return next((n for n in names if folders[n] == wanted), None) or next(iter(of_mode or names), None)

    def mode(self, name: str) -> str:
        """What a checkpoint was trained for: "qa" or "completion"."""
        folder = self.folders().get(name)
        if folder is None:
            return COMPLETION
        stage = self.training(name).get("stage")
        return QA if stage == "finetune_qa" or (stage is None and folder == self.qa.resolve()) else COMPLETION

    def training(self, name: str) -> dict:
        """What training.json says, or {} where there is none that can be read."""
        folder = self.folders().get(name)
        return read_json(folder / "training.json") if folder else {}

    def load(self, name: str) -> tuple:
        """Model and tokenizer. Call it on the worker thread. Raises SlipstreamError that says what to do."""
        from slipstream_mlx import SlipstreamError, load

        folder = self.folders().get(name)
        if folder is None:
            raise SlipstreamError(f"there is no checkpoint {str(name)[:80]!r} here: choose one from the list")
        weights = folder / "model.safetensors"
        key = (folder, weights.stat().st_mtime if weights.is_file() else 0.0)  # a model trained on is read again
        if key not in self._loaded:
            for old in [old for old in self._loaded if old[0] == folder]:
                del self._loaded[old]
            while len(self._loaded) >= MAX_LOADED:
                self._loaded.popitem(last=False)
            try:
                self._loaded[key] = load(folder)
            except Exception as error:
                self.problems[folder] = str(error)
                raise
            self.problems.pop(folder, None)
        self._loaded.move_to_end(key)
        return self._loaded[key]

    def _beside(self) -> list[Path]:
        folders = []
        for root in dict.fromkeys([self.base.parent, self.qa.parent]):
            try:
                children = sorted(Path(entry.path) for entry in os.scandir(root) if entry.is_dir())
            except OSError:
                continue
            for child in children[:MAX_LISTED]:
                folders.append(child)
                if not (child / "config.json").is_file():  # a folder of checkpoints: look once inside
                    try:
                        folders += sorted(Path(e.path) for e in os.scandir(child) if e.is_dir())[:MAX_LISTED]
                    except OSError:
                        continue
        return folders

    def _name(self, folder: Path, taken: dict) -> str:
        for root in (self.base.parent, self.qa.parent):
            if folder.is_relative_to(root):
                name = folder.relative_to(root).as_posix()
                if name not in taken:
                    return name
        return folder.resolve().as_posix()


def read_json(path: Path) -> dict:
    """A JSON object from a file, or {} if there is none, or none that can be read (it may be half written)."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
