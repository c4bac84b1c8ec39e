"""The machine as a core of FuseSoC."""
