"""One command measures everything, stores it under a new name, and goes on when a benchmark fails."""

import importlib
import json
from pathlib import Path

import bench
import pytest
from draw_results import draw_limits, draw_ratios
from side_by_side import Row, run

from mmdetpre.operators.stand_in import operators_in_use

ROWS = (
    Row(what="merge", unit="ms", ours=1.0, theirs=4.0, against="mmcv", gain=9, reason="it is so"),
    Row(what="decode", unit="images/s", ours=30.0, limit=40.0, limit_is="decoding"),
)
SCRIPT = """
from side_by_side import Row, run

def rows(args):
    {body}

if __name__ == "__main__":
    raise SystemExit(run(__doc__, rows))
"""


@pytest.fixture
def benchmarks(tmp_path, monkeypatch):
    """A folder with a benchmark that works, and one that fails."""
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(Path(bench.__file__).parent))
    rows = ", ".join(map(repr, ROWS))
    (folder / "good.py").write_text('"""A good one.\n\nMore."""' + SCRIPT.format(body=f"return [{rows}]"))
    body = f"yield {ROWS[1]!r}\n    raise RuntimeError('the results differ')"
    (folder / "bad.py").write_text('"""A bad one."""' + SCRIPT.format(body=body))
    monkeypatch.setattr(bench, "HERE", folder)
    monkeypatch.setattr(bench, "BENCHMARKS", ("good", "bad"))
    return folder


def command(monkeypatch, *words):
    monkeypatch.setattr("sys.argv", ["bench.py", *map(str, words)])
    return bench.main()


def test_the_table_is_printed_and_stored(benchmarks, tmp_path, monkeypatch, capsys):
    assert command(monkeypatch, "good", "--out", tmp_path / "out") == 0
    printed = capsys.readouterr().out
    (stored,) = (tmp_path / "out").glob("*.json")
    text = stored.with_suffix(".md").read_text()
    for where in (printed, text):
        assert "A good one" in where and "4.00 x" in where and "MISSED merge: it is so" in where
        assert "numpy " in where and "cores" in where
        assert f"operators: {operators_in_use()}" in where
    assert json.loads(stored.read_text())["topics"][0]["rows"][0]["gain"] == 9
    assert command(monkeypatch, "--show", stored) == 0
    assert "4.00 x" in capsys.readouterr().out


def test_a_failure_is_named_and_the_others_go_on(benchmarks, tmp_path, monkeypatch, capsys):
    assert command(monkeypatch, "bad", "good", "--out", tmp_path / "out") == 1
    printed = capsys.readouterr().out
    assert "the results differ" in printed and "4.00 x" in printed
    text = next((tmp_path / "out").glob("*.md")).read_text()
    assert "the results differ" in text
    assert text.count("| decode |") == 2, "what was measured before the failure is kept"


def test_nothing_is_overwritten(benchmarks, tmp_path, monkeypatch):
    for _ in range(2):
        command(monkeypatch, "good", "--out", tmp_path / "out")
    assert len(list((tmp_path / "out").glob("*.json"))) == 2


def test_an_unknown_name_lists_those_there_are(monkeypatch, capsys):
    with pytest.raises(SystemExit):
        command(monkeypatch, "chips")
    assert "no benchmark is called chips: choose from chip_mining" in capsys.readouterr().err


def test_a_missing_result_says_where_they_are(tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        command(monkeypatch, "--show", tmp_path / "none.json")
    assert "there is no" in capsys.readouterr().err


@pytest.mark.parametrize("words", ["trimap --voc", "chip_loader --photos", "region_decoding --photos", "voc_ap --voc"])
def test_missing_data_is_one_line(words, tmp_path, monkeypatch, capsys):
    name, option = words.split()
    module = importlib.import_module(name)
    monkeypatch.setattr("sys.argv", [f"{name}.py", option, str(tmp_path / "nowhere")])
    assert run(module.__doc__, module.rows, module.arguments) == 1
    assert capsys.readouterr().err.startswith(f"{name}.py: ")


def test_ctrl_c_keeps_what_was_measured(benchmarks, tmp_path, monkeypatch):
    measure = bench.measure

    def stop_at_the_second(name):
        if name == "bad":
            raise KeyboardInterrupt
        return measure(name)

    monkeypatch.setattr(bench, "measure", stop_at_the_second)
    assert command(monkeypatch, "--out", tmp_path / "out") == 1
    (stored,) = (tmp_path / "out").glob("*.json")
    assert [topic["name"] for topic in json.loads(stored.read_text())["topics"]] == ["good"]


def test_every_benchmark_is_in_the_table():
    folder = Path(bench.__file__).parent
    scripts = {path.stem for path in folder.glob("*.py") if "def rows(" in path.read_text()}
    assert scripts - {"gpu", "region_decoding"} == set(bench.BENCHMARKS), "the latter needs a package of its own"
    assert all(len(bench.title(name)) > 20 for name in bench.BENCHMARKS)


def test_stored_results_of_the_project_can_be_shown_and_drawn(capsys):
    for path in (Path(bench.__file__).parent / "results").glob("*.json"):
        result = json.loads(path.read_text())
        bench.show(result)
        rows = [Row(**row) for topic in result["topics"] for row in topic["rows"]]
        assert "no reason is known" not in capsys.readouterr().out
        for figure in (draw_ratios(result, rows), draw_limits(result, rows)):
            assert figure.axes[0].patches
