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
# # Solutions of lesson 7
#
# Each cell replaces the cell of the exercise in the lesson.
#
# ## Exercise 1: let NumPy decide


# %% tags=["solution-1"]
def huber(errors):
    size = np.abs(errors)
    return np.sum(np.where(size <= 1, errors**2 / 2, size - 0.5))


# %% [markdown]
# A common mistake: to forget the $-\frac12$ that joins the two pieces. The gradient is right, the value is not.


# %% tags=["mistake-1"]
def huber(errors):
    size = np.abs(errors)
    return np.sum(np.where(size <= 1, errors**2 / 2, size))


# %% [markdown]
# ## Exercise 2: read a program
#
# A matrix product, tanh, $t - t^2$, the sum of each row, and the logarithm of the sum of the exponentials. (The line
# with `maximum.reduce` is a distraction: `t4` is not read.)


# %% tags=["solution-2"]
def mystery(x, w):
    t = np.tanh(x @ w)
    return tg.logsumexp(np.sum(t - t**2, axis=1))


# %% [markdown]
# A common mistake: to add up everything in `add.reduce(t2, axis=1, ...)`, and to read the rest as $\log(\exp(s)) = s$.


# %% tags=["mistake-2"]
def mystery(x, w):
    t = np.tanh(x @ w)
    return np.sum(t - t**2)


# %% [markdown]
# ## Exercise 3: how many products?
#
# Each layer has three: one forward, one for the gradient of its weights, and one for the gradient of its input. The
# first layer does not need the last one, since the input is data.


# %% tags=["solution-3"]
def products(layers):
    return 3 * layers - 1


# %% [markdown]
# A common mistake: to count the gradient of the data.


# %% tags=["mistake-3"]
def products(layers):
    return 3 * layers
