"""Operations of the machine: what may happen, how often, and with which values.

Hypothesis chooses among its own rules evenly, and leaves out half of them in each sequence: then hardly anybody redeems
what was bought before, and has it refunded. So the machine has one rule, and chooses by weights.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

from hypothesis import strategies as st

F = TypeVar("F", bound=Callable[..., None])
_NAME = "__operation__"


@dataclass(frozen=True)
class Operation:
    """A method of the machine; `needs` names an attribute of it that must not be empty. It is called with `values`."""

    name: str
    weight: int
    needs: str | None
    values: st.SearchStrategy[Mapping[str, Any]] = field(repr=False)
    count: int
    """Of how many values."""


def operation(weight: int, *, needs: str | None = None, **values: st.SearchStrategy[Any]) -> Callable[[F], F]:
    """Make a method an operation, called with values that are drawn."""

    def mark(method: F) -> F:
        drawn = st.fixed_dictionaries(values)
        setattr(method, _NAME, Operation(method.__name__, weight, needs, drawn, len(values)))
        return method

    return mark


@cache
def operations(machine: type) -> list[Operation]:
    """Give all operations of a machine; first what needs no values, as the simplest."""
    found = [getattr(getattr(machine, name), _NAME, None) for name in sorted(dir(machine))]
    return sorted((each for each in found if each is not None), key=lambda each: each.count)


@cache
def among(possible: tuple[Operation, ...]) -> st.SearchStrategy[Operation]:
    """Choose among operations, each as often as it weighs. To make this choice takes longer than to draw from it."""
    return st.sampled_from([each for each in possible for _ in range(each.weight)])
