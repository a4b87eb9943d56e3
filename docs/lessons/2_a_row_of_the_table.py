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
# # 2. A row of the gradient table
#
# In the first lesson, the tape knew seven functions. tensorgrad knows several hundred, and it knows each of them in the
# same way: by one row of a table, often one line long. This lesson is about such a row: what it says, how to derive it,
# how to test it, and how to add one of your own, even for a function that is computed by iteration.
#
# You need: lesson 1; partial derivatives; matrices.

# %%
import matplotlib.pyplot as plt
import numpy as np
from lesson import close, exercise

import tensorgrad as tg

# %% [markdown]
# ## A derivative is a matrix, and nobody wants to see it
#
# A function from $n$ numbers to $m$ numbers has $m \times n$ partial derivatives, the Jacobian matrix,
# $J_{ij} = \partial y_i / \partial x_j$. Let us look at some, for functions of twelve numbers. Blue entries are
# positive, red ones are negative, white ones are zero.

# %%
rng = np.random.default_rng(0)
x = rng.standard_normal(12)
functions = {
    "np.exp": np.exp,
    "np.cumsum": np.cumsum,
    "np.sort": np.sort,
    "tg.softmax": tg.softmax,
    "np.diff": np.diff,
    "np.max": np.max,
    "x[::3]": lambda x: x[::3],
    "np.fft.rfft (real part)": lambda x: np.real(np.fft.rfft(x)),
}

figure, axes = plt.subplots(2, 4, figsize=(9, 4.4))
for place, (name, function) in zip(axes.flat, functions.items(), strict=True):
    jacobian = np.atleast_2d(tg.jacobian(function, x))
    most = np.max(np.abs(jacobian))
    place.imshow(jacobian, cmap="RdBu", vmin=-most, vmax=most)
    place.set(title=name, xticks=[], yticks=[])
    place.spines[:].set_visible(True)

# %% [markdown]
# Almost all of them are full of zeros, or of structure. `exp` treats each element alone: a diagonal. `cumsum` is a
# triangle of ones. `sort` is a permutation. To store these matrices would be a waste: for an image of a million pixels,
# the Jacobian of `exp` has $10^{12}$ entries, and all but a millionth of them are zero.
#
# What does the backward pass need? It carries $\bar y_i = \partial \ell / \partial y_i$, how the loss depends on the
# results, and wants the same for the inputs. The chain rule says
#
# $$ \bar x_j = \sum_i \bar y_i\, \frac{\partial y_i}{\partial x_j}, \qquad\text{that is,}\qquad
#    \bar x = \bar y\, J . $$
#
# It needs a vector **times** the Jacobian, never the Jacobian itself. A row of the gradient table is a program for this
# product, a *vector-Jacobian product* or **vjp**. In the rows, $\bar y$ is called `g`.
#
# | function | Jacobian | its vjp |
# |---|---|---|
# | `np.exp` | a diagonal | `g * ans` |
# | `np.cumsum` | a triangle | `np.cumsum(g[::-1])[::-1]` |
# | `np.sort` | a permutation | put `g` back into the old order |
# | `tg.softmax` | full | `ans * (g - np.sum(g * ans))` |
#
# Each costs about as much as the function. Let us see that they are right, against the matrix:

# %%
g = rng.standard_normal(12)
order = np.argsort(x)
unsorted = np.empty(12)
unsorted[order] = g
ans = tg.softmax(x)
vjps = {
    "np.exp": g * np.exp(x),
    "np.cumsum": np.cumsum(g[::-1])[::-1],
    "np.sort": unsorted,
    "tg.softmax": ans * (g - np.sum(g * ans)),
}
for name, found in vjps.items():
    close(name, found, g @ tg.jacobian(functions[name], x), 1e-12)

# %% [markdown]
# ## Write a row
#
# The function $\log \cosh x$ is close to $x^2/2$ near zero, and to $|x| - \log 2$ far from it: a smooth absolute value.
# NumPy does not have it. Two declarations make it differentiable: `@tg.primitive` says that calls are to be recorded,
# and `tg.rule` adds the row.


# %%
@tg.primitive
def logcosh(x):
    return np.logaddexp(x, -x) - np.log(2)


tg.rule(logcosh, lambda g, _ans, x: g * np.tanh(x))

# %% [markdown]
# A row is `vjp(g, ans, *inputs)`, with one such function for each input. The names of the arguments have a meaning. A
# leading underscore says *I do not read this*, so that tensorgrad need not keep the value until the backward pass. Here
# the result is not needed, so it is `_ans`; in the row of `np.exp`, it is the input that is not needed:
# `lambda g, ans, _x: g * ans`.
#
# That is all. Derivatives of any order follow, because the row itself is NumPy code that can be recorded:

