// What Python calls, by way of ctypes: simulation/library.py declares the same functions.
//
// A call that fails returns FAILED (or null) and leaves a sentence in `harness_error`.

#include <algorithm>
#include <exception>
#include <stdexcept>

#include "bench.h"

// Verilator calls this where it would end the process: a model that does not settle, a $fatal.
void vl_fatal(const char*, int, const char*, const char* message) {
    throw std::runtime_error(std::string("the model failed: ") + message);
}

namespace {

using harness::Bench;

constexpr int FAILED = -1;
enum Stream { ACTIVATIONS = 0, WEIGHTS = 1, RESULTS = 2, REGISTERS = 3 };

struct PacketInfo {
    std::uint64_t marked, beats, first_cycle, last_cycle;
};

thread_local std::string creation_error;

template <class Call>
int guarded(Bench* bench, Call call) {
    try {
        return call();
    } catch (const std::exception& error) {
        bench->error = error.what();
        return FAILED;
    }
}

// Begin an access, unless one that was given up is under way, and run until it is answered.
template <class Begin>
int access(Bench* bench, std::uint64_t limit, Begin begin) {
    if (bench->registers.is_busy()) {
        throw std::runtime_error("an earlier register access still waits for " +
                                 bench->registers.waits_for() + ": reset the machine");
    }
    begin();
    for (std::uint64_t cycle = 0; bench->registers.is_busy(); ++cycle) {
        if (cycle == limit) {
            bench->error = bench->registers.waits_for();
            return FAILED;
        }
        bench->cycle();
    }
    return bench->registers.response();
}

}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT Bench* harness_create() {
    try {
        return new Bench;
    } catch (const std::exception& error) {
        creation_error = error.what();
        return nullptr;
    }
}

EXPORT void harness_destroy(Bench* bench) { delete bench; }

EXPORT const char* harness_error(Bench* bench) {
    return bench ? bench->error.c_str() : creation_error.c_str();
}

EXPORT int harness_reset(Bench* bench, std::uint64_t cycles) {
    return guarded(bench, [&] {
        bench->reset(cycles);
        return 0;
    });
}

// Queue packets that lie one behind the other.
EXPORT int harness_send(Bench* bench, int stream, const std::uint8_t* bytes,
                        const std::uint64_t* lengths, std::uint64_t packets) {
    return guarded(bench, [&] {
        for (std::uint64_t index = 0; index < packets; bytes += lengths[index++]) {
            if (stream == ACTIVATIONS) {
                bench->activations.queue(bytes, lengths[index]);
            } else {
                bench->weights.queue(bytes, lengths[index]);
            }
        }
        return 0;
    });
}

// Queue a packet of whole beats with tkeep for each, of `harness_keep` bytes.
EXPORT int harness_send_beats(Bench* bench, int stream, const std::uint8_t* bytes,
                              const std::uint8_t* keeps, std::uint64_t beats) {
    return guarded(bench, [&] {
        if (stream == ACTIVATIONS) {
            bench->activations.queue_beats(bytes, keeps, beats);
        } else {
            bench->weights.queue_beats(bytes, keeps, beats);
        }
        return 0;
    });
}

// Forget the packets of a stream of which nothing has been offered.
EXPORT void harness_drop(Bench* bench, int stream) {
    stream == ACTIVATIONS ? bench->activations.drop() : bench->weights.drop();
}

// Tell how many bytes the next packets have: those that tkeep marks, and those of tkeep itself.
EXPORT void harness_measure(Bench* bench, std::uint64_t packets, std::uint64_t* marked,
                            std::uint64_t* keeps) {
    *marked = *keeps = 0;
    for (std::uint64_t index = 0; index < packets; ++index) {
        *marked += bench->results.packets()[index].marked.size();
        *keeps += bench->results.packets()[index].keeps.size();
    }
}

