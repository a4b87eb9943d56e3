"""The exceptions of tensorgrad.

::

    TensorgradError
    ├── NoRuleError (TypeError)            a NumPy function, or an argument of it, without a gradient rule
    ├── GradientLostError (TypeError)      a tensor that requires a gradient became a plain array or number
    ├── FreedGraphError (RuntimeError)     a second backward pass over a graph that the first one freed
    ├── OverwriteError (RuntimeError)      a saved value was overwritten through an ndarray, under detect_anomaly
    ├── AssignmentError (RuntimeError)     ``t[index] = value`` that cannot be recorded
    ├── CompileError (TypeError)           a function that `compile` cannot record and replay
    ├── AnomalyError (FloatingPointError)  the first NaN or infinity, under detect_anomaly
    ├── GradcheckError (AssertionError)    an analytic gradient disagrees with the numeric one
    ├── ShapeError (ValueError)            shapes that do not match
    ├── DataError (ValueError)             a data file is malformed
    │   └── DataNotFoundError              a data set was not found and could not be downloaded
    ├── CheckpointError (ValueError)       a checkpoint is damaged, or does not match the network it is loaded into
    ├── ExportError (ValueError)           a network that cannot be written to, or read from, a file of another library
    └── ConfigError (ValueError)           an option, or an entry of a network file, is invalid

Each also derives from the built-in exception in parentheses, so that it can be caught without importing tensorgrad.
"""

__all__ = ["AnomalyError", "AssignmentError", "CheckpointError", "CompileError", "ConfigError", "DataError",
           "DataNotFoundError", "ExportError", "FreedGraphError", "GradcheckError", "GradientLostError", "NoRuleError",
           "OverwriteError", "ShapeError", "TensorgradError"]  # fmt: skip


class TensorgradError(Exception):
    """Base class of all errors raised by tensorgrad."""


class NoRuleError(TensorgradError, TypeError):
    """A NumPy function, or one of its arguments, has no gradient rule."""


class GradientLostError(TensorgradError, TypeError):
    """A tensor that requires a gradient was about to become a plain array or number."""


class FreedGraphError(TensorgradError, RuntimeError):
    """The graph was freed by an earlier backward pass."""


class OverwriteError(TensorgradError, RuntimeError):
    """A value that a backward pass needs was overwritten through an ndarray."""


class AssignmentError(TensorgradError, RuntimeError):
    """An assignment to elements that cannot be recorded."""


class CompileError(TensorgradError, TypeError):
    """A function that `compile` cannot record and replay."""


class AnomalyError(TensorgradError, FloatingPointError):
    """An operation produced a NaN or an infinity, under `detect_anomaly`."""


class GradcheckError(TensorgradError, AssertionError):
    """An analytic gradient disagrees with the numeric one."""


class ShapeError(TensorgradError, ValueError):
    """Shapes that do not match, even if they would broadcast."""


class DataError(TensorgradError, ValueError):
    """A data file is malformed."""


class DataNotFoundError(DataError):
    """A data set was not found and could not be downloaded."""


class CheckpointError(TensorgradError, ValueError):
    """A checkpoint is damaged, or does not match the network it is loaded into."""


class ExportError(TensorgradError, ValueError):
    """A network cannot be written to, or read from, a file of another library."""


class ConfigError(TensorgradError, ValueError):
    """An option, or an entry of a network file, is invalid."""
