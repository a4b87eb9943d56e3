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
# # Solutions of lesson 6
#
# Each cell replaces the cell of the exercise in the lesson. In the first, the definitions of the data stay as they are.
#
# ## Exercise 1: Newton for a classifier


# %% tags=["solution-1"]
def minimum(f, w, steps=8):
    for _ in range(steps):
        w = w - np.linalg.solve(tg.hessian(f)(w), tg.grad(f)(w))
    return w


# %% [markdown]
# A common mistake: to multiply by the Hessian instead of its inverse.


# %% tags=["mistake-1"]
def minimum(f, w, steps=8):
    for _ in range(steps):
        w = w - tg.hessian(f)(w) @ tg.grad(f)(w)
    return w


# %% [markdown]
# ## Exercise 2: the steepest direction, without the matrix
#
# The part of $v$ in the direction of the largest eigenvalue grows fastest, so in the end it is all there is.


# %% tags=["solution-2"]
def largest_curvature(f, x, rng, products=100):
    v = rng.standard_normal(x.shape)
    for _ in range(products):
        v = v / np.linalg.norm(v)
        v = tg.hvp(f, x, v)
    return np.linalg.norm(v)


# %% [markdown]
# A common mistake: to divide after the last product as well, so that the length is always 1.


# %% tags=["mistake-2"]
def largest_curvature(f, x, rng, products=100):
    v = rng.standard_normal(x.shape)
    for _ in range(products):
        v = tg.hvp(f, x, v)
        v = v / np.linalg.norm(v)
    return np.linalg.norm(v)


# %% [markdown]
# ## Exercise 3: a rougher curve


# %% tags=["solution-3"]
def matern(s, t, theta):
    height, length, _ = np.exp(theta)
    r = np.sqrt(3) * np.abs(s[:, None] - t) / length
    return height**2 * (1 + r) * np.exp(-r)


# %% [markdown]
# A common mistake: to forget the factor $1 + r$. That is a kernel as well, of curves that are rougher still.


# %% tags=["mistake-3"]
def matern(s, t, theta):
    height, length, _ = np.exp(theta)
    r = np.sqrt(3) * np.abs(s[:, None] - t) / length
    return height**2 * np.exp(-r)
