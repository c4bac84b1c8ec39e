"""Names in emitted Verilog: plain identifiers, none a keyword of Verilog or SystemVerilog."""

import re

KEYWORDS = frozenset("""
    accept_on alias always always_comb always_ff always_latch and assert assign assume automatic
    before begin bind bins binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle
    checker class clocking cmos config const constraint context continue cover covergroup
    coverpoint cross deassign default defparam design disable dist do edge else end endcase
    endchecker endclass endclocking endconfig endfunction endgenerate endgroup endinterface
    endmodule endpackage endprimitive endprogram endproperty endsequence endspecify endtable
    endtask enum event eventually expect export extends extern final first_match for force foreach
    forever fork forkjoin function generate genvar global highz0 highz1 if iff ifnone ignore_bins
    illegal_bins implements implies import incdir include initial inout input inside instance int
    integer interconnect interface intersect join join_any join_none large let liblist library
    local localparam logic longint macromodule matches medium modport module nand negedge nettype
    new nexttime nmos nor noshowcancelled not notif0 notif1 null or output package packed parameter
    pmos posedge primitive priority program property protected pull0 pull1 pulldown pullup
    pulsestyle_ondetect pulsestyle_onevent pure rand randc randcase randsequence rcmos real
    realtime ref reg reject_on release repeat restrict return rnmos rpmos rtran rtranif0 rtranif1
    s_always s_eventually s_nexttime s_until s_until_with scalared sequence shortint shortreal
    showcancelled signed small soft solve specify specparam static string strong strong0 strong1
    struct super supply0 supply1 sync_accept_on sync_reject_on table tagged task this throughout
    time timeprecision timeunit tran tranif0 tranif1 tri tri0 tri1 triand trior trireg type typedef
    union unique unique0 unsigned until until_with untyped use uwire var vectored virtual void wait
    wait_order wand weak weak0 weak1 while wildcard wire with within wor xnor xor
""".split())
"""IEEE 1800-2017, Annex B; those of IEEE 1364-2005 are among them."""

_ESCAPED = re.compile(r"\\(\S+) ")
_WORD = re.compile(r"(?<![\w$'\\])[A-Za-z_]\w*", re.ASCII)


def check_name(name):
    """Refuse what can't be the name of a Verilog module.

    Raises
    ------
    ValueError
        If it is no ASCII identifier, or a keyword of Verilog or SystemVerilog.
    """
    if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
        raise ValueError(f"a Verilog module can't be called {name!r}: that takes ASCII letters, "
                         "digits and underscores, and no digit in front")
    if name in KEYWORDS:
        raise ValueError(f"a Verilog module can't be called {name!r}: that is a keyword")


def check_apart(top, text):
    """Refuse a top whose modules could be taken for those of another machine in the same design.

    Of tops ``a`` and ``a_engines`` the one has a module ``a_engines``, which is the other's top.
    Machines differ in what is below such a part, so nothing may follow its name either: a machine
    with MX results has an ``a_engines_result_writer_packer``, one without has none.

    Parameters
    ----------
    top : str
    text : str
        Verilog of the machine: the top and all modules below it.

    Raises
    ------
    ValueError
        If a machine with a shorter name would have a module of one of this machine's names.
    """
    below = {name.removeprefix(f"{top}_")
             for name in re.findall(r"^module (\w+)", text, re.MULTILINE) if name != top}
    words = top.split("_")
    for count in range(1, len(words)):
        other, rest = "_".join(words[:count]), "_".join(words[count:])
        for name in sorted(below):
            if f"{rest}_".startswith(f"{name}_") or name.removeprefix(f"{rest}_") in below - {name}:
                raise ValueError(f"a machine can't be called {top!r}: one called {other!r} has a "
                                 f"module {other}_{name}; choose another ending")


def plain_names(text):
    r"""Give a plain name to all that Yosys had to escape, such as ``\o__payload$31 ``.

    What may not stand in an identifier becomes an underscore: ``o__payload_31``. A name that is
    taken anywhere in the text, by a keyword as well, gets a number behind it. One name has one
    plain name in all modules, so that the ports of a module and of its instances agree.

    Parameters
    ----------
    text : str
        Verilog as Yosys writes it: every module of a machine.

    Returns
    -------
    str
    """
    taken = {*KEYWORDS, *_WORD.findall(text)}
    names = {}
    for name in dict.fromkeys(_ESCAPED.findall(text)):
        base = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
        base = base if re.match("[A-Za-z]", base) else f"_{base}"
        plain, number = base, 0
        while plain in taken:
            number += 1
            plain = f"{base}_{number}"
        taken.add(plain)
        names[name] = plain
    return _ESCAPED.sub(lambda escaped: names[escaped[1]], text)
