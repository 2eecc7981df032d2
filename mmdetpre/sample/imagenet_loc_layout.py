"""The sample in the layout of ImageNet's boxes, with a validation set in that of ILSVRC-DET."""

from __future__ import annotations

from pathlib import Path

from mmdetpre.sample.instances import Instance, annotate
from mmdetpre.sample.layout import LayoutWriter, write_jpeg
from mmdetpre.sample.render import Rendering
from mmdetpre.sample.scene import Scene
from mmdetpre.sample.world import World
from mmdetpre.sample.xml_annotation import XMLObject, write_xml

_FIRST_WNID = {"source": 90_000_001, "target": 90_000_101}
_FIRST_DET_WNID = {"source": 90_100_001, "target": 90_100_101}


class ImageNetLocLayout(LayoutWriter):
    """Writes a tree by WordNet id to train on and ``ILSVRC/`` to evaluate on, under a root.

    * ``Annotation/<wnid>/<wnid>_<n>.xml`` and ``images/<wnid>/<wnid>_<n>.JPEG``: one dominant object per image.
    * ``ILSVRC/{Annotations,Data}/DET/val`` and ``ILSVRC/ImageSets/DET/val.txt``: scenes of many objects, under WordNet
      ids of their own. As in ImageNet some training classes fall into one class of DET and one has none there.
    * ``words.txt``: every WordNet id with its name; ``det_classes.txt``: those of DET in label order;
      ``det_class_map.txt``: training id and DET id.

    Coordinates count pixel edges from 0, so a box may end at the width and height of its image.

    Args:
        root: Existing folder to write under.
        world: Where the scenes come from.
    """

    def __init__(self, root: Path, world: World) -> None:
        super().__init__(root, world)
        self.wnids = [f"n{_FIRST_WNID[world.which] + label:08d}" for label in range(len(world.classes))]
        self.det_wnids, self.det_names, self.det_label = det_classes(world)
        self._val: list[str] = []
        self._det = {name: root / "ILSVRC" / name / "DET" for name in ("Annotations", "Data", "ImageSets")}
        for folder in (self._det["Annotations"] / "val", self._det["Data"] / "val", self._det["ImageSets"]):
            folder.mkdir(parents=True)
        for wnid in self.wnids:
            (root / "Annotation" / wnid).mkdir(parents=True)
            (root / "images" / wnid).mkdir(parents=True)

    def scene(self, split: str, index: int) -> Scene:
        """A dominant object to train on, a full scene to evaluate on."""
        return self.world.portrait(split, index) if split == "train" else super().scene(split, index)

    def add(self, scene: Scene, drawn: Rendering) -> None:
        """Write the image and its XML."""
        instances = annotate(scene, drawn, merge_groups=False)
        if scene.split == "train":
            wnid = self.wnids[scene.objects[0].label]
            name = f"{wnid}_{scene.index + 1}"
            objects = [_object(self.wnids[instance.label], instance) for instance in instances]
            image, xml = self.root / "images" / wnid, self.root / "Annotation" / wnid
        else:
            name = f"ILSVRC2012_val_{scene.index + 1:08d}"
            self._val.append(name)
            labels = [(self.det_label[instance.label], instance) for instance in instances]
            objects = [_object(self.det_wnids[label], instance) for label, instance in labels if label is not None]
            wnid, image, xml = "val", self._det["Data"] / "val", self._det["Annotations"] / "val"
        write_jpeg(image / f"{name}.JPEG", drawn.image)
        write_xml(
            xml / f"{name}.xml",
            folder=wnid,
            filename=name,
            database="mmdetpre drawn sample",
            size=scene.size,
            segmented=False,
            objects=objects,
        )

    def finish(self) -> None:
        """Write the lists."""
        lines = [f"{name} {i}" for i, name in enumerate(sorted(self._val), 1)]
        (self._det["ImageSets"] / "val.txt").write_text("\n".join(lines) + "\n")
        names = [*zip(self.wnids, (c.name for c in self.world.classes), strict=True)]
        names += zip(self.det_wnids, self.det_names, strict=True)
        (self.root / "words.txt").write_text("".join(f"{wnid}\t{name}\n" for wnid, name in names))
        (self.root / "det_classes.txt").write_text("".join(f"{wnid}\n" for wnid in self.det_wnids))
        mapped = [(a, self.det_wnids[b]) for a, b in zip(self.wnids, self.det_label, strict=True) if b is not None]
        (self.root / "det_class_map.txt").write_text("".join(f"{a} {b}\n" for a, b in mapped))


def det_classes(world: World) -> tuple[list[str], list[str], list[int | None]]:
    """WordNet ids and names of the DET-like classes, and the DET label of each class of the world (``None``: none).

    The last class of the world has no DET class; the two before it share one.
    """
    count = len(world.classes)
    names = [f"{item.name} (DET)" for item in world.classes[: count - 3]]
    names.append(" or ".join(item.name for item in world.classes[count - 3 : count - 1]) + " (DET)")
    labels: list[int | None] = [*range(count - 3), count - 3, count - 3, None]
    return [f"n{_FIRST_DET_WNID[world.which] + i:08d}" for i in range(len(names))], names, labels


def _object(wnid: str, instance: Instance) -> XMLObject:
    return XMLObject(wnid, instance.box, instance.truncated, instance.occluded, False)
