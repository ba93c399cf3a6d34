"""Invertible maps: pushed through one of them, x keeps all its information about y. Rows in (n, d), rows out."""

from __future__ import annotations

import numpy as np

from hartley.bits.tables import Floats


def half_cube(z: Floats) -> Floats:
    """z sqrt|z| of each coordinate: longer tails."""
    return np.asarray(z * np.sqrt(np.abs(z)))


def asinh(z: Floats) -> Floats:
    """Inverse hyperbolic sine of each coordinate: tames heavy tails."""
    return np.asarray(np.arcsinh(z))


def normal_cdf(z: Floats) -> Floats:
    """Standard normal distribution function of each coordinate: standard normals become uniform."""
    from scipy.special import ndtr

    return np.asarray(ndtr(z))


def wiggly_x(z: Floats) -> Floats:
    """z plus three sines, slope at least 0.16 (the BMI benchmark's map for x)."""
    return np.asarray(z + 0.4 * np.sin(z) + 0.2 * np.sin(1.7 * z + 1) + 0.03 * np.sin(3.3 * z - 2.5))


def wiggly_y(z: Floats) -> Floats:
    """z plus three sines, slope at least 0.53 (the BMI benchmark's map for y)."""
    return np.asarray(z - 0.4 * np.sin(0.4 * z) + 0.17 * np.sin(1.3 * z + 3.5) + 0.02 * np.sin(4.3 * z - 2.5))


def spiral(z: Floats, *, speed: float, plane: tuple[int, int] = (0, 1)) -> Floats:
    """Turns each row by speed x |row|^2 radians in the plane of two coordinates; the length stays, so it can be undone."""
    first, second = plane
    angle = speed * (z**2).sum(1)
    turned = z.copy()
    turned[:, first] = np.cos(angle) * z[:, first] - np.sin(angle) * z[:, second]
    turned[:, second] = np.sin(angle) * z[:, first] + np.cos(angle) * z[:, second]
    return turned


def swissroll(z: Floats) -> Floats:
    """z (n, 1) in (0, 1) onto a roll of one and a half turns in the plane: (n, 2)."""
    turn = 1.5 * np.pi * (1 + 2 * z[:, 0])
    return np.stack([turn * np.cos(turn), turn * np.sin(turn)], axis=1) / 21


def waves(z: Floats, *, amplitude: float = 5.0, frequency: float = 3.0) -> Floats:
    """z (n, 2): the first coordinate waves with the second, then both are scaled to the size of 1."""
    return np.stack([0.1 * (z[:, 0] + amplitude * np.sin(frequency * z[:, 1])) - 0.8, 0.5 * z[:, 1]], axis=1)


def two_normals(z: Floats, *, weight: float, means: tuple[float, float]) -> Floats:
    """Standard normal z to the quantile of the same level of weight N(means[0], 1) + (1 - weight) N(means[1], 1).

    By bisection to 1e-14 of the bracket, each tail from its own side, so that far tails keep their digits.
    """
    from scipy.special import ndtr

    mirrored = np.abs(z)
    sign = np.where(z > 0, -1.0, 1.0)
    level = ndtr(-mirrored)
    low, high = -mirrored + min(m * s for m in means for s in (-1, 1)), -mirrored + max(m * s for m in means for s in (-1, 1))
    for _ in range(50):
        middle = (low + high) / 2
        below = weight * ndtr(middle - sign * means[0]) + (1 - weight) * ndtr(middle - sign * means[1]) < level
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray(sign * (low + high) / 2)
