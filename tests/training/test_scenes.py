"""Digits in photographs and scans: the scenes of tests/scenes.py, and what is found in them."""

import os
from pathlib import Path

import numpy as np
import pytest

import evaluate
import tensorgrad as tg
from tests import scenes
from training import handwriting, images, lines, reading, scene

ROOT = Path(__file__).parent.parent.parent
MNIST = os.environ.get("TENSORGRAD_DATA")  # which tests/offline.py removes
SMALL = tg.data.digits()
SIZE = (300, 340)


def small_digit(rng):
    """A handwritten digit of the package, in 0..1."""
    return SMALL.test_images[rng.integers(len(SMALL.test_images))] / 16


def colours(picture):
    return np.asarray(picture, dtype=float) / 255


def similarity(a, b):
    """The cosine of the angle between two images, after a shift by at most a pixel."""
    a, b = a.astype(float), b.astype(float)
    shifted = [np.roll(a, (down, right), (0, 1)) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    return max(float(np.sum(one * b) / np.sqrt(np.sum(one**2) * np.sum(b**2))) for one in shifted)


def found_and_bare(kind, seed):
    """The 28x28 images of the digits found in a scene, and that of the digit itself."""
    rng = np.random.default_rng([seed, list(scenes.KINDS).index(kind)])
    digit = small_digit(rng)
    findings = scene.find_digits(colours(scenes.draw(kind, [digit], rng, SIZE)))
    bare = handwriting.to_mnist(np.pad(scenes.enlarged(digit, 120), 4))
    return [handwriting.to_mnist(one.ink) for one in findings.digits], bare


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.slow if i % 8 else []) for i, kind in enumerate(scenes.KINDS)]
)
def test_digit_is_found_in_a_scene(kind):
    """In one of two scenes; the share of all is measured by the slow test, and by docs/pictures.py."""
    least = 0.6 if kind in ("ballpoint", "felt pen") else 0.8
    for seed in (0, 1):
        found, bare = found_and_bare(kind, seed)
        if len(found) == 1 and similarity(found[0], bare) > least:
            return
    pytest.fail(f"{kind}: {len(found)} digits, similarity {[similarity(one, bare) for one in found]}")


def test_digits_differ_by_more_than_scenes():
    rng = np.random.default_rng(1)
    digits = [SMALL.test_images[SMALL.test_labels == label][0] / 16 for label in range(10)]
    several = [handwriting.to_mnist(np.pad(scenes.enlarged(digit, 120), 4)) for digit in digits]
    pairs = [similarity(a, b) for i, a in enumerate(several) for b in several[:i]]
    assert np.mean(np.array(pairs) < 0.8) > 0.9
    assert similarity(several[3], np.roll(several[3], 1, 0)) > 0.99
    assert similarity(rng.permutation(several[3].ravel()).reshape(28, 28), several[3]) < 0.5


@pytest.mark.slow
@pytest.mark.skipif(not MNIST, reason="needs MNIST in $TENSORGRAD_DATA")
@pytest.mark.parametrize("kind", scenes.KINDS)
def test_scenes_are_read_as_the_bare_digits(kind, tmp_path, monkeypatch):
    """Of six scenes, at most one is not; docs/pictures.py measures the share with more of them."""
    monkeypatch.setenv("TENSORGRAD_DATA", MNIST)
    network, options, about = evaluate.restore(str(ROOT / "checkpoints" / "mnist-400.npz"))
    reader, data = reading.Reader(network, options, about), tg.data.load("mnist")
    same = []
    for number in range(6):
        rng = np.random.default_rng([7, list(scenes.KINDS).index(kind), number])
        digit = data.test_images[rng.integers(len(data.test_images))]
        scenes.draw(kind, [digit / 255], rng).save(tmp_path / "scene.png")
        bare = images.predict(network, digit[None], 1 / 255).argmax()
        same.append(reader.read(str(tmp_path / "scene.png")).text == str(bare))
    assert sum(same) >= 5, np.flatnonzero(~np.array(same))


# ------------------------------------------------------------------------------------------------ several digits, none


@pytest.mark.parametrize("kind", ["bare scan", "squared paper, dark", "chalk on a blackboard", "hard edge of a shadow"])
def test_several_digits_are_found_from_left_to_right(kind):
    rng = np.random.default_rng(3)
    digits = [SMALL.test_images[SMALL.test_labels == label][2] / 16 for label in (3, 7, 2)]
    findings = scene.find_digits(colours(scenes.draw(kind, digits, rng, (400, 600))))
    assert len(findings.digits) == 3
    assert sorted(findings.digits, key=lambda one: one.box[1]) == findings.digits
    for one, digit in zip(findings.digits, digits, strict=True):
        bare = handwriting.to_mnist(np.pad(scenes.enlarged(digit, 120), 4))
        assert similarity(handwriting.to_mnist(one.ink), bare) > 0.8


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_blank_sheets_have_no_digits(level):
    noise = np.random.default_rng(0).normal(0, 0.02, (300, 200))
    for picture in (np.full((300, 200), level), np.full((9, 4, 3), level), np.clip(level + noise, 0, 1)):
        findings = scene.find_digits(picture)
        assert findings.digits == []
        assert findings.reason


def test_squares_alone_are_no_digits():
    sheet = np.ones((400, 500))
    sheet[::40] = sheet[:, ::40] = sheet[1::40] = sheet[:, 1::40] = 0.3
    findings = scene.find_digits(sheet)
    assert findings.digits == []
    assert findings.removed["lines"].sum() > 0.9 * (sheet < 0.5).sum()


# ------------------------------------------------------------------------------------------------ lines


def test_a_line_is_found_and_erased_without_what_crosses_it():
    mask = np.zeros((200, 300), dtype=bool)
    rows = np.rint(90 + 0.1 * np.arange(300)).astype(int)
    for offset in range(3):
        mask[rows + offset, np.arange(300)] = True
    line_only = mask.copy()
    mask[40:160, 140:152] = True
    stroke = mask & ~line_only
    (line,) = lines.horizontal_lines(mask, 200)
    assert (line.start, line.stop) == (0, 300)
    assert line.thickness == 3
    np.testing.assert_allclose(line.rows, 91 + 0.1 * np.arange(300), atol=1)
    removed = lines.erase(mask, line)
    assert (mask & stroke).sum() == stroke.sum()
    assert removed[:, :138].sum() == 138 * 3
    assert not mask[:, :138].any()
    assert not mask[:, 154:].any()


def test_short_and_thick_strokes_are_no_lines():
    mask = np.zeros((200, 300), dtype=bool)
    mask[100:103, 50:200] = True
    assert lines.horizontal_lines(mask, 200) == []
    assert len(lines.horizontal_lines(mask, 100)) == 1
    assert not scene.is_rule(lines.Line(0, 300, np.zeros(300), 20.0), 300)
    assert scene.is_rule(lines.Line(0, 300, np.zeros(300), 3.0), 300)


def test_sides_of_a_box_are_joined_and_a_cross_is_not():
    def straight(start, stop, row):
        return lines.Line(start, stop, np.full(stop - start, float(row)), 3.0)

    across, down = [straight(50, 150, 50), straight(50, 150, 120)], [straight(50, 120, 50), straight(50, 120, 150)]
    assert lines.frames(across, down, ([], [])) == (across, down)
    assert lines.frames([straight(0, 200, 80)], [straight(20, 150, 100)], ([], [])) == ([], [])
    assert lines.frames(across[:1], down, ([], [])) == ([], [])  # a side is missing
    assert lines.frames(across[:1], down, ([across[1]], [])) == (across[:1], down)  # it is a rule
