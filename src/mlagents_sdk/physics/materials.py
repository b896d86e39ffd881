"""What surfaces are made of, and what happens when two of them meet."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Combine(IntEnum):
    """How a coefficient of two touching materials becomes one.

    When the materials disagree, the rule of the higher value is used.
    """

    AVERAGE = 0
    MINIMUM = 1
    MULTIPLY = 2
    MAXIMUM = 3


@dataclass(frozen=True, slots=True)
class PhysicsMaterial:
    """Surface of a collider.

    Attributes:
        static_friction: Coulomb coefficient while the surfaces stick, at least 0.
        dynamic_friction: Coulomb coefficient while they slide, at least 0.
        bounciness: share of the approach speed that is given back, 0 to 1; used only by contacts
            that :mod:`mlagents_sdk.physics.contacts` resolves.
        friction_combine: rule for both friction coefficients.
        bounce_combine: rule for the bounciness.

    Raises:
        ValueError: a coefficient is out of range.
    """

    static_friction: float = 0.6
    dynamic_friction: float = 0.6
    bounciness: float = 0.0
    friction_combine: Combine = Combine.AVERAGE
    bounce_combine: Combine = Combine.AVERAGE

    def __post_init__(self) -> None:
        for name, value, highest in (
            ("static_friction", self.static_friction, float("inf")),
            ("dynamic_friction", self.dynamic_friction, float("inf")),
            ("bounciness", self.bounciness, 1.0),
        ):
            if not 0.0 <= value <= highest:
                raise ValueError(f"{name} is {value}; it must be between 0 and {highest}.")


@dataclass(frozen=True, slots=True)
class ContactSurface:
    """Coefficients of one pair of colliders, combined from their materials."""

    static_friction: float
    dynamic_friction: float
    bounciness: float


def combine(a: float, b: float, rule: Combine) -> float:
    """One coefficient out of two."""
    if rule is Combine.AVERAGE:
        return 0.5 * (a + b)
    if rule is Combine.MINIMUM:
        return min(a, b)
    if rule is Combine.MULTIPLY:
        return a * b
    return max(a, b)


def combine_materials(a: PhysicsMaterial, b: PhysicsMaterial) -> ContactSurface:
    """Coefficients where a surface of ``a`` meets one of ``b``."""
    friction_rule = max(a.friction_combine, b.friction_combine)
    return ContactSurface(
        static_friction=combine(a.static_friction, b.static_friction, friction_rule),
        dynamic_friction=combine(a.dynamic_friction, b.dynamic_friction, friction_rule),
        bounciness=combine(a.bounciness, b.bounciness, max(a.bounce_combine, b.bounce_combine)),
    )
