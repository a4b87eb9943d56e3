"""evaluate.py with pictures: which files, in which form, and what it says of those that it cannot read."""

import csv
import io
import json
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tensorgrad as tg
from tests import scenes
from tests.helpers import sampled
from training import handwriting, reading

DIGITS = tg.data.digits()
ROOT = Path(__file__).parent.parent.parent
CHECKPOINT = ROOT / "checkpoints" / "digits-400.npz"


def drawn(*labels, size=(300, 400), seed=1):
    """A picture of digits on bare paper."""
    digits = [DIGITS.test_images[DIGITS.test_labels == label][3] / 16 for label in labels]
    return scenes.draw("bare scan", digits, np.random.default_rng(seed), size)


@pytest.fixture
def pictures(workplace):
    """A folder with pictures of 2, of 37 and of nothing, and other files."""
    folder = workplace / "photos"
    folder.mkdir()
    drawn(2).save(folder / "b.png")
    drawn(3, 7, size=(300, 600)).save(folder / "a.jpg", quality=90)
    (folder / "notes.txt").write_text("no picture")
    (folder / ".hidden.png").write_text("no picture")
    return folder


def answers(result):
    """The first line for each picture."""
    return [line.replace("\\", "/") for line in result.out.splitlines() if not line.startswith(" ")]


BOTH = ["photos/a.jpg: 37", "photos/b.png: 2"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    sampled(
        [
            ("CHECKPOINT --image photos", BOTH),
            ("--image photos CHECKPOINT", BOTH),
            ("--image photos/b.png CHECKPOINT --image photos/a.jpg", BOTH[::-1]),
            ("--image photos --image photos/b.png CHECKPOINT", [*BOTH, BOTH[1]]),
            ("CHECKPOINT --image photos/*.jpg photos/[ab].*", [BOTH[0], *BOTH]),
            ("CHECKPOINT --image photos/b.png photos/a.jpg", BOTH[::-1]),
            ("--csv --image photos CHECKPOINT", None),
        ],
        2,
    ),
)
def test_files_folders_and_patterns_before_and_after_the_checkpoint(pictures, run_evaluate, arguments, expected):
    result = run_evaluate(*arguments.replace("CHECKPOINT", str(CHECKPOINT)).split())
    assert (result.code, result.err) == (0, "")
    assert expected is None or answers(result) == expected


def test_json_and_csv_have_the_same_answers(pictures, run_evaluate):
    Path("bad.png").write_text("no picture")
    as_json = run_evaluate(CHECKPOINT, "--image", "photos", "bad.png", "--json")
    as_csv = run_evaluate(CHECKPOINT, "--csv", "--image", "photos", "bad.png")
    assert as_json.code == as_csv.code == 2
    several, one, bad = json.loads(as_json.out)
    assert [several["reading"], one["reading"], bad["reading"]] == ["37", "2", None]
    assert bad["digits"] == []
    assert "not a picture" in bad["error"]
    assert several["error"] is several["doubtful"] is None
    for record in (several, one):
        for digit in record["digits"]:
            assert sum(digit["probabilities"].values()) == pytest.approx(1, abs=1e-4)
            assert digit["probability"] == max(digit["probabilities"].values())
            left, top, right, bottom = digit["box"]
            assert 0 <= left < right <= 600
            assert 0 <= top < bottom <= 300
    rows = list(csv.DictReader(io.StringIO(as_csv.out)))
    assert tuple(rows[0]) == reading.COLUMNS
    assert [(row["reading"], row["digit"], row["label"]) for row in rows] == [
        ("37", "1", "3"), ("37", "2", "7"), ("2", "1", "2"), ("", "", "")
    ]  # fmt: skip
    assert [int(rows[0][key]) for key in ("left", "top", "right", "bottom")] == several["digits"][0]["box"]
    assert rows[3]["error"] == bad["error"]


