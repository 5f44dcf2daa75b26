import subprocess
import sys

import pytest

from slipstream_mlx.cli import STAGES, main


def test_help_lists_every_stage(capsys):
    main([])
    out = capsys.readouterr().out
    assert all(stage in out for stage in STAGES)


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_has_help_for_every_flag(stage, capsys):
    with pytest.raises(SystemExit) as stop:
        main([stage, "--help"])
    out = capsys.readouterr().out
    assert stop.value.code == 0
    flags = [line for line in out.splitlines() if line.startswith("  --")]
    assert len(flags) >= 3


def test_unknown_stage(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["race"])
    assert stop.value.code == 2 and "no stage 'race'" in capsys.readouterr().err


def test_a_closed_pipe_is_no_error():
    command = f"{sys.executable} -m slipstream_mlx.cli | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert done.stdout.startswith("usage") and "Traceback" not in done.stderr
