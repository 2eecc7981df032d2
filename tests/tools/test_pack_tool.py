from pathlib import Path

from mmengine import fileio

TOOL = Path(__file__).resolve().parents[2] / "tools" / "dataset_converters" / "pack.py"
CONFIG = TOOL.parents[2] / "configs" / "det" / "sniper_openimages_sample.py"


def test_a_config_is_packed_and_the_line_for_training_is_printed(run_tool_here, tiny_sample, tmp_path):
    part = "train_dataloader.dataset.dataset"
    options = [f"{part}.data_root={tiny_sample}/", f"{part}.cache_dir={tmp_path / 'tables'}"]
    arguments = [CONFIG, "--out", tmp_path / "out", "--per-shard", 10, "--cfg-options", *options]
    done = run_tool_here(TOOL, *arguments)
    assert done.returncode == 0, done.stderr
    first, line = done.stdout.splitlines()[-2:]
    assert first == "24 images in 3 shards. To train from them:"
    args = eval(line.partition("= ")[2])
    photos = sorted(Path(args["root"]).glob("*.jpg"))
    assert [fileio.get(str(photo), args) for photo in photos] == [photo.read_bytes() for photo in photos]
    done = run_tool_here(TOOL, *arguments)
    assert (done.returncode, done.stderr) == (
        1,
        f"pack: {tmp_path / 'out'} holds finished shards: choose another folder, or remove it to pack again.\n",
    )


def test_damaged_images_of_a_folder_are_named(run_tool_here, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_text("no image")
    done = run_tool_here(TOOL, tmp_path / "in", "--out", tmp_path / "out")
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == (
        "1 of them are damaged or no images, and were packed as they are: a.jpg"
    )


def test_what_is_not_there_is_one_message(run_tool_here, tmp_path):
    done = run_tool_here(TOOL, tmp_path / "none.py", "--out", tmp_path / "out")
    assert (done.returncode, done.stderr) == (1, f"pack: There is no config {tmp_path / 'none.py'}.\n")
