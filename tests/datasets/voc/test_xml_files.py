import numpy as np
import pytest

from mmdetpre.datasets.packed.annotations import DIFFICULT, OCCLUDED, TRUNCATED
from mmdetpre.datasets.voc import xml_files as voc_xml
from mmdetpre.datasets.voc.xml_files import read_xml_files


def test_processes_give_what_threads_give(tiny_voc, monkeypatch, tmp_path):
    paths = [str(path) for path in sorted((tiny_voc / "VOCdevkit/VOC2012/Annotations").iterdir())]
    monkeypatch.setattr(voc_xml, "_BLOCK", 7)
    threads = read_xml_files(paths)
    monkeypatch.setattr(voc_xml, "_MANY", 1)
    processes = read_xml_files(paths)
    for name in ("sizes", "image", "boxes", "flags"):
        np.testing.assert_array_equal(getattr(threads, name), getattr(processes, name))
    assert threads.names == processes.names and len(threads.names) > 60
    assert threads.image.max() == 29 and set(threads.flags) & {DIFFICULT, DIFFICULT | OCCLUDED, TRUNCATED}
    (tmp_path / "bad.xml").write_text("<annotation>")
    with pytest.raises(ValueError, match="bad.xml is not valid XML"):
        read_xml_files([*paths, str(tmp_path / "bad.xml")])


def test_no_files():
    found = read_xml_files([])
    assert found.sizes.shape == (0, 2) and found.boxes.shape == (0, 4) and found.names == []