# %%
curve = np.linspace(-4, 4, 200)
first = tg.grad(lambda x: np.sum(logcosh(x)))
second = tg.grad(lambda x: np.sum(first(x)))
figure, axes = plt.subplots()
for name, function in (("log cosh", logcosh), ("its derivative", first), ("its second derivative", second)):
    axes.plot(curve, function(curve), label=name)
axes.plot(curve, np.abs(curve), "k:", lw=1, label="|x|")
axes.set(xlabel="x", ylim=(-1.2, 3.2))
axes.legend(loc="upper center", ncols=2)
plt.show()

# %% [markdown]
# ## Test a row
#
# How do we know that the row is right? `tg.gradcheck` compares it with difference quotients, element by element, along
# a random direction of the result. `tg.gradgradcheck` does the same with the derivative, which tests that the row can
# itself be differentiated.

# %%
points = np.linspace(-3, 3, 7)
assert tg.gradcheck(logcosh, [points])
assert tg.gradgradcheck(logcosh, [points])

# %% [markdown]
# A check that never fails is worth nothing, so let us make it fail. Here is a row with a small mistake. Read the
# message: it names the element, and gives both numbers.


# %%
@tg.primitive
def careless(x):
    return np.logaddexp(x, -x) - np.log(2)


tg.rule(careless, lambda g, _ans, x: g * np.sinh(x))

try:
    tg.gradcheck(careless, [points])
except tg.GradcheckError as error:
    print(error)
else:
    raise AssertionError("the mistake was not found")

# %% [markdown]
# Choose the points with care. At $x = 0$ alone, both rows give 0, and the check passes. And do not check *at* a kink:
# there the difference quotient is the mean of two slopes, which need not be the value that the rule has chosen.

# %%
assert tg.gradcheck(careless, [np.zeros(3)])

# %% [markdown]
# ## Kinks
#
# `relu(x) = max(x, 0)` has no derivative at 0. Every number between 0 and 1 would do (it is a *subgradient*), and a
# program has to choose one. tensorgrad chooses 0, as PyTorch does. `docs/conventions.md` lists all choices of this
# kind.

# %%
x = tg.Tensor(np.linspace(-2, 2, 401), requires_grad=True)
np.sum(tg.relu(x)).backward()
figure, axes = plt.subplots()
axes.plot(x.data, np.maximum(x.data, 0), label="relu")
axes.plot(x.data, x.grad, ".", ms=3, label="its derivative as computed")
axes.plot(0, x.grad[200], "ko", ms=5, label="at 0")
axes.set(xlabel="x")
axes.legend()
assert x.data[200] == 0
assert x.grad[200] == 0

# %% [markdown]
# In training, this choice hardly matters: an activation is rarely exactly 0. It matters in a check, and for weights
# that start at exactly 0: if $W_1 = 0$ and its bias is 0, all hidden units are at the kink, their derivative is 0, and
# the first layer never learns.
#
# ## A row for a function that is an algorithm
#
# A planet moves around the sun in an ellipse of eccentricity $e$. Its position at a given time follows from **Kepler's
# equation**,
#
# $$ E - e \sin E = M, $$
#
# where $M$ is the time (as an angle, proportional to it), and $E$ is an angle that gives the position,
# $(\cos E - e,\ \sqrt{1 - e^2} \sin E)$. There is no formula for $E$. It is found by iteration, with Newton's method:


# %%
def solve_kepler(M, e):
    E = M + e * np.sin(M)
    for _ in range(20):
        E = E - (E - e * np.sin(E) - M) / (1 - e * np.cos(E))
    return E


# %% [markdown]
# What is the derivative of the *result of a loop*? We could record all 20 iterations; that works, and it keeps the
# values of all of them in memory. But the derivative does not depend on how $E$ was found. Only the equation matters.
# Change $M$ by $dM$ and $e$ by $de$, and the equation must still hold:
#
# $$ dE - e \cos E\, dE - \sin E\, de = dM \qquad\Longrightarrow\qquad
#    \frac{\partial E}{\partial M} = \frac{1}{1 - e \cos E}, \qquad
#    \frac{\partial E}{\partial e} = \frac{\sin E}{1 - e \cos E}. $$
#
# This is the implicit function theorem, and it is a row:


# %%
@tg.primitive
def kepler(M, e):
    return solve_kepler(M, e)


tg.rule(
    kepler,
    lambda g, ans, _M, e: g / (1 - e * np.cos(ans)),
    lambda g, ans, _M, e: g * np.sin(ans) / (1 - e * np.cos(ans)),
    elementwise=True,
)

M = np.linspace(0.1, 6, 9)
assert tg.gradcheck(kepler, [M, np.array(0.6)])
assert tg.gradgradcheck(kepler, [M, np.array(0.6)])

# %% [markdown]
# `elementwise=True` says that the function works on each element alone and broadcasts its inputs, so that tensorgrad
# undoes the broadcasting: `e` is a single number, used for all nine times, and its gradient is one number.
#
# Now the function is like any other. Somebody has measured positions of a planet, at known times, with errors. What is
# the eccentricity of its orbit? Gradient descent finds it, through the solver.


