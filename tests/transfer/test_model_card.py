"""The card of a backbone: its front matter is YAML of our own keys, its page shows texts of others as they are."""

from __future__ import annotations

import ast
import re
from dataclasses import replace

import pytest
import yaml

from mmdetpre.transfer.model_card import IDENTICAL, ModelCard
from mmdetpre.transfer.verify_transfer import Arrival

BOXES = ("mmdet", "mmpretrain")
KNOWN = ModelCard(
    title="r50",
    weights="hf://lab/r50",
    file="model.safetensors",
    metadata={
        "digest": "ab" * 32,
        "architecture": "ResNet-50",
        "source_dataset": "CocoDataset data/coco",
        "toolbox": "mmdet",
        "epoch": 12,
    },
    preprocessing="mean (1.0, 2.0, 3.0), channels rgb",
    naming="torchvision",
    proof=[
        Arrival(box, f"{box}.ResNet", "complete", "ab" * 32, (0.0,), ((1, 8),), 9) for box in ("mmdet", "mmpretrain")
    ],
    backbones={box: {"depth": 50, "type": f"{box}.ResNet"} for box in ("mmdet", "mmpretrain")},
)
LIVE = [
    "<script>alert(1)</script>",
    "[click](javascript:alert(1)) ![x](http://evil.example/x.png)",
    "a | b \\| c",
    "`code` **bold** <!-- hidden",
    "two\nlines\n---\nlicense: mit\n---\n# head\n\n* item",
    "!!python/object/apply:os.system ['id']",
    "\x1b[31mred\x07\u202eevil\ud800",
    "{{ 7 * 7 }} ``` end",
]


def front_matter(card: str) -> dict:
    """As the Hub finds it: between the first two lines of three dashes."""
    found = re.match(r"^(\s*---[\r\n]+)([\S\s]*?)([\r\n]+---(\r\n|\n|$))", card)
    assert found
    return yaml.safe_load(found[2])


def test_what_a_card_says() -> None:
    card = replace(KNOWN, license="cc-by-4.0", datasets=["detection-datasets/coco", "imagenet-1k"]).text()
    assert front_matter(card) == {
        "license": "cc-by-4.0",
        "library_name": "mmdetpre",
        "pipeline_tag": "image-feature-extraction",
        "tags": ["mmdetpre", "backbone", "pytorch", "resnet"],
        "datasets": ["detection-datasets/coco", "imagenet-1k"],
    }
    assert "\n# r50\n" in card and f"| digest | {'ab' * 32} |" in card and IDENTICAL in card
    assert "| pre-trained on | CocoDataset data/coco |" in card and "| training | mmdet, epoch 12 |" in card
    assert "| images | mean (1.0, 2.0, 3.0), channels rgb (grey levels of 0 to 255) |" in card
    assert "Its backbone in mmdet, in mmpretrain `type='mmpretrain.ResNet'`:" in card
    assert "## Results" not in card and "## Results\n\nIt helps." in replace(KNOWN, study="It helps.\n").text()


def test_what_is_not_told_is_said_to_be_unknown() -> None:
    card = replace(
        KNOWN, metadata={"digest": "ab", "architecture": "unknown family"}, preprocessing="", proof="no box."
    )
    text = card.text()
    assert "license" not in front_matter(text) and "datasets" not in front_matter(text)
    assert front_matter(text)["tags"] == ["mmdetpre", "backbone", "pytorch"]
    assert "Pre-trained on: not known." in text and "| images | not known |" in text
    assert "Not verified: no box." in text and IDENTICAL not in text
    assert "| license | none was told: ask who published it |" in text


def test_toolboxes_that_disagree() -> None:
    first, second = KNOWN.proof
    assert "do NOT agree" in replace(KNOWN, proof=[first, replace(second, digest="cd" * 32)]).text()


@pytest.mark.parametrize("weights", ["hf://lab/r50", "hf://lab/r50/ema.safetensors@v1", "model.safetensors"])
def test_its_code_is_python(weights: str) -> None:
    card = replace(KNOWN, weights=weights).text()
    blocks = re.findall(r"^```python\n(.*?)\n```$", card, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 4
    for block in blocks:
        ast.parse(block)
    assert repr(weights) in blocks[0] and ("hf_hub_download" in blocks[-1]) == weights.startswith("hf://")
    assert ("revision='v1'" in blocks[-1]) == weights.endswith("@v1")
    assert ("pip install 'mmdetpre[hub]'" in card) == weights.startswith("hf://")


@pytest.mark.parametrize("text", LIVE)
def test_nothing_of_others_is_live(text: str) -> None:
    markdown_it = pytest.importorskip("markdown_it")
    metadata = {
        **KNOWN.metadata,
        **dict.fromkeys(("source_dataset", "checkpoint", "config", "toolbox", "weights"), text),
        **dict.fromkeys(("epoch", "iter", "strides", "dilations"), [text]),
    }
    card = replace(KNOWN, title=text, metadata=metadata, preprocessing=text, proof=text, naming=text).text()
    assert front_matter(card) == front_matter(KNOWN.text())
    assert not any(letter in card for letter in "\x1b\x07\u202e\ud800")
    body = card.partition("\n---\n")[2]
    shown = markdown_it.MarkdownIt("commonmark", {"html": True}).enable("table").render(body)
    tags = set(re.findall(r"<(\w+)", shown))
    assert tags <= {"h1", "h2", "p", "table", "thead", "tbody", "tr", "th", "td", "code", "pre"}, tags
    assert shown.count("<h1>") == 1 and shown.count("<h2>") == 2 and shown.count("<pre>") == 4
    assert "href" not in shown and "src=" not in shown.replace("&", "")


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ({"license": "MIT License\nx: 1"}, "--license 'MIT License"),
        ({"license": "-"}, "--license '-' is not of the form"),
        ({"datasets": ["a/b/c"]}, "--dataset 'a/b/c' is not of the form of the Hub's data sets"),
        ({"datasets": ["coco", "COCO 2017"]}, "--dataset 'COCO 2017'"),
    ],
)
def test_labels_are_of_the_form_of_the_hub(label: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(KNOWN, **label)
