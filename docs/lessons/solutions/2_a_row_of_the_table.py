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
# # Solutions of lesson 2
#
# Each cell replaces the cell of the exercise in the lesson.
#
# ## Exercise 1: softplus
#
# The derivative is $e^x / (1 + e^x) = 1 / (1 + e^{-x})$, the logistic function, and
# $1 / (1 + e^{-x}) = (1 + \tanh(x/2)) / 2$.


# %% tags=["solution-1"]
@tg.primitive
def softplus(x):
    return np.logaddexp(x, 0)


tg.rule(softplus, lambda g, _ans, x: g * (0.5 + 0.5 * np.tanh(x / 2)))

# %% [markdown]
# A common mistake: the right formula, which overflows.


# %% tags=["mistake-1"]
@tg.primitive
def softplus(x):
    return np.logaddexp(x, 0)


tg.rule(softplus, lambda g, _ans, x: g * np.exp(x) / (1 + np.exp(x)))

# %% [markdown]
# ## Exercise 2: the length of a vector
#
# $\partial \lVert x \rVert / \partial x_j = x_j / \lVert x \rVert$. The new axis lets each row use its own `g` and
# `ans`.


# %% tags=["solution-2"]
@tg.primitive
def lengths(x):
    return np.sqrt(np.sum(x**2, axis=1))


tg.rule(lengths, lambda g, ans, x: (g / ans)[:, None] * x)

# %% [markdown]
# A common mistake: the derivative of the *squared* length.


# %% tags=["mistake-2"]
@tg.primitive
def lengths(x):
    return np.sqrt(np.sum(x**2, axis=1))


tg.rule(lengths, lambda g, _ans, x: 2 * g[:, None] * x)

# %% [markdown]
# ## Exercise 3: a linear system
#
# With $A^T u = g$, $\; g \cdot dy = u \cdot db - u \cdot dA\, y$. The first term says that $\bar b = u$. The second is
# $-\sum_{ij} u_i\, dA_{ij}\, y_j$, so $\bar A_{ij} = -u_i y_j$. The solution $y$ is `ans`.


# %% tags=["solution-3"]
@tg.primitive
def solve(A, b):
    return np.linalg.solve(A, b)


tg.rule(
    solve,
    lambda g, ans, A, _b: -np.outer(solve(A.T, g), ans),
    lambda g, _ans, A, _b: solve(A.T, g),
)

# %% [markdown]
# A common mistake: to forget that the matrix is transposed.


# %% tags=["mistake-3"]
@tg.primitive
def solve(A, b):
    return np.linalg.solve(A, b)


tg.rule(
    solve,
    lambda g, ans, A, _b: -np.outer(solve(A, g), ans),
    lambda g, _ans, A, _b: solve(A, g),
)
