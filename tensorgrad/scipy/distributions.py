"""Univariate continuous and discrete distributions, defined by the functions of their standard form."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad.engine.tape import Array, any_tracked, current_mode, value_of
from tensorgrad.errors import NoRuleError
from tensorgrad.functional.arguments import floating, in_precision_of


def _bound(name: str, defaults: dict[str, Any], args: tuple[Any, ...], given: dict[str, Any]) -> list[Any]:
    """The values of the parameters of a distribution, in their order. Parameters without a default are None there."""
    both = set(list(defaults)[: len(args)]) & given.keys()
    bound = defaults | dict(zip(defaults, args, strict=False)) | given
    missing = [parameter for parameter, value in bound.items() if value is None]
    if len(args) > len(defaults) or given.keys() - defaults.keys() or both or missing:
        raise TypeError(f"{name} takes the parameters {', '.join(defaults)}; got {len(args)} positional ones and "
                        f"{sorted(given) or 'none'} by name")  # fmt: skip
    return list(bound.values())


def _nan_unless(valid: Any, out: Array) -> Array:
    """``out``; for invalid parameters NaN, with a gradient of NaN."""
    return out if np.all(valid) else out * np.where(valid, 1, np.nan).astype(out.dtype)


class Continuous:
    """A continuous distribution of ``loc + scale * z``, given the functions of ``z``.

    ``inside`` is a number between the bounds of the support.
    """

    inside = 0.5

    def __init__(self, name: str, doc: str, shapes: tuple[str, ...], *, log_density: Callable[..., Array],
                 cdf: Callable[..., Array], logcdf: Callable[..., Array], sf: Callable[..., Array],
                 logsf: Callable[..., Array], ppf: Callable[..., Array],
                 lower: float = -math.inf, upper: float = math.inf) -> None:  # fmt: skip
        self.name, self.__doc__ = name, doc
        self.defaults = dict.fromkeys(shapes) | {"loc": 0.0, "scale": 1.0}
        self._log_density, self._cdf, self._logcdf, self._sf, self._logsf = log_density, cdf, logcdf, sf, logsf
        self._ppf = ppf
        self.lower, self.upper = lower, upper

    def __repr__(self) -> str:
        return f"<distribution {self.name}({', '.join(self.defaults)})>"

    def _parameters(self, x: Any, args: Any, given: Any) -> tuple[Array, list[Array], Any]:
        """``x``, the shape parameters, ``loc`` and ``scale``, and where they are valid."""
        x = floating(x)
        parameters = [in_precision_of(x, p) for p in _bound(self.name, self.defaults, args, given)]
        valid: Any = True
        for i, parameter in enumerate(parameters):
            if i != len(parameters) - 2:  # loc may be any number
                valid = valid & (value_of(parameter) > 0)
        return x, parameters, valid

    def _of_z(self, fn: Callable[..., Array], below: float, above: float, x: Any, args: Any, given: Any,
              is_probability: bool = True) -> Any:  # fmt: skip
        """A function of ``z``, with the given values outside the support, and the scale.

        A probability has these values at infinity, too, where its gradient is 0.
        """
        x, (*shapes, loc, scale), valid = self._parameters(x, args, given)
        largest = np.finfo(x.dtype).max if is_probability else math.inf
        with np.errstate(divide="ignore", invalid="ignore"):
            z = (x - loc) / scale
            low, high = value_of(z) < max(self.lower, -largest), value_of(z) > min(self.upper, largest)
            if np.any(low) or np.any(high):
                out = fn(np.where(low | high, self.inside, z).astype(z.dtype), *shapes)
                out = np.where(low, below, np.where(high, above, out)).astype(out.dtype)
            else:
                out = fn(z, *shapes)
            return _nan_unless(valid, out), scale

    def logpdf(self, x: Any, *args: Any, **parameters: Any) -> Array:
        """The logarithm of the density at ``x``.

        Examples
        --------
        >>> tg.scipy.stats.norm.logpdf(np.array([0.0, 1.0]), loc=1.0)
        array([-1.4189, -0.9189])
        """
        out, scale = self._of_z(self._log_density, -math.inf, -math.inf, x, args, parameters,
                                 is_probability=False)  # fmt: skip
        with np.errstate(divide="ignore", invalid="ignore"):
            return out - np.log(scale)

    def pdf(self, x: Any, *args: Any, **parameters: Any) -> Array:
        """The density at ``x``.

        Examples
        --------
        >>> tg.scipy.stats.expon.pdf(np.array([0.0, 1.0]), scale=2.0)
        array([0.5   , 0.3033])
        """
        return np.exp(self.logpdf(x, *args, **parameters))

    def cdf(self, x: Any, *args: Any, **parameters: Any) -> Array:
        """The cumulative distribution function at ``x``.

        Examples
        --------
        >>> tg.scipy.stats.uniform.cdf(np.array([0.25, 2.0]))
        array([0.25, 1.  ])
        """
        return self._of_z(self._cdf, 0.0, 1.0, x, args, parameters)[0]

    def logcdf(self, x: Any, *args: Any, **parameters: Any) -> Array:
        """The logarithm of the cumulative distribution function at ``x``.

        Examples
        --------
        >>> tg.scipy.stats.norm.logcdf(np.array([0.0, -10.0]))
        array([ -0.6931, -53.2313])
        """
        return self._of_z(self._logcdf, -math.inf, 0.0, x, args, parameters)[0]

    def sf(self, x: Any, *args: Any, **parameters: Any) -> Array:
        """The survival function at ``x``: 1 minus `cdf`, without cancellation.

        Examples
        --------
        >>> tg.scipy.stats.expon.sf(np.array([0.0, 2.0]), scale=2.0)
        array([1.    , 0.3679])
        """
        return self._of_z(self._sf, 1.0, 0.0, x, args, parameters)[0]

    def logsf(self, x: Any, *args: Any, **parameters: Any) -> Array:
        """The logarithm of the survival function at ``x``.

        Examples
        --------
        >>> tg.scipy.stats.norm.logsf(np.array([0.0, 10.0]))
        array([ -0.6931, -53.2313])
        """
        return self._of_z(self._logsf, 0.0, -math.inf, x, args, parameters)[0]

    def ppf(self, q: Any, *args: Any, **parameters: Any) -> Array:
        """The quantile of ``q``: the ``x`` whose `cdf` is ``q``. NaN if ``q`` is not between 0 and 1.

        Examples
        --------
        >>> tg.scipy.stats.norm.ppf(np.array([0.5, 0.975]))
        array([0.  , 1.96])
        """
        q, (*shapes, loc, scale), valid = self._parameters(q, args, parameters)
        is_probability = (value_of(q) >= 0) & (value_of(q) <= 1)
        q = q if np.all(is_probability) else np.where(is_probability, q, 0.5).astype(q.dtype)
        with np.errstate(divide="ignore", invalid="ignore"):
            return _nan_unless(valid & is_probability, loc + scale * self._ppf(q, *shapes))


class Discrete:
    """A distribution over the integers ``k - loc`` from 0 to an upper bound; differentiable in its real parameters."""

    def __init__(self, name: str, doc: str, shapes: tuple[str, ...], *, log_mass: Callable[..., Array],
                 cdf: Callable[..., Array], valid: Callable[..., Any],
                 upper: Callable[..., Any], integers: tuple[str, ...] = ()) -> None:  # fmt: skip
        self.name, self.__doc__ = name, doc
        self.defaults = dict.fromkeys(shapes) | {"loc": 0}
        self.integers = {"k", "loc", *integers}
        self._log_mass, self._cdf, self._valid, self._upper = log_mass, cdf, valid, upper

    def __repr__(self) -> str:
        return f"<distribution {self.name}({', '.join(self.defaults)})>"

    def _parameters(self, k: Any, args: Any, given: Any) -> tuple[Array, list[Array], Any, Any]:
        """``k - loc``, the shape parameters, where they are valid, and the largest ``k - loc``."""
        named = {"k": k} | dict(zip(self.defaults, _bound(self.name, self.defaults, args, given), strict=True))
        for name in self.integers & named.keys():
            if current_mode().recording and any_tracked(named[name]):
                raise NoRuleError(f"{self.name}: {name} is an integer, so there is no derivative with respect to it: "
                                  f"pass {name}.detach()")  # fmt: skip
            named[name] = value_of(named[name])
        first, *_ = real = [floating(p) for name, p in named.items() if name not in self.integers]
        shapes = [in_precision_of(first, p) for name, p in named.items() if name not in ("k", "loc")]
        values = [value_of(p) for p in shapes]
        k = in_precision_of(real[0], np.subtract(named["k"], named["loc"]))
        return k, shapes, self._valid(*values), self._upper(*values)

    def logpmf(self, k: Any, *args: Any, **parameters: Any) -> Array:
        """The logarithm of the probability of ``k``.

        Examples
        --------
        >>> tg.scipy.stats.poisson.logpmf(np.array([0, 1]), 2.0)
        array([-2.    , -1.3069])
        """
        k, shapes, valid, upper = self._parameters(k, args, parameters)
        inside = (k >= 0) & (k == np.floor(k)) & (k <= upper)
        out = self._log_mass(np.where(inside | np.isnan(k), k, 0).astype(k.dtype), *shapes)
        return _nan_unless(valid, np.where(inside | np.isnan(k), out, -np.inf).astype(out.dtype))

    def pmf(self, k: Any, *args: Any, **parameters: Any) -> Array:
        """The probability of ``k``.

        Examples
        --------
        >>> tg.scipy.stats.binom.pmf(np.array([0, 1]), 2, 0.5)
        array([0.25, 0.5 ])
        """
        return np.exp(self.logpmf(k, *args, **parameters))

    def cdf(self, k: Any, *args: Any, **parameters: Any) -> Array:
        """The cumulative distribution function at ``k``.

        Examples
        --------
        >>> tg.scipy.stats.binom.cdf(np.array([0, 1]), 2, 0.5)
        array([0.25, 0.75])
        """
        k, shapes, valid, upper = self._parameters(k, args, parameters)
        k = np.floor(k)
        inside = ~((k < 0) | (k >= upper))
        out = self._cdf(np.where(inside, k, 0).astype(k.dtype), *shapes)
        return _nan_unless(valid, np.where(inside, out, np.where(k < 0, 0, 1)).astype(out.dtype))
