"""What a layer may wait for."""

from enum import StrEnum


class Bound(StrEnum):
    """What a layer waits for."""

    COMPUTE = "compute"
    MEMORY = "memory"
    VECTOR = "vector"
    NETWORK = "network"
    HOST = "host"
