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
# # 1. From a derivative to a tape
#
# A network has hundreds of thousands of weights. To train it is to ask, again and again: *if I change this weight a
# little, how does the loss change?* The answers to all these questions are one vector, the gradient.
#
# This lesson starts from the definition of a derivative and ends with a program of fewer than 60 lines that computes
# the gradient of code written with NumPy. The program is small, but its design is that of tensorgrad.
#
# You need: NumPy, and the chain rule.

# %%
import matplotlib.pyplot as plt
import numpy as np
from lesson import at_most, close, exercise

import tensorgrad as tg

# %% [markdown]
# ## The definition, and why it is not enough
#
# The derivative is the limit of a difference quotient. So take a small step $h$:
#
# $$ f'(x) \approx \frac{f(x + h) - f(x)}{h} \qquad\text{or, better,}\qquad
#    f'(x) \approx \frac{f(x + h) - f(x - h)}{2h}. $$
#
# How small should it be? Let us try all of them, for $f = \sin$ at $x = 1$, where we know the answer, $\cos 1$.

# %%
steps = 10.0 ** np.arange(-16, 0.25, 0.25)
forward = (np.sin(1 + steps) - np.sin(1)) / steps
central = (np.sin(1 + steps) - np.sin(1 - steps)) / (2 * steps)

figure, axes = plt.subplots()
axes.loglog(steps, np.abs(forward - np.cos(1)) + 1e-17, label="forward difference")
axes.loglog(steps, np.abs(central - np.cos(1)) + 1e-17, label="central difference")
axes.set(xlabel="step h", ylabel="error of the derivative", ylim=(1e-14, 2))
axes.annotate("rounding errors", (3e-13, 1e-2))
axes.annotate("curvature", (2e-5, 1e-2))
axes.legend(loc="lower left")
plt.show()

# %% [markdown]
# On the right the step is too large: the function is curved, and the error falls with $h$, or with $h^2$ for the
# central difference. On the left it is too small: the two values agree in almost all their digits, and their difference
# consists of rounding errors, which are then divided by $h$. The best step lies between, and even there about half of
# the sixteen digits of a number are lost; the central difference loses a third.

# %%
best_forward, best_central = np.min(np.abs(forward - np.cos(1))), np.min(np.abs(central - np.cos(1)))
print(f"smallest error: forward {best_forward:.0e}, central {best_central:.0e}")
assert 1e-11 < best_forward < 1e-7
assert 1e-14 < best_central < 1e-9

# %% [markdown]
# Worse than the error is the price. There is one quotient for each input, and each needs another evaluation of $f$.
# With 300,000 weights, one gradient costs 300,000 evaluations of the network.
#
# So difference quotients are not how networks are trained. They are how gradients are *tested*: they are slow, but they
# know nothing about our formulas, so they do not repeat our mistakes. `tg.gradcheck` does this, and checks the
# exercises of these lessons.
#
# ## One step at a time
#
# A program is a sequence of small steps. Take
#
# $$ f(a, b) = (a + b)\,\tanh(a b) $$
#
# and write each step on a line of its own.

# %%
a, b = 0.5, 2.0
s = a + b
p = a * b
t = np.tanh(p)
f = s * t
print(f"s = {s}, p = {p}, t = {t:.4f}, f = {f:.4f}")

# %% [markdown]
# Now read the lines **from the last to the first**, and ask of each variable: how does $f$ change if this one changes?
# Write $\bar v$ for the answer, $\partial f / \partial v$; it is called the *adjoint* of $v$. Of $f$ itself, it is 1.
# Each line tells what it adds to the adjoints of the variables on its right-hand side.

# %%
f_bar = 1.0
s_bar, t_bar = f_bar * t, f_bar * s  # f = s * t
p_bar = t_bar * (1 - t**2)  # t = tanh(p)
a_bar, b_bar = p_bar * b, p_bar * a  # p = a * b
a_bar, b_bar = a_bar + s_bar, b_bar + s_bar  # s = a + b
print(f"df/da = {a_bar:.6f}, df/db = {b_bar:.6f}")


# %%
def by_hand(a, b):
    return (a + b) * np.tanh(a * b)


h = 1e-6
close("df/da", a_bar, (by_hand(a + h, b) - by_hand(a - h, b)) / (2 * h))
close("df/db", b_bar, (by_hand(a, b + h) - by_hand(a, b - h)) / (2 * h))

# %% [markdown]
# Three observations, and they are the whole lesson:
#
# 1. Each line needs only a **local** fact: how this one operation depends on its inputs.
# 2. `a` was used twice, so two contributions were **added**.
# 3. In one pass from the last line to the first we got the derivatives with respect to **all** inputs. With a thousand
#    inputs it would still be one pass.
#
# Here are the same steps as a graph, which tensorgrad has recorded. Values flow from the inputs to the result; adjoints
# flow back along the same lines.

