"""What is known of the machine behind a carrier, by all software that shares the carrier."""

from dataclasses import dataclass, field
from weakref import finalize

from .tables import Tables


@dataclass
class SharedState:
    """What outlasts a call, and belongs to the machine rather than to who calls.

    Attributes
    ----------
    tables : Tables
    ended : int or None
        JOBS_ENDED when the last run had ended; if it is another one, there was a reset, or jobs
        that nobody here knows of.
    is_clean : bool
        Whether nothing of a job that was given up is left in the machine or its streams.
    is_busy : bool
        Whether a call is under way.
    """

    tables: Tables = field(default_factory=Tables)
    ended: int | None = None
    is_clean: bool = True
    is_busy: bool = False


_states: dict[int, SharedState] = {}


def state_of(carrier: object) -> SharedState:
    """Return the one state of a carrier, which lives as long as that does.

    Raises
    ------
    TypeError
        If the carrier's class allows no weak references, so that nobody would know when it is gone.
    """
    key = id(carrier)  # a carrier need not be hashable, and its equals are others
    if key not in _states:
        try:
            finalize(carrier, _states.pop, key).atexit = False
        except TypeError:
            raise TypeError(f"a carrier must allow weak references: give {type(carrier).__name__} "
                            "the slot __weakref__") from None
        _states[key] = SharedState()
    return _states[key]
