"""The vector unit's arithmetic, docs/vector.md: functions, products and the lane of its pipe."""
