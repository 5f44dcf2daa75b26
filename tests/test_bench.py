import json

from slipstream_mlx.bench import interleave, main


def test_runs_take_turns_and_the_median_is_told():
    order, values = [], iter([1, 100, 5, 20, 3, 10, 4, 30])

    def run(name):
        def measured():
            order.append(name)
            return next(values)

        return measured

    speeds = interleave({"a": run("a"), "b": run("b")}, repeats=3)
    assert order == ["a", "b"] * 4
    assert speeds["a"] == {"median": 4, "lowest": 3, "highest": 5} and speeds["b"]["median"] == 20


def test_command_ends_with_one_json_line(capsys):
    main(["--preset", "token-forge", "--repeats", "1", "--tokens", "5"])
    out = capsys.readouterr().out
    result = json.loads(out.strip().splitlines()[-1])
    assert result["training"]["median"] > 0 and result["generation"]["mlx-lm"]["median"] > 0
