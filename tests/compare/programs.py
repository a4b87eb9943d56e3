"""Random programs: a few inputs, and lines that call functions of the table with earlier values."""

from typing import Any, NamedTuple

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from compare.op import Op, Unfit, free, unit

SQUASH = Op("squash", unit, unit)  # keeps numbers small


class Line(NamedTuple):
    """``op(operands, **params)``, where operands are numbers of earlier lines."""

    op: Op
    operands: tuple[int, ...]
    params: dict[str, Any]


class Program:
    """Lines, including inputs. While a program is drawn, the values of its lines are known."""

    def __init__(self, draw, inputs):
        self.draw = draw
        self.most = inputs
        self.seed = draw(st.integers(0, 9999))
        self.lines = []  # a Line, or None for an input
        self.values = []
        self.used = set()

    @property
    def inputs(self):
        return [x for line, x in zip(self.lines, self.values, strict=True) if line is None]

    def new(self, shape):
        """Add an input, and return the number of its line."""
        if len(self.inputs) == self.most:
            raise Unfit
        self.lines.append(None)
        self.values.append(self.drawn(shape, len(self.values)))
        return len(self.lines) - 1

    def drawn(self, shape, line):
        return np.asarray(np.random.default_rng([self.seed, line]).standard_normal(shape))

    def another(self, shape):
        """An earlier value of this shape, or a new input."""
        fitting = [i for i, x in enumerate(self.values) if x.shape == tuple(shape)]
        if fitting and (len(self.inputs) == self.most or self.draw(st.booleans())):
            return self.draw(st.sampled_from(fitting))
        return self.new(shape)

    def add(self, op, first):
        """Call a function with an earlier value; raises `Unfit` if it does not accept it."""
        x = self.values[first]
        if not op.ndim[0] <= x.ndim <= op.ndim[1]:
            raise Unfit
        before = len(self.lines)
        try:
            others, params = op.draw(self, x)
            operands = (first, *others)
            values = [self.values[i] for i in operands]
            if not op.run(op.safe, values, params):
                raise Unfit
            ans = np.asarray(op.run(op.ours, [v.copy() for v in values], params))
            if not ans.size or not np.max(np.abs(ans)) < 1e3:  # or NaN
                raise Unfit
        except (Unfit, RuntimeWarning):  # which NumPy issues for numbers that are too large
            del self.lines[before:], self.values[before:]
            raise Unfit from None
        self.lines.append(Line(op, operands, params))
        self.values.append(ans)
        self.used |= set(operands)
        if np.max(np.abs(ans)) > 20:
            self.add(SQUASH, len(self.lines) - 1)

    def run(self, library, arrays):
        """The values that no line uses, computed by ``ours`` or ``theirs``."""
        arrays = iter(arrays)
        values = []
        for line in self.lines:
            if line is None:
                values.append(next(arrays))
            else:
                operands = [values[i] for i in line.operands]
                values.append(line.op.run(getattr(line.op, library), operands, line.params))
        return [x for i, x in enumerate(values) if i not in self.used]

    def ours(self, *arrays):
        return self.run("ours", arrays)

    def theirs(self, *arrays):
        return self.run("theirs", arrays)

    @property
    def names(self):
        return [line.op.name for line in self.lines if line]

    @property
    def order(self):
        return min(line.op.order for line in self.lines if line)

    def __repr__(self):
        text = [""]
        for i, (line, value) in enumerate(zip(self.lines, self.values, strict=True)):
            if line is None:
                text.append(f"x{i} = np.random.default_rng([{self.seed}, {i}]).standard_normal({value.shape})")
            else:
                operands = [
                    f"x{k}" if f is free else f"{f.__name__}(x{k})"
                    for k, f in zip(line.operands, line.op.domains(line.operands), strict=True)
                ]
                params = [f"{name}={value!r}" for name, value in line.params.items()]
                text.append(f"x{i} = {line.op.name}({', '.join(operands + params)})        {value.shape}")
        return "\n".join(text)


def shapes(op=None):
    """Shapes for the first input."""
    low, high = op.ndim if op else (0, 3)
    return hnp.array_shapes(min_dims=low, max_dims=high, max_side=4) if high else st.just(())


@st.composite
def calls(draw, op):
    """A program of one line."""
    p = Program(draw, 6)
    first = p.new(draw(shapes(op)))
    try:
        p.add(op, first)
    except Unfit:
        assume(False)
    return p


@st.composite
def programs(draw, ops, longest=10):
    """A program of up to ten lines and up to four inputs; later lines are more likely as operands."""
    p = Program(draw, 4)
    p.new(draw(shapes()))
    lines, tries = draw(st.integers(3, longest)), 0
    while len(p.names) < lines and tries < 2 * lines:
        tries += 1
        last = len(p.values) - 1
        first = draw(st.sampled_from([last, last, last, *range(last)]))
        fitting = [op for op in ops if op.ndim[0] <= p.values[first].ndim <= op.ndim[1]]
        try:
            p.add(draw(st.sampled_from(fitting)), first)
        except Unfit:
            continue
    assume(any(p.lines))
    return p