// Take packets out, into buffers of the sizes that `harness_measure` gave.
EXPORT void harness_take(Bench* bench, std::uint64_t packets, std::uint8_t* marked,
                         std::uint8_t* keeps, PacketInfo* infos) {
    for (std::uint64_t index = 0; index < packets; ++index, bench->results.pop()) {
        const harness::Packet& packet = bench->results.packets().front();
        infos[index] = {packet.marked.size(), packet.beats, packet.first_cycle, packet.last_cycle};
        marked = std::copy(packet.marked.begin(), packet.marked.end(), marked);
        keeps = std::copy(packet.keeps.begin(), packet.keeps.end(), keeps);
    }
}

EXPORT void harness_forget(Bench* bench) { bench->results.forget(); }

// Both return the response, or FAILED if there was none within the limit.
EXPORT int harness_write(Bench* bench, std::uint32_t address, std::uint32_t value,
                         std::uint64_t limit) {
    return guarded(bench, [&] {
        return access(bench, limit, [&] { bench->registers.write(address, value); });
    });
}

EXPORT int harness_read(Bench* bench, std::uint32_t address, std::uint32_t* value,
                        std::uint64_t limit) {
    return guarded(bench, [&] {
        const int response = access(bench, limit, [&] { bench->registers.read(address); });
        *value = bench->registers.data();
        return response;
    });
}

EXPORT int harness_run(Bench* bench, std::uint64_t limit, int until, std::uint64_t argument) {
    return guarded(bench, [&] {
        return bench->run(limit, static_cast<Bench::Until>(until), argument);
    });
}

EXPORT int harness_toggle(Bench* bench, std::uint64_t cycles) {
    return guarded(bench, [&] {
        bench->toggle(cycles);
        return 0;
    });
}

EXPORT int harness_stop_clock(Bench* bench, std::uint64_t changes, std::uint64_t seed) {
    return guarded(bench, [&] {
        bench->stop_clock(changes, seed);
        return 0;
    });
}

EXPORT int harness_trace(Bench* bench, const char* path) {
    return guarded(bench, [&] {
        bench->trace(path);
        return 0;
    });
}

EXPORT void harness_stall(Bench* bench, int stream, double share, double break_share,
                          std::uint64_t break_cycles, std::uint64_t seed) {
    harness::Stall& stall = stream == ACTIVATIONS ? bench->activations.stall
                          : stream == WEIGHTS     ? bench->weights.stall
                          : stream == RESULTS     ? bench->results.stall
                                                  : bench->registers.stall;
    stall.set(share, break_share, break_cycles, seed);
}

EXPORT void harness_scramble(Bench* bench, int is_on, std::uint64_t seed) {
    bench->activations.scramble(is_on, seed);
    bench->weights.scramble(is_on, seed + 1);
}

EXPORT void harness_counts(Bench* bench, int stream, harness::StreamCounts* counts) {
    *counts = stream == ACTIVATIONS ? bench->activations.counts()
            : stream == WEIGHTS     ? bench->weights.counts()
                                    : bench->results.counts();
}

EXPORT std::uint64_t harness_cycles(Bench* bench) { return bench->cycles(); }
EXPORT int harness_interrupt(Bench* bench) { return bench->interrupt(); }
EXPORT std::uint64_t harness_available(Bench* bench) { return bench->results.available(); }

// Bytes per beat of a stream, and bytes that its tkeep takes.
EXPORT int harness_beat(int stream) {
    return stream == ACTIVATIONS ? decltype(Bench::activations)::BEAT
         : stream == WEIGHTS     ? decltype(Bench::weights)::BEAT
                                 : decltype(Bench::results)::BEAT;
}
EXPORT int harness_keep(int stream) {
    return stream == ACTIVATIONS ? decltype(Bench::activations)::KEEP
         : stream == WEIGHTS     ? decltype(Bench::weights)::KEEP
                                 : decltype(Bench::results)::KEEP;
}

EXPORT std::uint64_t harness_violation_count(Bench* bench) { return bench->violations.count(); }

// Give the sentences of all violations since the last call, one a line.
EXPORT const char* harness_violations(Bench* bench) {
    bench->text = bench->violations.take();
    return bench->text.c_str();
}
