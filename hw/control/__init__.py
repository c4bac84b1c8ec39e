"""Control: from register writes to jobs in every engine, and back to counters and interrupts.

In come register writes and what engines report; out come checked jobs, one queue for each engine,
and a job's counters and faults when it has ended.
"""