def test_boxes_are_those_of_the_file(workplace, run_evaluate):
    picture = drawn(2, size=(300, 400))
    picture.resize((1600, 1200)).save("large.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.transpose(Image.Transpose.ROTATE_90).save("turned.jpg", exif=exif, quality=95)
    picture.save("a.png")
    large, turned, plain = (
        record["digits"][0]["box"]
        for record in json.loads(run_evaluate(CHECKPOINT, "--json", "--image", "large.png", "turned.jpg", "a.png").out)
    )
    np.testing.assert_allclose(np.array(large) / 4, plain, atol=2.5)
    np.testing.assert_allclose(turned, plain, atol=2.5)
    ink = np.asarray(picture.convert("L")) < 128
    np.testing.assert_allclose(plain[:2], [np.flatnonzero(ink.any(axis))[0] for axis in (0, 1)], atol=3)


def test_doubtful_reading_is_no_answer(workplace, run_evaluate, monkeypatch):
    drawn(2).save("a.png")
    assert answers(run_evaluate(CHECKPOINT, "--image", "a.png")) == ["a.png: 2"]
    monkeypatch.setattr(reading, "DOUBTFUL", 1.1)
    (line,) = answers(run_evaluate(CHECKPOINT, "--image", "a.png"))
    assert line.startswith("a.png: doubtful (2 or ")
    (record,) = json.loads(run_evaluate(CHECKPOINT, "--image", "a.png", "--json").out)
    assert record["reading"] is None
    assert record["doubtful"].startswith("2 or ")


def test_digits_that_touch_are_doubtful(workplace, run_evaluate):
    two, three = (DIGITS.test_images[DIGITS.test_labels == label][3] / 16 for label in (3, 3))
    pair = np.hstack([two, three])
    pair[4] = np.maximum(pair[4], 0.9 * ((np.arange(16) > 3) & (np.arange(16) < 13)))
    sheet = 1 - np.clip(np.kron(np.pad(pair, 4), np.ones((20, 20))), 0, 1)
    Image.fromarray(np.rint(255 * sheet).astype(np.uint8)).save("33.png")
    assert answers(run_evaluate(CHECKPOINT, "--image", "33.png")) == ["33.png: doubtful (digits that touch?)"]


def test_show_writes_what_was_found_and_seen(pictures, run_evaluate):
    other = Path("other")
    other.mkdir()
    scenes.draw("ruled lines, dark", [DIGITS.test_images[0] / 16], np.random.default_rng(0)).save(other / "b.png")
    result = run_evaluate(CHECKPOINT, "--image", "photos", "other", "--show", "out/shown")
    assert (result.code, result.err) == (0, "")
    files = sorted(Path("out/shown").iterdir())
    assert [file.name for file in files] == ["a.png", "b-2.png", "b.png"]
    from training import shown

    for file in files:
        pixels = np.asarray(Image.open(file)).reshape(-1, 3)
        assert (pixels == shown.BOX).all(axis=1).any() or (pixels == shown.DOUBT).all(axis=1).any()
    squares = np.asarray(Image.open(files[1])).astype(int)
    assert (squares[..., 0] - squares[..., 1] > 100).mean() > 0.003  # lines are red


def test_formats(workplace, run_evaluate):
    picture = drawn(2)
    grey = np.asarray(picture.convert("L")).astype(np.uint16)
    picture.convert("CMYK").save("cmyk.jpg")
    picture.convert("P").save("palette.gif", save_all=True, append_images=[drawn(5).convert("P")])
    picture.convert("RGBA").save("alpha.png")
    Image.fromarray(grey * 257).save("16.png")
    Image.fromarray(grey * 16).save("12.tif")
    picture.convert("1").save("1.png")
    files = ["cmyk.jpg", "palette.gif", "alpha.png", "16.png", "12.tif", "1.png"]
    result = run_evaluate(CHECKPOINT, "--image", *files)
    assert (result.code, result.err) == (0, "")
    assert answers(result) == [f"{file}: 2" for file in files]


def test_heic_names_the_package_that_reads_it(workplace, run_evaluate, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    Path("photo.heic").write_bytes(struct.pack(">I", 24) + b"ftypheic" + bytes(40))
    drawn(2).save("a.png")
    result = run_evaluate(CHECKPOINT, "--image", "photo.heic", "a.png")
    assert (result.code, answers(result)) == (2, ["a.png: 2"])
    assert result.err == (
        "evaluate.py: error: photo.heic: HEIC pictures need pillow-heif: "
        'python -m pip install -e ".[heic]", or save it as JPEG\n'
    )


def test_what_cannot_be_read_is_one_line_each(pictures, run_evaluate):
    Path("empty").mkdir()
    Image.new("L", (60, 60), 255).save("blank.png")
    drawn(2).save("whole.png")
    Path("torn.png").write_bytes(Path("whole.png").read_bytes()[:300])
    bad = ["empty", "none*.png", "missing.png", "blank.png", "torn.png"]
    result = run_evaluate(CHECKPOINT, "--image", *bad, "photos")
    assert result.code == 2
    assert answers(result) == BOTH
    messages = [
        "the folder contains no pictures",
        "no file has such a name",
        "no such file",
        "no ink found",
        "cannot be read",
    ]
    assert len(result.err.splitlines()) == len(bad)
    for line, name, message in zip(result.err.splitlines(), bad, messages, strict=True):
        assert line.startswith(f"evaluate.py: error: {name}: ")
        assert message in line


def test_without_scipy_bare_digits_are_read(pictures, run_evaluate, monkeypatch):
    monkeypatch.setitem(sys.modules, "training.scene", None)
    monkeypatch.delattr("training.scene", raising=False)
    result = run_evaluate(CHECKPOINT, "--image", "photos/b.png", "--show", "out")
    assert (result.code, answers(result)) == (0, ["photos/b.png: 2"])
    assert result.err == reading.ONLY_BARE


@pytest.mark.parametrize("option", ["--json", "--csv", "--show=out"])
def test_options_of_pictures_need_pictures(run_evaluate, refused, option):
    assert refused(run_evaluate(CHECKPOINT, option), option.partition("=")[0], "is an option of", "--image")


def test_checkpoint_is_required(run_evaluate, refused):
    assert refused(run_evaluate("--image", "a.png"), "name a checkpoint")
    assert refused(run_evaluate(CHECKPOINT, "--json", "--csv", "--image", "a.png"), "--csv", "--json")


def test_large_photo_is_averaged_down(workplace):
    drawn(2, size=(800, 600)).resize((3000, 4000)).save("photo.jpg")
    picture, size = handwriting.read_colours("photo.jpg")
    assert size == (3000, 4000)
    assert max(picture.shape) <= handwriting.WORKING_SIDE