# %%
ta, tb = tg.Tensor(a, requires_grad=True), tg.Tensor(b, requires_grad=True)
ts, tp = ta + tb, ta * tb
tt = np.tanh(tp)
tf = ts * tt
tg.draw(tf, {"a": ta, "b": tb, "s": ts, "p": tp, "t": tt, "f": tf})

# %% [markdown]
# What we just did by hand can be done by a program, if the program remembers which steps were taken. Nothing else is
# missing.
#
# ## The tape, part 1: remember
#
# We need a number, or rather an array, that notices what is done with it. NumPy has a door for this. If an argument of
# a NumPy function is an object with the method `__array_ufunc__` (for elementwise functions and `@`) or
# `__array_function__` (for the others), NumPy calls that method instead of computing. Ours does three things: unwrap
# the arrays, let NumPy compute, and write one record on the tape.
#
# (Each cell of the tape begins with a comment, by which we shall count the lines in the end.)

# %%
# tape, part 1: remember
tape = []


class Tensor(np.lib.mixins.NDArrayOperatorsMixin):  # this base class lets x + y call np.add(x, y)
    def __init__(self, data):
        self.data, self.grad = np.asarray(data, dtype=float), None

    def __array_ufunc__(self, function, method, *inputs, **options):
        return call(function, inputs, options)

    def __array_function__(self, function, types, inputs, options):
        return call(function, inputs, options)


def value(x):
    return x.data if isinstance(x, Tensor) else x


def call(function, inputs, options):
    if function not in rules:
        raise TypeError(f"no rule for {function.__name__}")
    ans = Tensor(function(*map(value, inputs), **options))
    tape.append((function, inputs, ans))
    return ans


# %% [markdown]
# ## The tape, part 2: the local facts
#
# For each function, one rule for each of its inputs: from `g`, the adjoint of the result, compute what the operation
# adds to the adjoint of that input. `ans` is the result, and `x` and `y` are the inputs. This is the *gradient table*;
# the second lesson is about its rows.

# %%
# tape, part 2: the gradient table
rules = {
    np.add: (lambda g, ans, x, y: g, lambda g, ans, x, y: g),
    np.subtract: (lambda g, ans, x, y: g, lambda g, ans, x, y: -g),
    np.multiply: (lambda g, ans, x, y: g * y, lambda g, ans, x, y: g * x),
    np.matmul: (lambda g, ans, x, y: g @ y.T, lambda g, ans, x, y: x.T @ g),
    np.tanh: (lambda g, ans, x: g * (1 - ans**2),),
    np.exp: (lambda g, ans, x: g * ans,),
    np.sum: (lambda g, ans, x: g * np.ones_like(x),),
}

# %% [markdown]
# Only the rule of `matmul` needs a thought. If $Y = XW$, then $Y_{ij} = \sum_k X_{ik} W_{kj}$, so $X_{ik}$ contributes
# to all $Y_{ij}$, with the factors $W_{kj}$:
#
# $$ \bar X_{ik} = \sum_j \bar Y_{ij} W_{kj}, \qquad\text{that is}\qquad \bar X = \bar Y\, W^T, \qquad
#    \text{and in the same way}\qquad \bar W = X^T\, \bar Y. $$
#
# You can also remember it by the shapes: $\bar X$ must have the shape of $X$, and there is only one way to get it.
#
# ## The tape, part 3: go back
#
# Take the records from the tape, the newest first. When a record's turn comes, every operation that used its result is
# newer, so it has been taken already: the adjoint of the result is complete. Pass it on by the rules, and add.


# %%
# tape, part 3: go back
def backward(loss):
    loss.grad = np.ones_like(loss.data)
    while tape:
        function, inputs, ans = tape.pop()  # the newest record
        g, ans.grad = ans.grad, None
        if g is None:  # the loss does not depend on this result
            continue
        arrays = [value(x) for x in inputs]
        for x, rule in zip(inputs, rules[function], strict=True):
            if isinstance(x, Tensor):
                part = rule(g, ans.data, *arrays)
                x.grad = part if x.grad is None else x.grad + part


# %% [markdown]
# That is all. It gives what we found by hand:

# %%
x, y = Tensor(0.5), Tensor(2.0)
backward((x + y) * np.tanh(x * y))
print(x.grad, y.grad)
close("df/da", x.grad, a_bar, 1e-15)
close("df/db", y.grad, b_bar, 1e-15)

