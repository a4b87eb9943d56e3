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
# # Solutions of lesson 5
#
# Each cell replaces the cell of the exercise in the lesson.
#
# ## Exercise 1: larger steps


# %% tags=["solution-1"]
def strided(x, filters, stride):
    windows = np.lib.stride_tricks.sliding_window_view(x, filters.shape[2:], axis=(2, 3))
    return np.einsum("nchwij,fcij->nfhw", windows[:, :, ::stride, ::stride], filters)


# %% [markdown]
# A common mistake: to take every second pixel of the image instead of every second window.


# %% tags=["mistake-1"]
def strided(x, filters, stride):
    windows = np.lib.stride_tricks.sliding_window_view(x[:, :, ::stride, ::stride], filters.shape[2:], axis=(2, 3))
    return np.einsum("nchwij,fcij->nfhw", windows, filters)


# %% [markdown]
# ## Exercise 2: do not look ahead
#
# `np.tril` keeps the lower triangle, where the key is not later than the query.


# %% tags=["solution-2"]
def causal(q, k, v):
    scores = q @ k.T / np.sqrt(q.shape[-1])
    return tg.softmax(np.where(np.tril(np.ones((len(q), len(k)), bool)), scores, -np.inf)) @ v


# %% [markdown]
# A common mistake: to set the *weights* of later places to 0 after softmax. They still depend on the later keys,
# through the sum in the denominator, and the other weights no longer add up to 1.


# %% tags=["mistake-2"]
def causal(q, k, v):
    weights = tg.softmax(q @ k.T / np.sqrt(q.shape[-1]))
    return np.where(np.tril(np.ones((len(q), len(k)), bool)), weights, 0) @ v


# %% [markdown]
# ## Exercise 3: shift the training images
#
# One shift for the whole batch is enough, since each batch has another one.


# %% tags=["solution-3"]
def change(images, rng):
    return shifted(images, int(rng.integers(-2, 3)))


# %% [markdown]
# A common mistake: to shift in one direction only.


# %% tags=["mistake-3"]
def change(images, rng):
    return shifted(images, int(rng.integers(1, 3)))
