"""`tg.draw` of functions: operations in groups, which are folded or open, and the names of values."""

from collections import Counter
from itertools import combinations, pairwise

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.drawing.groups import Group, boxes_in
from tests.graphs import randn
from tests.pictures import Framed


def mlp():
    rng = np.random.default_rng(0)
    hidden, output = tg.nn.Linear(5, 4, rng), tg.nn.Linear(4, 3, rng)

    def loss(x, y):
        logits = output(tg.relu(hidden(x)))
        penalty = np.sum(hidden.weight**2) + np.sum(output.weight**2)
        return tg.cross_entropy(logits, y) + 1e-4 * penalty

    return loss, rng.random((6, 5), np.float32), rng.integers(0, 3, 6)


def lstm():
    w, u, b = randn(3, 16), randn(4, 16), randn(16)

    def cell(x, h, c):
        i, f, o, g = np.split(x @ w + h @ u + b, 4, axis=1)
        c = tg.sigmoid(f) * c + tg.sigmoid(i) * np.tanh(g)
        return tg.sigmoid(o) * np.tanh(c), c

    def two_steps(x, h, c):
        for part in x:
            h, c = cell(part, h, c)
        return [h, c]

    return two_steps, list(np.ones((2, 2, 3))), np.zeros((2, 4)), np.ones((2, 4))


class Block:
    def __init__(self, width, rng):
        self.norm1, self.norm2 = tg.nn.LayerNorm(width), tg.nn.LayerNorm(width)
        self.attention = tg.nn.MultiheadAttention(width, 2, rng, batch_first=True)
        self.layers = tg.nn.Sequential([tg.nn.Linear(width, width, rng), tg.relu, tg.nn.Linear(width, width, rng)])

    def attend(self, x):
        h = self.norm1(x)
        return self.attention(h, h, h, need_weights=False, is_causal=True)[0]

    def __call__(self, x):
        x = x + self.attend(x)
        return x + self.layers(self.norm2(x))


def block():
    return Block(8, np.random.default_rng(0)), np.ones((2, 5, 8), np.float32)


def cnn():
    rng = np.random.default_rng(0)
    network = tg.nn.Sequential({
        "conv1": tg.nn.Conv2d(1, 4, 3, rng), "norm1": tg.nn.BatchNorm2d(4), "pool": tg.nn.MaxPool2d(2),
        "flatten": tg.nn.Flatten(), "output": tg.nn.Linear(36, 3, rng),
    })  # fmt: skip
    return lambda images, labels: tg.cross_entropy(network(images), labels), np.ones((2, 1, 8, 8), np.float32), [0, 1]


def nested():
    def square(x):
        return x * x + 1

    def twice(x):
        return square(np.sin(square(x)))

    def value(x):
        return np.sum(twice(x) * np.cos(x))

    return value, np.ones(3)


def derivative():
    def energy(x):
        return np.sum(np.tanh(x) ** 3)

    return lambda x: np.sum(tg.grad(energy)(x) ** 2), np.ones(3)


def generator():
    """A function that is left and entered again, with an operation of its caller in between."""

    def steps(x):
        for _ in range(3):
            x = yield np.sin(x) * 2

    def through(x):
        run = steps(x)
        y = next(run)
        for _ in range(2):
            y = run.send(np.exp(y))
        return np.sum(y)

    return through, np.ones(3)


FUNCTIONS = [mlp, lstm, block, cnn, nested, derivative, generator]


def states(drawing):
    """Sets of open groups: none, all, each with those around it, and some pairs."""
    titles = {group.call.title for group in drawing._graph.groups}
    singles = [{title} for title in sorted(titles)]
    return [False, True, *singles, *(a | b for a, b in list(combinations(singles, 2))[:6])]


def expected_arrows(drawing, opened):
    """The arrows between what is visible, from the boxes alone: one to a folded group for each value that it uses."""
    graph = drawing._graph
    owner = dict.fromkeys(range(len(graph.boxes)))
    for group in reversed(graph.groups):  # the outermost folded group remains
        if group.number not in opened:
            owner |= dict.fromkeys(boxes_in(group), group)
    found = Counter()
    for v, box in enumerate(graph.boxes):
        for s in box.sources:
            if owner[v] is None:
                found[title(graph, owner, s), title(graph, owner, v)] += 1
    for group in {owner for owner in owner.values() if owner is not None}:
        for s in group.inlets:
            found[title(graph, owner, s), group.call.title] += 1
    return found


