"""What the machine takes on FPGAs, and how fast it runs there: ``mixdit fpga``."""