# %%
parts = {cell.split("\n")[0]: cell.splitlines()[1:] for cell in In if cell.startswith("# tape, part")}  # noqa: F821
lines = [line for part in parts.values() for line in part if line.strip()]
print(f"the tape has {len(lines)} lines of code")
assert len(parts) == 3
assert len(lines) <= 60

# %% [markdown]
# ## What it costs
#
# Let us count, rather than measure, for a function of $n$ inputs. A difference quotient evaluates the function once for
# each input (and once more at the point itself). The tape evaluates it once, and goes back once.


# %%
def f_of_many(x):
    return np.sum(np.tanh(x) * x)


counts = {"difference quotients": [], "tape": []}
sizes = [1, 3, 10, 30, 100, 300, 1000]
for n in sizes:
    point, calls = np.linspace(-1, 1, n), 0
    quotients = np.empty(n)
    start = f_of_many(point)
    calls += 1
    for i in range(n):
        moved = point.copy()
        moved[i] += 1e-7
        quotients[i] = (f_of_many(moved) - start) / 1e-7
        calls += 1
    x = Tensor(point)
    loss = f_of_many(x)
    operations = len(tape)
    backward(loss)
    counts["difference quotients"].append(calls * operations)
    counts["tape"].append(2 * operations)  # forward, and back over each record
    close("the gradient", x.grad, quotients, 1e-5)

figure, axes = plt.subplots()
for name, count in counts.items():
    axes.loglog(sizes, count, "o-", label=name)
axes.set(xlabel="inputs", ylabel="operations on arrays")
axes.legend()
plt.show()

# %% [markdown]
# This is why the method is called *reverse* mode, and why it changed what can be computed: **the gradient costs a small
# multiple of the function, however many inputs there are.** (The other direction exists as well: derivatives can be
# carried along from the inputs to the results, one input at a time. That is forward mode, the better choice for a
# function with few inputs and many results. A loss is one result of many inputs.)
#
# The price is memory. The tape holds every intermediate value until we go back.
#
# ## Let it learn
#
# A network with one hidden layer, $\hat y = \tanh(x W_1)\, W_2$, is to fit twenty noisy points. We give each $x$ a
# second component, 1, which makes the second row of $W_1$ the bias.

# %%
rng = np.random.default_rng(0)
points = np.sort(rng.uniform(-2, 2, (20, 1)), axis=0)
target = np.sin(2 * points) + 0.1 * rng.standard_normal(points.shape)


def with_one(x):
    return np.hstack([x, np.ones_like(x)])


def predict(x, w1, w2):
    return np.tanh(with_one(x) @ w1) @ w2


def mean_square(error):
    return np.sum(error * error) * (1 / error.data.size)


# %% [markdown]
# The update is gradient descent: go a little in the direction in which the loss falls fastest.

# %%
w1, w2 = Tensor(rng.normal(0, 1.5, (2, 20))), Tensor(rng.normal(0, 0.3, (20, 1)))
grid = np.linspace(-2.2, 2.2, 200)[:, None]
losses, curves = [], {}
for step in range(2001):
    if step in (0, 100, 2000):
        curves[step] = predict(grid, w1.data, w2.data)
    w1.grad = w2.grad = None
    loss = mean_square(predict(points, w1, w2) - target)
    losses.append(float(loss.data))
    backward(loss)
    for w in (w1, w2):
        w.data -= 0.05 * w.grad

figure, (left, right) = plt.subplots(1, 2)
left.semilogy(losses)
left.set(xlabel="update", ylabel="mean squared error")
right.plot(points, target, "k.", label="points")
for step, curve in curves.items():
    right.plot(grid, curve, alpha=0.4 + 0.3 * (step > 0) + 0.3 * (step > 100), label=f"after {step} updates")
right.set(xlabel="x", ylim=(-2.4, 2.4))
right.legend(fontsize=8, ncols=2, loc="upper center")
print(f"mean squared error: {losses[0]:.3f} at first, {losses[-1]:.4f} at the end")
assert losses[-1] < 0.003 < losses[0]

# %% [markdown]
# Look at `predict`. It is called with our tensors for training and with plain arrays for the curves, and it is the same
# NumPy code. Nothing in it knows about derivatives.
#
# ## And tensorgrad?
#
# The same function, differentiated by the engine of this repository. The gradients agree to the last digits.

# %%
e1, e2 = tg.grad(lambda w1, w2: np.mean((predict(points, w1, w2) - target) ** 2), argnums=(0, 1))(w1.data, w2.data)
w1.grad = w2.grad = None
backward(mean_square(predict(points, w1, w2) - target))
close("the gradient of w1", w1.grad, e1, 1e-12)
close("the gradient of w2", w2.grad, e2, 1e-12)