def title(graph, owner, v):
    return graph.boxes[v].title if owner[v] is None else owner[v].call.title


@pytest.mark.parametrize("direction", ["down", "right"])
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_every_state_shows_what_is_visible_once_with_its_arrows(function, direction):
    call = function()
    drawing = tg.draw(*call, direction=direction)
    for state in states(drawing):
        opened = drawing._graph.numbers(state)
        picture = Framed(tg.draw(*function(), direction=direction, open=state).svg, direction == "down")
        picture.check_geometry()
        assert picture.arrows() == expected_arrows(drawing, opened), state
        assert len(picture.frames) == len(opened)
        hidden = {v for group in drawing._graph.groups if group.number not in opened for v in boxes_in(group)}
        folded = [group for group in drawing._graph.groups if is_shown(drawing, group, opened)]
        assert len(picture.boxes) == len(drawing._graph.boxes) - len(hidden) + len(folded)


def is_shown(drawing, group, opened):
    """Whether a group is shown folded: it is not open, and those around it are."""
    around = [outer for outer in drawing._graph.groups if set(boxes_in(group)) < set(boxes_in(outer))]
    return group.number not in opened and all(outer.number in opened for outer in around)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_no_value_leaves_a_group_and_comes_back(function):
    graph = tg.draw(*function())._graph
    before = [set() for _ in graph.boxes]  # all boxes that lead to a box
    for v, box in enumerate(graph.boxes):
        for s in box.sources:
            before[v] |= before[s] | {s}
    for group in graph.groups:
        inside = set(boxes_in(group))
        assert inside
        for s in set(group.inlets):
            assert not before[s] & inside


