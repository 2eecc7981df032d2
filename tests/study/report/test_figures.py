"""Figures of a report: numbered ones, those of images, and photos that are not to be shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmdetpre.study.report.write import write_report

RUN = "figures/images/voc_detection/coco"


@pytest.fixture
def with_images(fake_study):
    """The study with images of two initializations, of which one is drawn, and Figure 2."""
    for init in ("coco", "imagenet_cls"):
        fake_study.planned(f"figures/images/voc_detection/{init}", "figures")
    fake_study.planned("figures/2", "figures")
    for run, number, image in ((RUN, "images", "images.voc_detection.coco.png"), ("figures/2", "2", "figure_2.png")):
        fake_study.picture(f"figures/{image}", (32, 16))
        fake_study.record(run, figure={"number": number, "title": f"Title of {run}", "image": f"figures/{image}"})
    return fake_study


def test_images_have_a_section_of_their_own(with_images) -> None:
    page = write_report(with_images.out).read_text(encoding="utf-8")
    figures, images = page.index('<section id="figures">'), page.index('<section id="images">')
    assert '<a href="#images">Images</a>' in page and "Figure images" not in page
    assert figures < page.index('alt="Title of figures/2"') < images < page.index(f'alt="Title of {RUN}"')
    assert page.count("<img ") == 4
    assert "PASCAL VOC, ImageNet-CLS:" in page[images:], "what is not drawn is named"


@pytest.mark.parametrize("by_file", [True, False])
def test_without_photos_only_curves_are_on_the_page(with_images, by_file: bool) -> None:
    if by_file:
        with_images.put("study.json", with_images.plan | {"photos": False})
    page = write_report(with_images.out, photos=by_file).read_text(encoding="utf-8")
    assert page.count("<img ") == 2 and page.count("shows photos, which are left out of this page") == 2
    assert Path(with_images.out, "figures/images.voc_detection.coco.png").is_file()
