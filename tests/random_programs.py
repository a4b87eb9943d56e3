"""Random programs: gradients and second derivatives compared with dual numbers, which are independent of tensorgrad.

A program is a list of steps on named arrays: operations, views, and writes to arrays and through views; arrays may be
empty or 0-d. It runs twice, on tensors and on `Dual` numbers with their own rules, and both derivatives must agree to
ten digits. A program that fails is shortened as far as possible, and printed with its seed.
"""

import numpy as np

import tensorgrad as tg
from tests.duals import (
    Dual,
    add,
    exp,
    lift,
    lift_many,
    log,
    matmul,
    parts,
    raised,
    reciprocal,
    root,
    sin,
    tanh,
    times,
    write,
)

# ------------------------------------------------------------------------------------------------------ operations
# name: (on tensors, on duals). Values that would grow are bounded by tanh, and kept away from kinks.

UNARY = {
    "sin": (np.sin, sin),
    "tanh": (np.tanh, tanh),
    "exp": (lambda x: np.exp(np.tanh(x)), lambda x: exp(tanh(x))),
    "log": (lambda x: np.log(2 + np.tanh(x)), lambda x: log(add(2.0, tanh(x)))),
    "sqrt": (lambda x: np.sqrt(2 + np.tanh(x)), lambda x: root(add(2.0, tanh(x)))),
    "reciprocal": (lambda x: 1 / (2 + np.tanh(x)), lambda x: reciprocal(add(2.0, tanh(x)))),
    "negative": (np.negative, lambda x: times(x, -1.0)),
    "square": (np.square, lambda x: times(x, x)),
    "copy": (np.copy, lift(np.copy)),
    "scale": (lambda x: 0.7 * x - 0.2, lambda x: add(times(x, 0.7), -0.2)),
}
BINARY = {
    "add": (np.add, add),
    "subtract": (np.subtract, lambda x, y: add(x, times(y, -1.0))),
    "multiply": (np.multiply, times),
    "divide": (lambda x, y: x / (2 + np.tanh(y)), lambda x, y: times(x, reciprocal(add(2.0, tanh(y))))),
}


def axes_of(rng, ndim):
    return [None, (), tuple(np.flatnonzero(rng.random(ndim) < 0.5)), *range(-ndim, ndim)][rng.integers(3 + 2 * ndim)]


def view(rng, shape):
    """The source of a function that returns a view of an array of this shape in NumPy."""
    ndim, order = len(shape), tuple(int(i) for i in rng.permutation(len(shape)))
    choices = ["x[...]", "x[None]", f"np.transpose(x, {order})", "x.T", f"x[{basic_index(rng, shape)}]"]
    choices += [f"np.flip(x, {rng.integers(ndim)})", f"x[{basic_index(rng, shape)}]"] if ndim else []
    choices += ["np.squeeze(x)", f"np.expand_dims(x, {rng.integers(ndim + 1)})"]
    return choices[rng.integers(len(choices))]


def basic_index(rng, shape):
    entries = []
    for n in shape[: rng.integers(len(shape) + 1)]:
        start, step = rng.integers(0, max(n, 1)), rng.choice([1, 1, 2, -1])
        entry = f"{start}:" if step == 1 else f"::{step}"
        entries.append(str(rng.integers(-n, n)) if n and rng.random() < 0.3 else entry)
    return ", ".join([*entries, "..."])


def fancy_index(rng, shape):
    """An index with repeated rows, or a mask."""
    n = shape[0]
    if rng.random() < 0.5:
        return f"np.array({[bool(b) for b in rng.random(n) < 0.6]}, bool)"
    return f"np.array({[int(i) for i in rng.integers(0, max(n, 1), rng.integers(4) if n else 0)]}, int)"


def mover(text):
    """A step that moves elements, for tensors and arrays."""
    return eval(f"lambda x: {text}", {"np": np})


