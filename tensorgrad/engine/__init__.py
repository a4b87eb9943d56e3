"""The engine: calls, records, the backward pass and aliasing. Nothing in it is specific to neural networks.

docs/how-it-works.md is the overview: the life of a call, a glossary, and where each thing is decided.

Read in this order: `tape` (records and leaves), `registry` (the gradient table), `record` (calls), `backward` (the
backward pass), `broadcasting` (of which rules know nothing), `zero_rule` (unused elements have gradient 0), `aliasing`
(views, and saved values that a later write must not change), `indexing` (``x[index]`` and its transpose) and `caller`
(the user's line, for error messages). The user interface, the Tensor, is in `tensorgrad.frontend`.

At a first reading, skip what concerns the tracer, by which `tensorgrad.compiling` follows a call (`tape.tracer()` is
None otherwise), and the observers (a list that is empty unless `tensorgrad.debug` is used): neither changes a result.
So do `_one_input` and `_binary` in `record`, which are `_general` made faster; in `backward`, the rules for several
inputs (``together``), additions in place (``add_to``), and all attempts but the first.
"""
