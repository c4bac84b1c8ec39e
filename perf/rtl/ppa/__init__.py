"""Area and clock of the machine's parts, by Yosys and OpenSTA: ``mixdit area``."""
