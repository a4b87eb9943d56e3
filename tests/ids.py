"""Names of the values of parametrized tests, for their ids: `tests/conftest.py` uses them where a test gives none."""

import linecache

LONGEST = 60


def value_id(name, value):
    """The id of a value of the parameter ``name``; None for strings, functions and types, which pytest names well."""
    if isinstance(value, str | type):
        return None
    if getattr(value, "__name__", "") == "<lambda>":
        return shortened(body(value))
    if callable(value):
        return None
    text = written(value)
    return None if " at 0x" in text else shortened(f"{name}={text}")  # an address differs from process to process


def written(value):
    """A value as text, with the dtype and shape of arrays in place of their elements."""
    if hasattr(value, "shape") and hasattr(value, "dtype") and value.shape:
        return f"{value.dtype}{value.shape}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        left, right = "[]" if isinstance(value, list) else "()"
        return left + ", ".join(map(written, value)) + ("," if right == ")" and len(value) == 1 else "") + right
    if isinstance(value, (set, frozenset)):
        return "{" + ", ".join(sorted(map(written, value))) + "}"
    if isinstance(value, slice):
        return ":".join("" if end is None else str(end) for end in (value.start, value.stop, value.step))
    if value is ...:
        return "..."
    name = getattr(value, "__name__", str(value))
    return body(value) if name == "<lambda>" else name


def body(function):
    """The source of the body of a lambda."""
    code = function.__code__
    places = [place for place in code.co_positions() if None not in place and place[::2] != place[1::2]]
    if not places:  # Python was started without positions (-X no_debug_ranges)
        return "lambda"
    start, end = min(place[::2] for place in places), max(place[1::2] for place in places)
    lines = [linecache.getline(code.co_filename, n).encode() for n in range(start[0], end[0] + 1)]
    lines[-1] = lines[-1][: end[1]]
    lines[0] = lines[0][start[1] :]
    return b" ".join(lines).decode()


def shortened(text):
    """A text without line breaks, cut off after `LONGEST` characters."""
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
