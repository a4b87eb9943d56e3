# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 7. The compiled step, read aloud
#
# A training step is the same every time: the same operations, in the same order, on arrays of the same shapes. Only the
# numbers change. So it can be written down once, and then played back: a list of NumPy calls, with no tape, no tensors,
# and no new memory.
#
# `tg.compile` writes that list down, and it can be printed. Reading it is the shortest way to know what a training step
# really does. This lesson reads it aloud, line by line.
#
# You need: lessons 1 and 3.

# %%
import re
import time

import matplotlib.pyplot as plt
import numpy as np
from lesson import at_most, close, exercise

import tensorgrad as tg

data = tg.data.digits()
x, y = data.train_images.reshape(-1, 64) / 16, np.eye(10)[data.train_labels]

# %% [markdown]
# ## The step
#
# The network of lesson 3, with its loss, its gradient and its update, in one function. The labels are one-hot.


# %%
def network_and_step(hidden=32):
    rng = np.random.default_rng(0)
    w1 = tg.Tensor(rng.normal(0, np.sqrt(2 / 64), (64, hidden)), requires_grad=True)
    w2 = tg.Tensor(rng.normal(0, np.sqrt(2 / hidden), (hidden, 10)), requires_grad=True)
    optimizer = tg.optim.SGD({"w1": w1, "w2": w2}, lr=0.1)

    def step(x, y):
        h = tg.relu(x @ w1)
        logits = h @ w2
        loss = -np.mean(np.sum(tg.log_softmax(logits) * y, axis=1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return (w1, w2), step


weights, step = network_and_step()
fast = tg.compile(step)
for _ in range(3):
    print(fast(x[:16], y[:16]))

# %% [markdown]
# The first two calls ran as usual, and were recorded, and compared with each other: do they consist of the same
# operations? They do. The third call was a replay. Here is what it replays.

# %%
program = fast.source
print(program)

# %% [markdown]
# ## Read it aloud
#
# Keep the graph of the loss beside it. The forward lines of the program go down this picture, the backward lines up.


# %%
def loss_of(x, y):
    w1, w2 = weights
    return -np.mean(np.sum(tg.log_softmax(tg.relu(x @ w1) @ w2) * y, axis=1))


tg.draw(loss_of, x[:16], y[:16])

# %% [markdown]
# It is Python. Each line is one call of a NumPy function. `out=t1` says where the result goes, so that no line needs
# new memory. The comment says which shape it has, and, where it changes, which line of *our* function it comes from.
#
# **Forward.** `matmul(x, w1, out=t1)`: the first layer. `maximum(t1, 0, out=t1)`: relu, and it is written over its own
# input; nobody needs the values below zero any more. `matmul(t1, w2, out=t2)`: the logits.
#
# **The loss.** `maximum.reduce`, `subtract`: the largest logit of each image is subtracted, so that `exp` cannot
# overflow. `exp`, `add.reduce`, `log`, `subtract`: now `t2` holds the logarithms of the probabilities. `multiply` by
# the labels picks the right one of each image; two sums and a division by 16 make it a mean; `negative`.
#
# **Backward.** The lines that say *gradient of*. Read them against lesson 3:
#
# * $\bar z = (p - y)/N$. The line `exp(t2, out=t2)` turns the logarithms into the probabilities $p$; the lines around
#   it scale them and subtract.
# * $\bar h = \bar z\, W_2^T$ and $\bar W_2 = h^T \bar z$: two `matmul`s, with `w2.T` and `t1.T`. A transposed
#   matrix is only a *view*, another way to walk through the same memory, so that making it costs almost nothing.
# * $\bar a = \bar h \cdot [h > 0]$: `greater` and `multiply`, the gradient of relu.
# * $\bar W_1 = x^T \bar a$: the last `matmul`. There is no line for the gradient of $x$: nobody asked.
#
# `holds(finite(...), True)` asks whether the gradients are finite. If not, this call is repeated as an ordinary one,
# which knows better what to do.
#
# **The update.** All of the above only wrote into memory of its own. If anything had gone wrong, nothing would have
# happened. After the first `yield`, the program sets the gradients, runs the optimizer, and yields a copy of the loss.
#
# That is a training step: some 30 calls, five of them products of matrices. Let us check the reading.

# %%
calls = [line.strip() for line in program.split("yield")[0].splitlines()[1:] if line.strip()]
products_of_matrices = sum(call.startswith("matmul") for call in calls)
print(products_of_matrices, "products of matrices")
assert products_of_matrices == 5
assert 20 < len(calls) < 32
assert "out=d_w1" in program
assert "d_x" not in program


# %% [markdown]
# And by hand, in the order in which we have read it. The gradients are those of the program, to the last bits:


# %%
def by_hand(x, y, w1, w2):
    h = np.maximum(x @ w1, 0)
    z = h @ w2
    z = z - z.max(axis=1, keepdims=True)
    p = np.exp(z - np.log(np.exp(z).sum(axis=1, keepdims=True)))
    z_bar = (p - y) / len(x)
    return x.T @ ((z_bar @ w2.T) * (h > 0)), h.T @ z_bar


expected = by_hand(x[:16], y[:16], *(w.data.copy() for w in weights))
fast(x[:16], y[:16])
for name, w, by_us in zip(("w1", "w2"), weights, expected, strict=True):
    close(f"the gradient of {name}", w.grad, by_us, 1e-14)

# %% [markdown]
# ## The life of a buffer
#
# How many arrays does it take? Let us parse the program. Each row below is one piece of memory, each column one line;
# dark where the line writes into it, light where it only reads.


# %%
def uses(call):
    """The buffers that a line of the program writes and reads."""
    text = call.split("#")[0].replace("_view", "")
    written = re.findall(r"out=(\w+)", text) + re.findall(r"^(t\d+) =", text)
    return written, [name for name in re.findall(r"\b(?:t\d+|d_w\d|w\d|x|y)\b", text) if name not in written]


lines = [call for call in calls if not call.startswith(("#", "return", "holds"))]
names = []
for call in lines:
    names += [name for name in [*uses(call)[1], *uses(call)[0]] if name not in names]
grid = np.zeros((len(names), len(lines)))
for i, call in enumerate(lines):
    written, read = uses(call)
    for name in read:
        grid[names.index(name), i] = 0.35
    for name in written:
        grid[names.index(name), i] = 1

# %%
figure, axes = plt.subplots(figsize=(9, 4.6))
axes.imshow(grid, cmap="Blues", aspect="auto", vmax=1.2)
axes.set_yticks(range(len(names)), names, fontsize=8)
functions = [re.search(r"([\w.]+?)(\(|$)", call.split("#")[0].split(" = ")[-1].strip())[1] for call in lines]
axes.set_xticks(range(len(lines)), functions, rotation=90, fontsize=8)
first = next(i for i, call in enumerate(lines) if "gradient of" in call)
axes.axvline(first - 0.5, color="C1")
axes.annotate("backward", (first - 0.3, len(names) - 0.7), color="C1")
axes.set_xticks(np.arange(len(lines)) - 0.5, minor=True)
axes.grid(which="minor", axis="x", lw=0.3)
plt.show()

results = sum(len(uses(call)[0]) for call in lines)
print(f"{results} results in {len({name for call in lines for name in uses(call)[0]})} pieces of memory")

# %% [markdown]
# Follow `t2`. It holds the logits, then the logits minus the largest, then the logarithms of the probabilities, then
# the probabilities, then these divided by $-N$. Five lives of one array. Each time, the program knew that nobody would
# read the old values again.
#
# Follow `t1`. It is written in the beginning, and read near the end: the hidden units have to be kept for the backward
# pass. This is the memory that a network needs for training, and not for use.
#
# ## The same numbers
#
# A replay does not compute nearly the same. It calls the same functions of NumPy on the same numbers, so the weights
# are equal in every bit:

# %%
runs = []
for compiled in (False, True):
    ws, step = network_and_step()
    train = tg.compile(step) if compiled else step
    rng = np.random.default_rng(1)
    for _ in range(3):
        for batch in tg.data.batches(1424, 16, rng):  # 89 whole batches
            train(x[batch], y[batch])
    runs.append([w.data for w in ws])
for ordinary, replayed in zip(*runs, strict=True):
    assert np.array_equal(ordinary, replayed)

# %% [markdown]
# ## What it saves
#
# What is left out in a replay is Python: making tensors and records, finding rules, sorting the tape. This takes the
# same time for a small array as for a large one. So small steps gain most, and large ones little, where the time goes
# into the products. (These are times on your computer; run the cell again if something else was running.)

# %%
sizes = [1, 4, 16, 64, 256, 1024]
times = {"ordinary": [], "compiled": []}
for size in sizes:
    _, step = network_and_step()
    for name, run in (("ordinary", step), ("compiled", tg.compile(step))):
        seconds = []
        for _ in range(30):
            begin = time.perf_counter()
            run(x[:size], y[:size])
            seconds.append(time.perf_counter() - begin)
        times[name].append(min(seconds))

figure, axes = plt.subplots()
for name, seconds in times.items():
    axes.loglog(sizes, 1e6 * np.array(seconds), "o-", label=name)
axes.set(xlabel="images in a batch", ylabel="microseconds for a step, fastest of 30")
axes.legend()
plt.show()

# %% [markdown]
# ## What it depends on, and what it refuses
#
# A list of calls is right only as long as the function would make the same calls. Three things can change.
#
# **Another shape.** The program is for batches of 16. Called with 8 images, the function is recorded again, and both
# programs are kept.

# %%
for _ in range(3):
    fast(x[:8], y[:8])
assert "(8, 32)" in fast.source
assert "(16, 32)" not in fast.source

# %% [markdown]
# **Another value outside.** The learning rate is read in every call, as the optimizer is called as a whole.
# `docs/compile.md` has a table of everything that is followed.
#
# **A decision in Python.** If the function looks at a number and decides what to do, a list cannot follow. This is
# refused, with the line:

# %%
v = tg.Tensor(np.ones(3), requires_grad=True)


@tg.compile
def decides(x):
    loss = np.sum((x * v) ** 2)
    if loss.item() > 1:
        loss = np.sqrt(loss)
    loss.backward()
    return loss


try:
    decides(np.arange(3.0))
except tg.CompileError as error:
    print(re.sub(r" at \S+ in", " in", str(error)))
else:
    raise AssertionError("not refused")

# %% [markdown]
# The way out is to let NumPy decide, element by element: `np.where(loss > 1, np.sqrt(loss), loss)` computes both, and
# chooses. Exercise 1 is about that.
#
# ## Exercises
#
# ### Exercise 1: let NumPy decide
#
# The Huber loss is quadratic for small errors and linear for large ones, so that outliers count less. This version
# decides in Python, and cannot be compiled. Rewrite it without `if` and without a loop.


# %% tags=["exercise-1"]
def huber(errors):
    total = 0
    for error in errors:
        total = total + (error**2 / 2 if abs(error.item()) <= 1 else abs(error) - 0.5)
    return total


# %% tags=["check-1"]
with exercise(1):
    sample = np.array([-3.0, -0.4, 0.2, 0.9, 1.7])
    close("the loss", huber(tg.Tensor(sample)).data, 2.5 + 0.08 + 0.02 + 0.405 + 1.2, 1e-12)
    tg.gradcheck(huber, [sample])
    v = tg.Tensor(sample, requires_grad=True)

    @tg.compile
    def descend(x):
        v.grad = None
        loss = huber(x * v)
        loss.backward()
        return loss

    for _ in range(3):
        descend(np.ones(5))
    close("the gradient of the compiled program", v.grad, np.clip(sample, -1, 1), 1e-12)

# %% [markdown]
# ### Exercise 2: read a program
#
# Somebody has compiled a function of `x`, of the shape $(5, 3)$, and `w`, $(3, 4)$. Here is the forward part of the
# program. Write the function, in one or two lines of NumPy.

# %%
unknown = """
matmul(x, w, out=t1)
tanh(t1, out=t1)
multiply(t1, t1, out=t2)
subtract(t1, t2, out=t2)
add.reduce(t2, axis=1, out=t3)
maximum.reduce(t3, axis=None, out=t4)
exp(t3, out=t3)
add.reduce(t3, axis=None, out=t5)
log(t5, out=t5)
"""


# %% tags=["exercise-2"]
def mystery(x, w):
    return np.sum(x @ w)


# %% tags=["check-2"]
with exercise(2):
    rng = np.random.default_rng(4)
    inputs = {"x": rng.standard_normal((5, 3)), "w": rng.standard_normal((3, 4))}
    memory = {"t1": (5, 4), "t2": (5, 4), "t3": (5,), "t4": (), "t5": ()}
    memory = {name: np.empty(shape) for name, shape in memory.items()}
    functions = {
        name: getattr(np, name) for name in ("matmul", "tanh", "multiply", "subtract", "add", "maximum", "exp", "log")
    }
    exec(unknown, functions | inputs | memory)
    close("the result", mystery(**inputs), memory["t5"], 1e-12)
    tg.gradcheck(mystery, list(inputs.values()))

# %% [markdown]
# ### Exercise 3: how many products?
#
# The step above has two layers and five products of matrices. How many does a step of a network with $n$ layers have?
# Write the formula. The check compiles networks of one to four layers, and counts.


# %% tags=["exercise-3"]
def products(layers):
    return 5


# %% tags=["check-3"]
def count(layers):
    ws = [tg.Tensor(0.1 * np.ones((8, 8)), requires_grad=True) for _ in range(layers)]

    @tg.compile
    def step(x):
        h = x
        for w in ws:
            h = np.tanh(h @ w)
        loss = np.sum(h)
        for w in ws:
            w.grad = None
        loss.backward()
        return loss

    for _ in range(3):
        step(np.ones((4, 8)))
    return step.source.count("matmul(")


with exercise(3):
    for layers in (1, 2, 3, 4):
        at_most(f"the error for {layers} layers", abs(products(layers) - count(layers)), 0)