# %% [markdown]
# What does an engine add to so few lines?
#
# * **No global list.** Our tape grows forever if we never go back, and two threads would write on the same one. In
#   tensorgrad, each record refers to the records of its inputs, and the tape lives as long as the result that it
#   belongs to.
# * **Memory.** Our records keep all inputs. A row of the table in tensorgrad says what it needs to keep.
# * **Broadcasting, indexing, writes into arrays**, and rules for several hundred functions.
# * **Second derivatives.** The rules are NumPy code; if they are called with tensors, they are recorded as well. Lesson
#   6 lives on that.
#
# `docs/how-it-works.md` continues from here. It begins with a toy of the same size, and ends with the real engine.
#
# ## Exercises
#
# Finish the marked cell, run it, then run the check below it.
#
# ### Exercise 1: a missing row
#
# `np.divide` is not in our table. Add it: one rule for $x$ and one for $y$ in $x / y$.

# %% tags=["exercise-1"]
rules[np.divide] = (
    lambda g, ans, x, y: ...,
    lambda g, ans, x, y: ...,
)


# %% tags=["check-1"]
def quotient(x, y):
    return np.sum(np.exp(x) / (y + np.exp(x * y)))


with exercise(1):
    tape.clear()
    x, y = Tensor([0.5, -1.0, 2.0]), Tensor([1.0, 3.0, 0.5])
    backward(quotient(x, y))
    expected = tg.grad(quotient, argnums=(0, 1))(x.data, y.data)
    close("the gradient of x", x.grad, expected[0], 1e-12)
    close("the gradient of y", y.grad, expected[1], 1e-12)

# %% [markdown]
# ### Exercise 2: broadcasting
#
# We put the bias into $W_1$ because our tape cannot do `x @ w + b`. NumPy *repeats* `b`, of the shape `(3,)`, for each
# row of `x @ w`, of the shape `(5, 3)`. So `b` is used five times, and its five contributions must be added. Our rule
# returns an array of the shape `(5, 3)` instead.
#
# Write the function that adds them: from `g`, and the shape that the gradient must have, to an array of that shape.
# Axes in front that the input did not have are summed away; axes in which it had length 1 are summed, and kept.


# %% tags=["exercise-2"]
def unbroadcast(g, shape):
    return g  # add over the axes along which the input was repeated


# %% tags=["check-2"]
elementwise = {np.add, np.subtract, np.multiply}
plain = {function: rules[function] for function in elementwise}
for function, (dx, dy) in plain.items():
    rules[function] = (
        lambda g, ans, x, y, dx=dx: unbroadcast(dx(g, ans, x, y), np.shape(x)),
        lambda g, ans, x, y, dy=dy: unbroadcast(dy(g, ans, x, y), np.shape(y)),
    )
with exercise(2):
    for shape in ((5, 3), (3,), (5, 1), (1, 3), ()):
        tape.clear()
        x, y = Tensor(np.arange(15.0).reshape(5, 3) / 10), Tensor(np.full(shape, 0.5))
        backward(np.sum(np.tanh(x * y + y)))
        expected = tg.grad(lambda x, y: np.sum(np.tanh(x * y + y)), argnums=(0, 1))(x.data, y.data)
        close("the gradient of x", x.grad, expected[0], 1e-12)
        close(f"the gradient of y {shape}", y.grad, expected[1], 1e-12)
rules.update(plain)

# %% [markdown]
# ### Exercise 3: the same gradient, used better
#
# Above, plain gradient descent took 2000 updates to an error of about 0.002, and most of them for the last bit.
# **Momentum** lets the updates gather speed in directions that persist:
#
# $$ v \leftarrow \mu v + \bar w, \qquad w \leftarrow w - \eta v . $$
#
# Write the update. With $\mu = 0.95$ and the same rate $\eta = 0.05$, the error falls below 0.004 within 300 updates.
# (Plain gradient descent, from the same initial weights, does not get there.)


# %% tags=["exercise-3"]
def update(w, velocity, rate=0.05, momentum=0.95):
    """Change ``w.data``, given ``w.grad``, and return the new velocity."""
    return velocity


# %% tags=["check-3"]
with exercise(3):
    rng = np.random.default_rng(1)
    w1, w2 = Tensor(rng.normal(0, 1.5, (2, 20))), Tensor(rng.normal(0, 0.3, (20, 1)))
    v1, v2 = np.zeros((2, 20)), np.zeros((20, 1))
    tape.clear()
    for _ in range(300):
        w1.grad = w2.grad = None
        loss = mean_square(predict(points, w1, w2) - target)
        backward(loss)
        v1, v2 = update(w1, v1), update(w2, v2)
    at_most("the mean squared error", float(loss.data), 0.004)
