"""The values that a record saved. Only this file of the tests knows how records store them."""

from tensorgrad.engine.aliasing import Saved


def saved_inputs(record):
    """The values of the inputs that were saved, and None for those that were not."""
    return [x.data if isinstance(x, Saved) else None if is_outline(x) else x for x in record.inputs]


def saved_answer(record):
    """The value of the result, if it was saved."""
    return None if record.ans is None else record.ans.data


def is_outline(x):
    """Whether only the shape and dtype of an input are known."""
    return not isinstance(x, Saved) and hasattr(x, "dtype") and not hasattr(x, "__array_interface__")


def reads(t):
    """Which inputs the record of a tensor saved, and whether it saved the result."""
    return [x is not None for x in saved_inputs(t.record)], t.record.ans is not None


def parents_of(record):
    """The nodes that gradients flow to."""
    return [parent for parent in record.parents if parent is not None]