@pytest.mark.parametrize(
    ("function", "titles"),
    [
        (mlp, ["hidden", "output", "cross_entropy"]),
        (lstm, ["cell", "cell"]),
        (
            block,
            ["attend", "norm2", "layers", "norm1", "attention", "Linear 0", "Linear 2", "scaled_dot_product_attention"],
        ),
        (cnn, ["network", "cross_entropy", "conv1", "norm1", "output"]),
        (nested, ["twice", "square", "square"]),
        (derivative, ["grad"]),
        (generator, ["steps", "steps", "steps"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_groups_are_the_functions_and_layers(function, titles):
    groups = tg.draw(*function())._graph.groups
    assert [group.call.title for group in groups] == titles


def test_names_of_inputs_parameters_and_variables():
    graph = tg.draw(*mlp())._graph
    assert Counter(box.title for box in graph.boxes if box.kind != "operation") == Counter(
        ["x", "hidden.weight", "bias", "output.weight", "bias", "0.0001"]
    )
    assert {"logits = add", "penalty = add", "loss = add"} < {box.title for box in graph.boxes}
    whole = {graph.boxes[item].title for item in graph.whole.items if not isinstance(item, Group)}
    assert {"x", "hidden.weight", "output.weight", "relu"} < whole  # used inside and outside: shown outside
    assert "bias" not in whole
    assert "hidden.bias, (4,), float32, leaf that requires a gradient" in [box.tooltip for box in graph.boxes]


def test_inputs_are_outside_of_groups_also_if_only_a_layer_uses_them():
    graph = tg.draw(*lstm())._graph
    outside = [graph.boxes[item].title for item in graph.whole.items if not isinstance(item, Group)]
    assert Counter(outside) == Counter(["w", "u", "b", "h", "c", "part", "part"])


def test_names_that_are_given_come_first():
    loss, x, y = mlp()
    graph = tg.draw(loss, x, y, names={"images": x})._graph
    assert "images" in [box.title for box in graph.boxes]
    assert "x" not in [box.title for box in graph.boxes]


def test_the_first_input_is_differentiated_if_nothing_else_is():
    drawing = tg.draw(lambda w, x: np.sum(w["a"] * x), {"a": np.ones(3)}, np.ones(3))
    assert [(box.title, box.kind) for box in drawing._graph.boxes if box.kind != "operation"] == [
        ("w.a", "leaf"), ("x", "array")]  # fmt: skip
    tracked = tg.draw(lambda x, w: np.sum(w * x), np.ones(3), randn(3))
    assert {box.title: box.kind for box in tracked._graph.boxes}["x"] == "array"
    assert len(tg.draw(np.sin, 1.0)._graph.boxes) == 2


def test_few_boxes_open_the_largest_group_at_first():
    assert len(Framed(tg.draw(*cnn()).svg).frames) == 1
    assert Framed(tg.draw(*mlp()).svg).frames == []


def test_text_is_inside_of_its_box():
    from tensorgrad.drawing.text import width_of

    for function in FUNCTIONS:
        picture = Framed(tg.draw(*function(), open=True).svg)
        for node in [*picture.boxes, *Framed(tg.draw(*function(), open=False).svg).boxes]:
            for text, size, bold in [(node.title, 13, True), *((line, 11, False) for line in node.lines)]:
                assert width_of(text, size, bold) <= node.right - node.left - 10
        for frame in picture.frames:
            texts = width_of(frame.title, 13, bold=True) + sum(width_of(line, 11) for line in frame.lines)
            assert texts <= frame.right - frame.left - 10


# ------------------------------------------------------------------------------------------------- long chains


def chain(x):
    for _ in range(20):
        x = np.tanh(x * 1.5)
    return np.sum(x)


def test_a_long_chain_is_drawn_in_rows():
    drawing = tg.draw(chain, np.ones(3))
    width, height = drawing._size
    assert 700 < width < 1100
    assert height < 1100
    picture = Framed(drawing.svg, down=False)
    assert len(picture.boxes) == 62
    assert picture.arrows() == expected_arrows(drawing, set())
    chained = [box for box in picture.boxes if "tanh" in box.title or "multiply" in box.title]
    places = [((box.left + box.right) // 2, box.top) for box in chained]
    rows = sorted({row for row, _ in places})
    assert len(rows) >= 4
    assert all(a[0] < b[0] or a[1] < b[1] for a, b in pairwise(places))  # read like a text
    one_row = tg.draw(chain, np.ones(3), direction="right")
    assert one_row._size[0] > 4 * width
    Framed(one_row.svg, down=False).check_geometry()
    picture.check_geometry()


# ------------------------------------------------------------------------------------------------- engine, errors


def test_nothing_is_observed_afterwards():
    from tensorgrad.engine.record import observers

    tg.draw(*mlp())
    with pytest.raises(ZeroDivisionError):
        tg.draw(lambda x: np.sin(x) / (1 // 0), randn(2))
    assert observers == []


def test_frames_are_not_kept():
    import gc
    import weakref

    class Big:
        pass

    seen = []

    def inner(x):
        big = Big()
        seen.append(weakref.ref(big))
        return np.sin(x) * 2

    gc.disable()
    try:
        drawing = tg.draw(lambda x: np.sum(inner(x)), randn(3))
        assert seen[0]() is None
    finally:
        gc.enable()
    assert drawing._graph.groups


@pytest.mark.parametrize(
    ("arguments", "options", "error", "says"),
    [
        ((chain, np.ones(3)), {"open": ["sinh"]}, ValueError, r"open=\['sinh'\]: .* are none"),
        (mlp(), {"open": "input"}, ValueError, r"are 'cross_entropy', 'hidden', 'output'"),
        ((lambda x: 3, np.ones(3)), {}, TypeError, "a function that returns them, got int"),
        ((np.sin(randn(3)), {}, {}), {}, TypeError, "one further argument, the names"),
    ],
)
def test_errors(arguments, options, error, says):
    with pytest.raises(error, match=says):
        tg.draw(*arguments, **options)


def test_a_page_is_written(tmp_path):
    drawing = tg.draw(*cnn())
    drawing.save(tmp_path / "graph.html")
    text = (tmp_path / "graph.html").read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert drawing.svg in text
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert drawing._repr_html_() in text
    assert tg.draw(np.sin(randn(3)))._repr_html_() is None  # nothing opens: notebooks show the SVG
    with pytest.raises(ValueError, match=r"write 'graph\.svg' or 'graph\.html', not 'graph\.png'"):
        drawing.save(tmp_path / "graph.png")
