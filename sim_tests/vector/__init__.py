"""What stands between GEMMs: functions, rows, and the pipe that they are part of."""
