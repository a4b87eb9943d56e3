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
# # Solutions of lesson 4
#
# Each cell replaces the cell of the exercise in the lesson.
#
# ## Exercise 1: the penalty in the loss


# %% tags=["solution-1"]
def penalized(w, x, y, c=SHRINK / RATE):
    w1, b1, w2, b2 = w
    penalty = c / 2 * (np.sum(w1**2) + np.sum(w2**2))
    return tg.cross_entropy(network(x, w1, b1, w2, b2), y) + penalty


# %% [markdown]
# A common mistake: to forget that the derivative of a square brings a factor of 2. This penalty shrinks twice as much.


# %% tags=["mistake-1"]
def penalized(w, x, y, c=SHRINK / RATE):
    w1, b1, w2, b2 = w
    return tg.cross_entropy(network(x, w1, b1, w2, b2), y) + c * (np.sum(w1**2) + np.sum(w2**2))


# %% [markdown]
# ## Exercise 2: summed, not averaged
#
# The gradient of the sum is that of the mean times the size of the batch, so the same balance is reached at a rate that
# is smaller by this factor.


# %% tags=["solution-2"]
def critical_rate(shrink, sigma, batch):
    return shrink / (batch * sigma)


# %% [markdown]
# A common mistake: the factor on the wrong side.


# %% tags=["mistake-2"]
def critical_rate(shrink, sigma, batch):
    return shrink * batch / sigma


# %% [markdown]
# ## Exercise 3: repair the recipe
#
# Let the shrinkage go to zero, and keep the rate long enough to learn what the shrinkage had prevented. Here the
# shrinkage is halved every 50 updates; the rate is halved twice near the end, which calms the last updates.


# %% tags=["solution-3"]
def mine(update):
    rate = RATE * (1 if update < 1200 else 0.5 if update < 1500 else 0.25)
    return rate, SHRINK * 0.5 ** (update / 50)


# %% [markdown]
# A common mistake: to hold the rate, so that nothing falls, and to leave the shrinkage as it is. Nothing falls; nothing
# rises above the balance, either.


# %% tags=["mistake-3"]
def mine(update):
    return RATE, SHRINK
