"""Image registration: the rotation, scale and shift that map one image onto another, through bilinear interpolation.

    python examples/image_warp.py --plot warp.png

The images show the head phantom of Shepp and Logan (1974) in two positions, with noise. A warp samples the first image
at the transformed coordinates of each pixel of the second. `np.floor(z).astype(int)` returns plain integers, which
select four neighbours, and the gradient flows through their weights. The fit starts with blurred images, whose
difference has fewer local minima, and continues with sharper ones.
"""

import argparse
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.optimize import minimize

import tensorgrad as tg

# Ellipses: brightness, half axes, centre (x, y), and angle in degrees; with the contrasts of Toft (1996).
PHANTOM = [(1, 0.69, 0.92, 0, 0, 0), (-0.8, 0.6624, 0.874, 0, -0.0184, 0), (-0.2, 0.11, 0.31, 0.22, 0, -18),
           (-0.2, 0.16, 0.41, -0.22, 0, 18), (0.1, 0.21, 0.25, 0, 0.35, 0), (0.1, 0.046, 0.046, 0, 0.1, 0),
           (0.1, 0.046, 0.046, 0, -0.1, 0), (0.1, 0.046, 0.023, -0.08, -0.605, 0), (0.1, 0.023, 0.023, 0, -0.606, 0),
           (0.1, 0.023, 0.046, 0.06, -0.605, 0)]  # fmt: skip
TRUTH = np.array([0.25, 0.08, 0.07, -0.05])  # angle, logarithm of the scale, shift in x and y; the image is 2 wide


def grid(pixels: int) -> Any:
    """Coordinates x and y of the pixels, from -1 to 1, (pixels, pixels) each; y points upward."""
    at = (np.arange(pixels) + 0.5) * 2 / pixels - 1
    return np.meshgrid(at, -at)


def transform(theta: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """Points that are rotated, scaled and shifted."""
    cos, sin = np.exp(theta[1]) * np.cos(theta[0]), np.exp(theta[1]) * np.sin(theta[0])
    return cos * x - sin * y + theta[2], sin * x + cos * y + theta[3]


def phantom(x: Any, y: Any) -> Any:
    """The brightness at these points."""
    image = np.zeros_like(x)
    for brightness, a, b, x0, y0, degrees in PHANTOM:
        along, across = transform((-np.radians(degrees), 0, 0, 0), x - x0, y - y0)
        image[(along / a) ** 2 + (across / b) ** 2 <= 1] += brightness
    return image


def sample(image: Any, x: Any, y: Any) -> Any:
    """The image at the points (x, y), interpolated between the four nearest pixels; 0 outside."""
    n, image = len(image), np.pad(image, 1)
    row, column = (np.clip((z + 1) * n / 2 + 0.5, 0, n + 1) for z in (-y, x))
    i, j = (np.minimum(np.floor(z).astype(int), n) for z in (row, column))
    a, b = row - i, column - j
    above = (1 - b) * image[i, j] + b * image[i, j + 1]
    below = (1 - b) * image[i + 1, j] + b * image[i + 1, j + 1]
    return (1 - a) * above + a * below


def difference(theta: Any, moving: Any, fixed: Any) -> Any:
    """The mean squared difference between the warped image and the fixed one."""
    return np.mean((sample(moving, *transform(theta, *grid(len(fixed)))) - fixed) ** 2)


def main(arguments: list[str] | None = None) -> float:
    """Register, print, and draw; return the mean distance of the pixels from their true positions, in pixels."""
    parser = argparse.ArgumentParser(description="The rotation, scale and shift between two images.")
    parser.add_argument("--pixels", type=int, default=96, help="pixels along a side")
    parser.add_argument("--plot", metavar="FILE", help="write a picture to this file")
    given = parser.parse_args(arguments)

    (x, y), rng = grid(given.pixels), np.random.default_rng(0)
    moving, fixed = (phantom(*at) + rng.normal(0, 0.05, x.shape) for at in ((x, y), transform(TRUTH, x, y)))
    theta = np.zeros(4)
    for blur in (4, 2, 1):  # standard deviations in pixels
        images = gaussian_filter(moving, blur), gaussian_filter(fixed, blur)
        theta = minimize(tg.value_and_grad(difference), theta, images, jac=True).x
        distance = np.hypot(*np.subtract(transform(theta, x, y), transform(TRUTH, x, y))).mean() * given.pixels / 2
        print(f"blur {blur}: angle, log scale, shift {np.round(theta, 4)}, off by {distance:.3f} pixels")
    if given.plot:
        draw(given.plot, moving, fixed, sample(moving, *transform(theta, x, y)))
    return float(distance)


def draw(file: str, moving: Any, fixed: Any, warped: Any) -> None:
    """Both images, and their difference before and after."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3), layout="constrained")
    pictures = {"moving": moving, "fixed": fixed, "before: moving - fixed": moving - fixed, "after": warped - fixed}
    for axes, (title, image) in zip(figure.subplots(1, 4), pictures.items(), strict=True):
        axes.imshow(image, cmap="gray", vmin=-1 if image.min() < -0.5 else 0, vmax=1)
        axes.set(xticks=[], yticks=[], title=title)
    figure.savefig(file, dpi=150)


if __name__ == "__main__":
    main()
