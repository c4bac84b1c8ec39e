"""The register map as data, and the page that describes it."""

import re

from hw.registers import ADDRESS_BITS, COUNTERS, REGISTERS, Refusal, StreamFault
from sim_tests.bench import ROOT

PAGE = (ROOT / "docs" / "interfaces.md").read_text()


def test_addresses_are_words_of_their_own():
    addresses = [register.address for register in REGISTERS]
    assert len(set(addresses)) == len(addresses)
    assert all(address % 4 == 0 and address < 1 << ADDRESS_BITS for address in addresses)
    assert all(1 <= register.width <= 32 for register in REGISTERS)


def test_the_page_has_every_register_in_its_range():
    rows = re.findall(r"^\| 0x(\w+)-0x(\w+) \| (.*) \|$", PAGE, re.MULTILINE)
    counters = {f"{name}_{half}": name for name, _ in COUNTERS for half in ("LOW", "HIGH")}
    for register in REGISTERS:
        text = next(text for first, last, text in rows
                    if int(first, 16) <= register.address <= int(last, 16))
        assert re.search(rf"\b{counters.get(register.name, register.name)}\b", text), register.name


def test_the_page_has_every_refusal_and_fault():
    for refusal in Refusal:
        assert refusal is Refusal.NONE or f"| {refusal.value} | {refusal.name} |" in PAGE
    for fault in StreamFault:
        assert fault.name in PAGE
