"""The engine: a call, a record, the backward pass, what a write must not touch. It knows nothing of neural networks.

Read in this order: `tape` (what an operation leaves behind), `registry` (the gradient table), `record` (a call),
`backward` (the pass back), `zero_rule` (what was not used has no gradient), `aliasing` (views, and values that a later
write must not change), `sums` (sums of gradients), `indexing` (``x[index]`` and its transpose) and `caller` (the user's
line, for errors). What users see of it, the Tensor, stands beside it in `tensorgrad.frontend`.
"""
