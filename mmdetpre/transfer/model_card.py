"""The model card of a backbone: what its next user must know, as the ``README.md`` that the Hugging Face Hub shows."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import yaml

from mmdetpre.transfer.backbone_metadata import BackboneMetadata
from mmdetpre.transfer.families import UNKNOWN
from mmdetpre.transfer.verify_transfer import Arrival, all_identical, arrival_rows
from mmdetpre.utils.config_writer import ConfigFile
from mmdetpre.utils.plain_config import PlainConfig
from mmdetpre.utils.plain_text import markdown_text, one_line
from mmdetpre.utils.tables import markdown_table
from mmdetpre.version import __version__
from mmdetpre.zoo.hub_address import SCHEME, HubAddress

UNKNOWN_DATA = "not known"
IDENTICAL = "The backbones of mmdet, mmsegmentation and mmpretrain load this file and compute the same, to the bit."
_LICENSE = re.compile(r"[a-z0-9][a-z0-9.-]{0,59}")
_DATASET = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What a card says. Texts of others are plain in it: no tag, link or key comes out of them.

    Attributes:
        title: Headline.
        weights: How the weights are named where they are loaded: ``hf://USER/REPO``, or the name of the file.
        file: Name of the file.
        metadata: Of the file.
        preprocessing: Of images, in words; empty: not known.
        naming: Whose names its tensors have.
        proof: How it arrived in each toolbox; or why that was not tried.
        backbones: Toolbox -> config of its backbone; empty where none is known.
        license: As the Hub writes it, such as ``apache-2.0``; empty: none was told.
        datasets: Of the Hub, such as ``detection-datasets/coco``.
        study: Results of a study, in Markdown.

    Raises:
        ValueError: If license or data sets have another form.
    """

    title: str
    weights: str
    file: str
    metadata: BackboneMetadata
    preprocessing: str
    naming: str
    proof: Sequence[Arrival] | str
    backbones: Mapping[str, PlainConfig] = field(default_factory=dict)
    license: str = ""
    datasets: Sequence[str] = ()
    study: str = ""

    def __post_init__(self) -> None:
        check_labels(self.license, self.datasets)

    def text(self) -> str:
        """The card: YAML in front, Markdown below."""
        data = self.metadata.get("source_dataset") or UNKNOWN_DATA
        architecture = self.metadata["architecture"]
        family = re.split(r"[^a-z0-9]", architecture.lower())[0]
        front = {
            **({"license": self.license} if self.license else {}),
            "library_name": "mmdetpre",
            "pipeline_tag": "image-feature-extraction",
            "tags": ["mmdetpre", "backbone", "pytorch", *([] if architecture == UNKNOWN else [family])],
            **({"datasets": list(self.datasets)} if self.datasets else {}),
        }
        parts = [
            f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---",
            f"# {markdown_text(self.title)}",
            f"{markdown_text(architecture)}: a backbone, without a head. Pre-trained on: {markdown_text(data)}.",
            markdown_table(["", ""], [[word, text] for word, text in self._facts(data)]),
            f"## Verification\n\n{self._verification()}",
            f"## How to load it\n\n{self._loading()}",
            f"## Results\n\n{self.study.strip()}" if self.study else "",
            f"Written by mmdetpre {__version__}.",
        ]
        return "\n\n".join(part for part in parts if part) + "\n"

    def _facts(self, data: str) -> list[tuple[str, str]]:
        known = self.metadata
        config = known.get("config") or known.get("experiment_name")
        steps = [f"epoch {known['epoch']}"] if "epoch" in known else []
        steps += [f"iteration {known['iter']}"] if "iter" in known else []
        trained = [known.get("toolbox") or known.get("library"), config, *steps, known.get("weights")]
        facts = {
            "architecture": known["architecture"],
            "pre-trained on": data,
            "training": ", ".join(str(one) for one in trained if one),
            "taken from": known.get("checkpoint"),
            "images": f"{self.preprocessing} (grey levels of 0 to 255)" if self.preprocessing else "not known",
            "strides, dilations": f"{known['strides']}, {known.get('dilations')}" if known.get("strides") else "",
            "file": f"{self.file}, names of tensors as in {self.naming}",
            "digest": known["digest"],
            "license": self.license or "none was told: ask who published it",
        }
        return [(word, one_line(text)) for word, text in facts.items() if text]

    def _verification(self) -> str:
        digest = "The digest is a SHA-256 over names, shapes and values, the same in every library and format;"
        digest += f" `mmdetpre inspect {shlex.quote(self.weights)}` prints that of a copy."
        if isinstance(self.proof, str):
            return f"Not verified: {markdown_text(self.proof)}\n\n{digest}"
        said = IDENTICAL if all_identical(self.proof) else "The toolboxes do NOT agree on this file."
        return f"{said}\n\n{markdown_table(*arrival_rows(self.proof))}\n\n{digest}"

    def _loading(self) -> str:
        extra = " 'mmdetpre[hub]'" if self.weights.startswith(SCHEME) else " mmdetpre"
        path, imports = repr(self.file), "from safetensors.torch import load_file"
        if self.weights.startswith(SCHEME):
            address = HubAddress.read(self.weights)
            at = f", revision={address.revision!r}" if address.revision else ""
            path = f"hf_hub_download({address.repo!r}, {self.file!r}{at})"
            imports = f"from huggingface_hub import hf_hub_download\n{imports}"
        hook = [{"type": "mmdetpre.LoadBackboneHook", "checkpoint": self.weights}]
        config = {"custom_imports": {"imports": ["mmdetpre"]}, "custom_hooks": hook}
        parts = [
            f"In a config of mmdet, mmsegmentation or mmpretrain (`pip install{extra}`):",
            f"```python\n{ConfigFile(config).text().strip()}\n```",
        ]
        alike: dict[str, list[tuple[str, str]]] = {}
        for toolbox, backbone in self.backbones.items():
            rest = {key: value for key, value in backbone.items() if key != "type"}
            alike.setdefault(ConfigFile({"rest": rest}).text(), []).append((toolbox, str(backbone["type"])))
        for (toolbox, kind), *others in alike.values():
            config = {"model": {"backbone": {"type": kind, **self.backbones[toolbox], "init_cfg": None}}}
            where = "".join(f", in {other} `type={name!r}`" for other, name in others)
            parts += [f"Its backbone in {toolbox}{where}:", f"```python\n{ConfigFile(config).text().strip()}\n```"]
        load = f"report = load_backbone(network, {self.weights!r})  # raises if a weight does not arrive"
        parts += [
            "In a network of timm or torchvision without its head, such as `timm.create_model(NAME, num_classes=0)`,"
            " whose names are translated:",
            f"```python\nfrom mmdetpre.transfer import load_backbone\n\n{load}\nprint(report)\n```",
            "With torch alone; look at the keys that this prints, for no key that is missing stops it:",
            f"```python\n{imports}\n\nprint(network.load_state_dict(load_file({path}), strict=False))\n```",
        ]
        return "\n\n".join(parts)


def check_labels(license: str, datasets: Sequence[str]) -> None:
    """Find out before a long run whether a card can have these.

    Raises:
        ValueError: If license or data sets have another form.
    """
    if license and not _LICENSE.fullmatch(license):
        raise ValueError(f"--license {license!r} is not of the form that the Hub has: apache-2.0, cc-by-4.0, other.")
    if wrong := [name for name in datasets if not _DATASET.fullmatch(name)]:
        raise ValueError(f"--dataset {wrong[0]!r} is not of the form of the Hub's data sets, NAME or USER/NAME.")
