// What Python calls of a machine with a command ring: simulation/memory_library.py declares it.

#include "memory_bench.h"

using Bench = harness::MemoryBench;

#include "exports.h"

// Give the memory its bytes, which the caller keeps, at an address.
EXPORT void harness_attach(Bench* bench, std::uint8_t* bytes, std::uint64_t size,
                           std::uint64_t base) {
    bench->memory.attach(bytes, size, base);
}

EXPORT void harness_behave(Bench* bench, const harness::Manners* manners) {
    bench->memory.behave(*manners);
}

EXPORT void harness_stall(Bench* bench, int channel, double share, double break_share,
                          std::uint64_t break_cycles, std::uint64_t seed) {
    bench->memory.stalls.at(channel).set(share, break_share, break_cycles, seed);
}

EXPORT void harness_silence(Bench* bench, std::uint32_t channels) {
    bench->memory.silent = channels;
}

// Answer the burst of a number, reads and writes counted together since reset, with an error.
EXPORT void harness_fail(Bench* bench, std::uint64_t number, int response) {
    bench->memory.answers[number] = response;
}

EXPORT void harness_forgive(Bench* bench) { bench->memory.answers.clear(); }

// Say what the machine promises, and whether anybody looks.
EXPORT void harness_watch(Bench* bench, int is_watched, int may_leave, std::uint32_t read_ids,
                          std::uint32_t write_ids, std::uint32_t most_owed) {
    harness::Promises& promises = bench->memory.monitor.promises;
    bench->memory.is_watched = is_watched;
    promises.may_leave = may_leave;
    promises.read_ids = read_ids;
    promises.write_ids = write_ids;
    promises.most_owed = most_owed;
}

EXPORT void harness_counts(Bench* bench, harness::Counts* counts) { *counts = bench->counts(); }

EXPORT void harness_mark(Bench* bench, std::uint64_t beats) { bench->mark(beats); }
EXPORT void harness_forget_marks(Bench* bench) { bench->forget_marks(); }
EXPORT std::uint64_t harness_noted(Bench* bench) { return bench->noted().size(); }

EXPORT void harness_note(Bench* bench, std::uint64_t index, harness::Counts* counts) {
    *counts = bench->noted()[index];
}

// When jobs, or commands, have ended since the reset; how many.
EXPORT std::uint64_t harness_ended(Bench* bench, int commands) {
    return (commands ? bench->ends().commands : bench->ends().jobs).size();
}

EXPORT std::uint64_t harness_end(Bench* bench, int commands, std::uint64_t index) {
    return (commands ? bench->ends().commands : bench->ends().jobs)[index];
}
