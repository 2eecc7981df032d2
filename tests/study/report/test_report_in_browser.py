"""The page in headless Chromium: no error, tables in the DOM, never wider than the window, runs open by their links."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from mmdetpre.study.report.write import write_report

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no Chromium or Chrome on this machine to show a page"
)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
)
MEASURE = """<script>
addEventListener("load", () => {
  const frame = document.querySelector("iframe"), page = frame ? frame.contentDocument : document;
  const root = page.documentElement, wide = [];
  for (const node of page.querySelectorAll("body *")) {
    const box = node.getBoundingClientRect();
    const inside = node.closest(".scroll, pre, .sr");
    if (box.right > root.clientWidth + 1 && !inside) wide.push(node.tagName + "." + node.className);
  }
  const told = document.createElement("output");
  told.textContent = JSON.stringify({inner: root.clientWidth, scroll: root.scrollWidth, wide,
    scrolling: [...page.querySelectorAll(".scroll")].filter(box => box.scrollWidth > box.clientWidth).length,
    images: [...page.images].map(image => image.naturalWidth)});
  document.body.append(told);
});
</script>"""


def browse(page: Path, *arguments: str, size: str = "1280,900", fragment: str = "") -> tuple[str, str]:
    """DOM and log of a page."""
    profile = page.parent / "profile"
    shutil.rmtree(profile, ignore_errors=True)
    address = page.resolve().as_uri() + fragment
    command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", f"--window-size={size}", *arguments, address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def measured(dom: str) -> dict:
    found = re.search(r"<output>(.*?)</output>", dom)
    assert found, "the page did not load"
    return json.loads(html.unescape(found[1]))


@pytest.fixture(scope="module")
def page(shared_study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, so that the browser's files lie elsewhere."""
    return Path(shutil.copy(write_report(shared_study.out), tmp_path_factory.mktemp("browser") / "index.html"))


def test_no_error_and_all_tables_are_there(page: Path) -> None:
    dom, log = browse(page, "--dump-dom")
    assert "CONSOLE" not in log, log
    assert dom.count("<table") == 16 and dom.count("<figure>") == 2 and dom.count("<details") == 62 + 3
    for text in ("it helps.", "<b>64.0</b>", "[7.5, 16.5]", "Table 7.", "81.1"):
        assert text in dom.replace("\N{NO-BREAK SPACE}", " ")


def test_the_log_would_show_an_error(page: Path) -> None:
    broken = page.with_name("broken.html")
    broken.write_text(page.read_text(encoding="utf-8").replace("</body>", "<script>nothing()</script></body>"))
    assert "CONSOLE" in browse(broken, "--dump-dom")[1]


def test_not_wider_than_a_desktop_window(page: Path) -> None:
    copy = page.with_name("measured.html")
    copy.write_text(page.read_text(encoding="utf-8").replace("</body>", f"{MEASURE}</body>"), encoding="utf-8")
    found = measured(browse(copy, "--dump-dom")[0])
    assert found["inner"] > 1200 and found["scroll"] <= found["inner"] and found["wide"] == []
    assert found["scrolling"] == 0 and found["images"] == [1200, 1200]


@pytest.mark.parametrize("width", [375, 390])
def test_not_wider_than_a_phone(page: Path, width: int) -> None:
    # A headless window is at least 500 pixels wide, a frame may be as narrow as a phone.
    content = html.escape(page.read_text(encoding="utf-8").replace("<details>", "<details open>"))
    frame = page.with_name("phone.html")
    frame.write_text(
        f'<!DOCTYPE html><html><body><iframe style="width:{width}px;height:800px;border:0" srcdoc="{content}"></iframe>'
        f"{MEASURE}</body></html>",
        encoding="utf-8",
    )
    found = measured(browse(frame, "--dump-dom", size="600,900")[0])
    assert width - 20 <= found["inner"] <= width and found["scroll"] <= found["inner"] and found["wide"] == []
    assert found["scrolling"] >= 4  # wide tables scroll in a box of their own


def test_a_link_opens_the_run_it_leads_to(page: Path) -> None:
    dom, _ = browse(page, "--dump-dom", "--virtual-time-budget=2000", fragment="#run-voc_detection/coco/seed1")
    opened = re.findall(r'<details open="">\s*<summary><span>([^<]*)<', dom)
    assert opened == ["voc_detection/coco/seed1"]


def test_pictures_of_light_and_dark_and_paper(page: Path) -> None:
    picture = page.with_name("page.png")
    browse(page, f"--screenshot={picture}")
    light = Image.open(picture).convert("L")
    assert light.size == (1280, 900) and light.getpixel((2, 2)) > 230 and len(light.getcolors(256) or ()) > 20
    dark = page.with_name("dark.html")
    text = page.read_text(encoding="utf-8").replace("(prefers-color-scheme: dark)", "all", 1)
    dark.write_text(text, encoding="utf-8")
    browse(dark, f"--screenshot={picture}")
    assert Image.open(picture).convert("L").getpixel((2, 2)) < 40
    paper = page.with_name("page.pdf")
    browse(page, f"--print-to-pdf={paper}")
    assert paper.read_bytes().startswith(b"%PDF")
