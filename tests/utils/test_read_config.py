import pytest
from mmengine.config import Config

from mmdetpre.utils.read_config import read_config, set_image_backend

TAR = {"backend": "mmdetpre.TarShards", "shards": "there", "root": "data"}


def test_all_images_of_a_config_come_from_one_place(repository):
    cfg = read_config(repository / "configs/det/sniper_openimages.py", {"img_backend_args": TAR})
    chips = cfg.train_dataloader.dataset
    assert chips.pipeline[0].backend_args == chips.dataset.img_backend_args == TAR
    assert cfg.test_dataloader.dataset.pipeline[0].backend_args == cfg.test_dataloader.dataset.img_backend_args == TAR
    assert "backend_args" not in chips.dataset and "backend_args" not in chips.pipeline[1]


def test_a_place_for_each_dataloader(repository):
    cfg = read_config(repository / "configs/det/sniper_openimages.py", {"img_backend_args": {"train": TAR}})
    assert cfg.train_dataloader.dataset.pipeline[0].backend_args == TAR
    assert "img_backend_args" not in cfg.val_dataloader.dataset


@pytest.mark.parametrize("name", ["seg/deeplab_voc.py", "cls/caltech256.py"])
def test_pipelines_of_the_other_toolboxes(repository, name):
    cfg = read_config(repository / "configs" / name, {"img_backend_args": TAR})
    loaders = [step for step in cfg.train_dataloader.dataset.pipeline if step.type.endswith("LoadImageFromFile")]
    assert loaders and all(step.backend_args == TAR for step in loaders)


@pytest.mark.parametrize("wrong", [{"train": "there"}, {"val": {"shards": "there"}}])
def test_what_names_no_backend_is_refused(wrong):
    with pytest.raises(ValueError, match="img_backend_args is .*: write dict"):
        set_image_backend(Config({"img_backend_args": wrong}))
