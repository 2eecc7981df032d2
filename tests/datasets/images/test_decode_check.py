"""What cannot be decoded is told before anything is trained on it."""

from __future__ import annotations

import io
import os
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from mmdetpre.datasets.images import decode_check
from mmdetpre.datasets.images.decode_check import broken_images
from mmdetpre.datasets.images.decoding import BrokenImageError, decode_image, require_sound
from mmdetpre.datasets.images.file_verdicts import file_verdicts
from mmdetpre.datasets.images.size import read_image_size
from mmdetpre.utils.open_image import open_image


def noise(side: int = 96, bits: int = 8) -> np.ndarray:
    pixels = np.random.default_rng(0).integers(0, 256, (side // 8, side // 8, 3), np.uint8)
    return cv2.resize(pixels, (side, side)).astype(np.uint16 if bits > 8 else np.uint8) << max(bits - 8, 0)


def encoded(suffix: str, pixels: np.ndarray) -> bytes:
    return cv2.imencode(suffix, pixels)[1].tobytes()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tiff", ".webp", ".ppm"])
def test_whole_files_are_sound_and_half_ones_are_not(suffix: str) -> None:
    data = encoded(suffix, noise())
    require_sound(data)
    require_sound(data + bytes(100) if suffix == ".jpg" else data)  # cameras pad
    with pytest.raises(BrokenImageError):
        require_sound(data[: len(data) // 2])


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_a_jpeg_whose_end_is_zeros_is_cut_off(kept: float) -> None:
    data = encoded(".jpg", noise())
    size = int(kept * len(data))
    with pytest.raises(BrokenImageError, match="cut off"):
        require_sound(data[:size] + bytes(len(data) - size + 64))


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".pgm"])
@pytest.mark.parametrize("bits", [12, 14])
def test_values_of_few_bits_in_16_are_refused_with_words(suffix: str, bits: int) -> None:
    grey = noise(bits=bits)[..., 0]
    for check in (require_sound, lambda data: decode_image(data, (96, 96))):
        with pytest.raises(BrokenImageError, match=rf"16-bit values reach {grey.max()} only, so it is nearly black"):
            check(encoded(suffix, grey))
    full = noise(bits=16)[..., 0]
    require_sound(encoded(suffix, full))
    assert abs(decode_image(encoded(suffix, full), (96, 96))[0].mean() - noise()[..., 0].mean()) < 1


def test_colors_that_opencv_takes_for_others_are_refused(tmp_path: Path) -> None:
    Image.fromarray(noise()).convert("LAB").save(tmp_path / "lab.tiff")
    assert broken_images([tmp_path / "lab.tiff"])[str(tmp_path / "lab.tiff")].startswith("its colors are CIE L*a*b*")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").mkdir()
    assert set(broken_images([tmp_path / "a.jpg", tmp_path / "b.jpg"]).values()) == {
        "a folder, a device or a pipe, not a file"
    }


def test_photos_that_pillow_refuses_by_their_size_are_used() -> None:
    huge = np.zeros((13_400, 13_400), np.uint8)
    data = encoded(".png", huge)
    require_sound(data)
    assert read_image_size(io.BytesIO(data)) == (13_400, 13_400)


def test_more_pixels_than_opencv_reads_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmdetpre.utils.open_image.MOST_PIXELS", 5000)
    with pytest.raises(OSError, match="96 x 96 pixels are more than the 5,000 that OpenCV reads"):
        open_image(io.BytesIO(encoded(".png", noise())))


def test_broken_images_are_named_with_the_reason(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.jpg" for i in range(6)]
    data = encoded(".jpg", noise())
    paths[0].write_bytes(data)
    Image.fromarray(noise()).convert("P").save(paths[1], format="GIF")  # as in SUN-397
    paths[2].write_bytes(data[:900])
    paths[3].write_text("<html>not found</html>")
    paths[4].touch()
    found = broken_images(paths)
    assert list(found) == [str(path) for path in paths[2:]]
    assert [reason.split("(")[0].strip() for reason in found.values()] == [
        "the JPEG is cut off or damaged",
        "OpenCV cannot decode it: damaged, cut off, or not an image",
        "the file is empty",
        "missing",
    ]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    seen: list[bytes] = []
    reason = decode_check._reason
    monkeypatch.setattr(decode_check, "_reason", lambda data: (seen.append(data), reason(data))[1])
    return seen


def test_a_file_is_decoded_once_and_again_when_it_has_changed(tmp_path: Path, counted: list[bytes]) -> None:
    sound, cut = encoded(".bmp", noise()), encoded(".bmp", noise())
    cut = cut[:100] + bytes(len(cut) - 100)
    (tmp_path / "a.bmp").write_bytes(sound)
    for _ in range(2):
        assert broken_images([tmp_path / "a.bmp"]) == {} and len(counted) == 1
    before = os.stat(tmp_path / "a.bmp")
    (tmp_path / "a.bmp").write_bytes(b"P" + cut[1:])  # of the same size, and of the same time
    os.utime(tmp_path / "a.bmp", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert list(broken_images([tmp_path / "a.bmp"])) == [str(tmp_path / "a.bmp")] and len(counted) == 2


def test_a_damaged_cache_is_not_believed(tmp_path: Path, counted: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMDETPRE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    first = broken_images([tmp_path / "a.jpg"])
    (file,) = (tmp_path / "cache").glob("*/*.json")
    whole = file.read_bytes()
    for damaged in (whole.replace(b"OpenCV", b"openCV"), whole[:-5], b"", whole.replace(b"verdicts 1", b"verdicts 0")):
        file.write_bytes(damaged)
        assert broken_images([tmp_path / "a.jpg"]) == first
    assert len(counted) == 5


def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MMDETPRE_CACHE", str(tmp_path / "file"))
    assert list(broken_images([tmp_path / "file"])) == [str(tmp_path / "file")]


def test_processes_share_a_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMDETPRE_CACHE", str(tmp_path / "cache"))
    for i in range(40):
        (tmp_path / f"{i:02d}").write_text(str(i))
    paths = [tmp_path / f"{i:02d}" for i in range(40)]

    def work(part: int) -> None:
        for path in paths[part::4]:
            file_verdicts([path], "test", lambda data: data.decode(), what="")

    processes = [get_context("fork").Process(target=work, args=(part,)) for part in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    def never(data: bytes) -> str:
        raise AssertionError("read again")

    assert file_verdicts(paths, "test", never, what="") == [str(i) for i in range(40)]