# %%
def position(M, e):
    E = kepler(M, e)
    return np.stack([np.cos(E) - e, np.sqrt(1 - e**2) * np.sin(E)])


times = np.linspace(0.2, 6.1, 25)
measured = position(times, 0.6) + 0.04 * rng.standard_normal((2, 25))
slope = tg.value_and_grad(lambda e: np.mean((position(times, e) - measured) ** 2))

e, way = np.array(0.1), []
for _ in range(60):
    loss, gradient = slope(e)
    way.append(float(e))
    e = e - 0.2 * gradient
print(f"eccentricity {float(e):.3f}; the measurements were made with 0.6")
assert abs(e - 0.6) < 0.02

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), width_ratios=(1, 1.2))
left.plot(way)
left.axhline(0.6, color="k", ls=":", lw=1)
left.set(xlabel="update", ylabel="eccentricity")
for i, shade in ((0, 0.25), (3, 0.5), (59, 1)):
    right.plot(*position(np.linspace(0, 2 * np.pi, 300), way[i]), color="C0", alpha=shade, label=f"after {i} updates")
right.plot(*measured, "k.", ms=4, label="measured")
right.plot(0, 0, "o", color="orange", ms=9)
right.set_aspect("equal")
right.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# The same idea gives rows for linear systems, eigenvalues, optima, and the states of differential equations:
# *differentiate the equation that the result solves, not the iteration that found it*.
#
# ## Where the real rows are
#
# `tensorgrad/rules/` has a file for each family of functions. This is the beginning of the table of elementwise
# functions, from the source of the package that you are running:

# %%
import inspect

from tensorgrad.rules import elementwise

source = inspect.getsource(elementwise)
print(source[source.index("# Arithmetic") : source.index("# Powers")])

# %% [markdown]
# Now you can read them. `docs/gradients.md` has the complete table, with the measured error of every row.
#
# ## Exercises
#
# Finish the marked cell, run it, then run the check below it.
#
# ### Exercise 1: softplus
#
# $\mathrm{softplus}(x) = \log(1 + e^x)$ is a smooth relu. Write its row. The check also goes to $x = \pm 800$, where
# $e^x$ is larger than any number of the computer: no overflow, please. (`np.tanh` never overflows.)


# %% tags=["exercise-1"]
@tg.primitive
def softplus(x):
    return np.logaddexp(x, 0)


tg.rule(softplus, lambda g, ans, x: ...)

# %% tags=["check-1"]
with exercise(1), np.errstate(all="raise", under="ignore"):
    tg.gradcheck(softplus, [np.array([-3.0, -0.5, 0.0, 1.0, 4.0])])
    tg.gradgradcheck(softplus, [np.array([-3.0, -0.5, 0.0, 1.0, 4.0])])
    far = tg.grad(lambda x: np.sum(softplus(x)))(np.array([-800.0, 800.0]))
    close("the derivative at -800 and 800", far, [0, 1])

# %% [markdown]
# ### Exercise 2: the length of a vector
#
# For a matrix of the shape $(N, n)$, `lengths` returns the Euclidean length of each row, of the shape $(N,)$. It is not
# elementwise: each result depends on $n$ inputs. Write its vjp. Mind the shapes: `g` and `ans` are $(N,)$, and the
# gradient must be $(N, n)$.


# %% tags=["exercise-2"]
@tg.primitive
def lengths(x):
    return np.sqrt(np.sum(x**2, axis=1))


tg.rule(lengths, lambda g, ans, x: ...)

# %% tags=["check-2"]
with exercise(2):
    sample = np.random.default_rng(2).standard_normal((4, 3))
    tg.gradcheck(lengths, [sample])
    tg.gradgradcheck(lengths, [sample])

# %% [markdown]
# ### Exercise 3: a linear system
#
# `solve(A, b)` returns the $y$ with $A y = b$. By the same argument as for Kepler's equation: $dA\, y + A\, dy = db$,
# so $dy = A^{-1}(db - dA\, y)$. Find both vjps. Hint: let $u$ be the solution of $A^T u = g$; then
# $g \cdot dy = u \cdot (db - dA\, y)$.
#
# Inside the rules, call `solve` or `np.linalg.solve`, not the inverse matrix.


# %% tags=["exercise-3"]
@tg.primitive
def solve(A, b):
    return np.linalg.solve(A, b)


tg.rule(
    solve,
    lambda g, ans, A, b: ...,
    lambda g, ans, A, b: ...,
)

# %% tags=["check-3"]
with exercise(3):
    sample = np.random.default_rng(3).standard_normal((4, 4)) + 4 * np.eye(4)
    tg.gradcheck(solve, [sample, np.arange(4.0)])
    tg.gradgradcheck(solve, [sample, np.arange(4.0)])
