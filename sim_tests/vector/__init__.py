"""The vector unit's arithmetic."""