class Program:
    """Steps ``(kind, target, *arguments)`` over numbered arrays; the first arrays are the leaves."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        self.seed = seed
        pool = [(), (3,), (2, 3), (1, 3), (3, 2), (2, 1), (0,), (2, 0), (1,), (2, 2, 3)]
        self.shapes = [pool[i] for i in rng.choice(len(pool), 3)]
        if seed % 3:
            self.shapes[0] = (2, 3)
        self.leaves = [rng.uniform(-1, 1, shape) for shape in self.shapes]
        self.directions = [rng.uniform(-1, 1, shape) for shape in self.shapes]
        self.seeds = rng.uniform(-1, 1, 64)
        self.steps = []
        arrays = [np.array(x) for x in self.leaves]
        for _ in range(rng.integers(5, 31)):
            step = propose(rng, arrays)
            if step is None:
                continue
            apply_step(step, arrays, 0)
            self.steps.append(step)

    def __str__(self):
        lines = [f"seed {self.seed}: leaves " + ", ".join(map(str, self.shapes))]
        return "\n".join(lines + [f"  {i}: {step}" for i, step in enumerate(self.steps) if step != ("zeros", None)])

    def loss(self, arrays, total, multiply):
        """A weighted sum of all arrays."""
        return [multiply(total(x), self.seeds[i % 64]) for i, x in enumerate(arrays)]


def propose(rng, arrays):
    """A random step that is valid in NumPy."""
    i, j = rng.integers(len(arrays), size=2)
    if rng.random() < 0.6:  # continue from recent arrays
        i = len(arrays) - 1
    x, kind = arrays[i], rng.integers(12)
    if kind <= 1:
        return "unary", int(i), str(rng.choice(list(UNARY)))
    if kind <= 3:
        fits = [k for k, y in enumerate(arrays) if broadcasts(x.shape, y.shape)]
        return "binary", int(i), int(rng.choice(fits)), str(rng.choice(list(BINARY)))
    if kind <= 5:
        return "move", int(i), view(rng, x.shape)
    if kind == 6 and x.ndim:
        return "move", int(i), str(rng.choice([f"x[{fancy_index(rng, x.shape)}]", "np.ravel(x)", "np.repeat(x, 2)"]))
    if kind == 7:
        axis = axes_of(rng, x.ndim)
        function = rng.choice(["sum", "mean"]) if x.size else "sum"
        return "move", int(i), f"np.{function}(x, axis={axis}, keepdims={bool(rng.random() < 0.5)})"
    if kind == 8:
        fits = [k for k, y in enumerate(arrays) if min(x.ndim, y.ndim) and x.shape[-1] == y.shape[max(y.ndim - 2, 0)]
                and broadcasts(x.shape[:-2], y.shape[:-2])]  # fmt: skip
        return ("matmul", int(i), int(rng.choice(fits))) if fits else None
    if kind == 9:
        fits = [k for k, y in enumerate(arrays) if y.shape == x.shape]
        joined = [int(i), *(int(k) for k in rng.choice(fits, rng.integers(0, 3)))]
        return ("join", joined, "np.stack" if not x.ndim or rng.random() < 0.5 else "np.concatenate")
    return propose_write(rng, arrays, int(i), int(j))


def propose_write(rng, arrays, i, j):
    """``y[index] = v``, ``y += v`` or ``np.multiply(y, v, out=y)``, for an array that is not a leaf or its view."""
    if any(np.shares_memory(arrays[i], leaf) for leaf in arrays[:3]) or i < 3 or not arrays[i].flags.writeable:
        return None
    x = arrays[i]
    how = str(rng.choice(["set", "set", "add", "multiply"]))
    index = basic_index(rng, x.shape) if how == "set" else "..."
    if how == "set" and x.ndim and rng.random() < 0.3:
        index = f"np.array({[bool(b) for b in rng.random(x.shape[0]) < 0.6]}, bool)"
    region = eval(f"x[{index}]", {"np": np, "x": x})
    fits = [
        k for k, y in enumerate(arrays) if broadcasts(y.shape, np.shape(region)) == np.shape(region)]  # fmt: skip
    if rng.random() < 0.15 or not fits:
        return "write", i, index, how, 0.25
    return "write", i, index, how, int(rng.choice(fits))


def broadcasts(a, b):
    """The broadcast shape, as a value that is true, or False if the shapes do not broadcast."""
    try:
        return np.broadcast_shapes(a, b) or (() if (a, b) == ((), ()) else False) or Scalar()
    except ValueError:
        return False


class Scalar(tuple):
    """The empty shape, which is true."""

    __slots__ = ()

    def __bool__(self):
        return True


def apply_step(step, arrays, levels, tensors=False):
    """Apply a step to tensors, or to duals with ``levels`` levels."""
    kind, *args = step
    side = 0 if tensors else 1
    if kind == "write":
        i, index, how, source = args
        where = eval(f"np.s_[{index}]", {"np": np})
        y = arrays[source] if isinstance(source, int) else source
        write_step(arrays[i], where, how, y, levels, tensors)
    elif kind == "zeros":
        if args[0] is not None:
            arrays.append(tg.Tensor(np.zeros(args[0])) if tensors else raised(np.zeros(args[0]), levels))
    elif kind == "unary":
        arrays.append(UNARY[args[1]][side](arrays[args[0]]))
    elif kind == "binary":
        arrays.append(BINARY[args[2]][side](arrays[args[0]], arrays[args[1]]))
    elif kind == "move":
        move = mover(args[1])
        arrays.append(move(arrays[args[0]]) if tensors else lift(lambda x: np.asarray(move(x)))(arrays[args[0]]))
    elif kind == "matmul":
        arrays.append((np.matmul if tensors else matmul)(arrays[args[0]], arrays[args[1]]))
    else:
        join = {"np.stack": np.stack, "np.concatenate": np.concatenate}[args[1]]
        chosen = [arrays[i] for i in args[0]]
        arrays.append(join(chosen) if tensors else lift_many(join)(chosen))


def write_step(x, where, how, y, levels, tensors):
    if tensors:
        if how == "set":
            x[where] = y
        elif how == "add" and x.ndim:
            x += y
        else:
            (np.add if how == "add" else np.multiply)(x, y, out=x)
        return
    if how == "add":
        y = add(x, y)
    elif how == "multiply":
        y = times(x, y)
    y = lift(np.copy)(y) if isinstance(y, Dual) else np.copy(y)
    write(x, where, y)


def run_dual(program, x, v, u):
    """The derivative of the loss along v, and of that along u: values of the dual numbers of two levels."""
    arrays = [
        Dual(Dual(a.copy(), b.copy()), Dual(c.copy(), np.zeros(a.shape))) for a, b, c in zip(x, u, v, strict=True)
    ]
    for step in program.steps:
        apply_step(step, arrays, 2)
    total = program.loss(arrays, lambda z: lift(np.sum)(z if isinstance(z, Dual) else raised(z, 2)), times)
    return [float(sum(np.sum(parts(t)[k]) for t in total)) for k in (0, 2, 3)]


def run_tensors(program, x, v, u, overwrite):
    """The same three numbers by tensorgrad: the loss, its gradient times v, its Hessian times v and u."""
    leaves = [tg.Tensor(a.copy(), requires_grad=True) for a in x]
    arrays = list(leaves)
    for step in program.steps:
        apply_step(step, arrays, 0, tensors=True)
    loss = sum(program.loss(arrays, np.sum, np.multiply))
    if overwrite:  # these writes must not change the gradients
        with tg.no_grad():
            for array in arrays:
                if array.data.flags.writeable:
                    erase(array)
    first = tg.grad(loss, leaves, retain_graph=True)
    recorded = tg.grad(loss, leaves, create_graph=True)
    for a, b in zip(first, recorded, strict=True):
        np.testing.assert_allclose(a, b.data, rtol=1e-12, atol=1e-12)
    along = sum(np.sum(g * d) for g, d in zip(recorded, v, strict=True))
    second = 0.0
    if along.requires_grad:
        found = tg.grad(along, leaves)
        second = float(sum(np.sum(h * d) for h, d in zip(found, u, strict=True) if h is not None))
    return [loss.item(), float(along.item()), second]


def erase(array):
    """Write to a tensor after the loss was computed."""
    array[...] = 0.123


def failure(program, overwrite=False):
    """A description of the error of a program, or None."""
    x, v = program.leaves, program.directions
    u = [np.flip(d) * 0.7 + 0.1 for d in v]
    with np.errstate(over="ignore", invalid="ignore"):
        expected = run_dual(program, x, v, u)
    if not np.all(np.abs(expected) < 1e8):
        return None  # too large for a comparison to ten digits
    try:
        got = run_tensors(program, x, v, u, overwrite)
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def shrunk(program, overwrite):
    """Remove steps that are not needed for the failure; zeros replace them, which keeps the numbering of arrays."""
    arrays, shapes = [np.array(x) for x in program.leaves], {}
    for k, step in enumerate(program.steps):
        apply_step(step, arrays, 0)
        if step[0] != "write":
            shapes[k] = arrays[-1].shape
    for k, step in reversed(list(enumerate(program.steps))):
        program.steps[k] = ("zeros", shapes[k]) if k in shapes else ("zeros", None)
        if failure(program, overwrite) is None:
            program.steps[k] = step
    return program
