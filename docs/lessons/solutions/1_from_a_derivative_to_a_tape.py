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
# # Solutions of lesson 1
#
# Each cell replaces the cell of the exercise in the lesson.
#
# ## Exercise 1: a missing row
#
# With $z = x / y$: $\partial z / \partial x = 1 / y$ and $\partial z / \partial y = -x / y^2 = -z / y$. The result,
# which is there already, saves a division.

# %% tags=["solution-1"]
rules[np.divide] = (
    lambda g, ans, x, y: g / y,
    lambda g, ans, x, y: -g * ans / y,
)

# %% [markdown]
# A common mistake: the sign of the second rule.

# %% tags=["mistake-1"]
rules[np.divide] = (
    lambda g, ans, x, y: g / y,
    lambda g, ans, x, y: g * ans / y,
)

# %% [markdown]
# ## Exercise 2: broadcasting
#
# The first line removes the axes in front; the second adds along axes of length 1. An array of the shape `(5, 3)`
# passes through both lines unchanged, because a sum over no axes changes nothing.


# %% tags=["solution-2"]
def unbroadcast(g, shape):
    g = np.sum(g, axis=tuple(range(np.ndim(g) - len(shape))))
    return np.sum(g, axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)


# %% [markdown]
# A common mistake: to treat the axes in front, as for a bias of the shape `(3,)`, and to forget those of length 1.


# %% tags=["mistake-2"]
def unbroadcast(g, shape):
    return np.sum(g, axis=tuple(range(np.ndim(g) - len(shape))))


# %% [markdown]
# ## Exercise 3: the same gradient, used better


# %% tags=["solution-3"]
def update(w, velocity, rate=0.05, momentum=0.95):
    velocity = momentum * velocity + w.grad
    w.data -= rate * velocity
    return velocity


# %% [markdown]
# A common mistake: to compute the velocity, and then to descend along the gradient. This is plain gradient descent,
# which does not arrive in time.


# %% tags=["mistake-3"]
def update(w, velocity, rate=0.05, momentum=0.95):
    velocity = momentum * velocity + w.grad
    w.data -= rate * w.grad
    return velocity
