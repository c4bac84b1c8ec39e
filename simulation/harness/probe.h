// Looks into the machine: does a beat enter the array, and if not, what does it wait for? What ends?
#pragma once

#include <cstdint>
#include <vector>

#include "Vmachine.h"
#include "Vmachine___024root.h"

namespace harness {

// Cycles since reset, each in one of them at most; simulation/memory_library.py has the same.
struct ArrayCounts {
    std::uint64_t beats = 0;
    std::uint64_t act_stalls = 0, weight_stalls = 0, result_stalls = 0;
    std::uint64_t last_beat = 0;  // cycle plus 1
};

// Cycles since reset in which jobs and commands have ended: the first after each one's last transfer.
struct Ends {
    std::vector<std::uint64_t> jobs, commands;
};

// The names are those that Verilator makes of instances, `__` written as `___05F`;
// simulation/build.py makes them public.
template <class Root>
void probe(const Root& root, std::uint64_t cycle, ArrayCounts& counts) {
    if constexpr (requires { root.machine__DOT__machine__DOT__engines__DOT__issuer__DOT__issue; }) {
#define OF_ISSUER(name) root.machine__DOT__machine__DOT__engines__DOT__issuer__DOT__##name
        if (OF_ISSUER(issue)) {
            ++counts.beats;
            counts.last_beat = cycle + 1;
        } else if (OF_ISSUER(i___05Fvalid)) {
            ++counts.result_stalls;
        } else if (OF_ISSUER(walker_waits_for_act)) {
            ++counts.act_stalls;
        } else if (OF_ISSUER(walker_waits_for_weight)) {
            ++counts.weight_stalls;
        }
#undef OF_ISSUER
    }
}

template <class Root>
void probe_ends(const Root& root, std::uint64_t cycle, std::uint32_t& completed, Ends& ends) {
    if constexpr (requires { root.machine__DOT__machine__DOT__ledger__DOT__completed; }) {
        if (root.machine__DOT__machine__DOT__engines__DOT__job_ended) ends.jobs.push_back(cycle);
        const std::uint32_t now = root.machine__DOT__machine__DOT__ledger__DOT__completed;
        if (now != completed) ends.commands.push_back(cycle);
        completed = now;
    }
}

}  // namespace harness
