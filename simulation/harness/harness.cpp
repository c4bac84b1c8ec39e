// What Python calls of a machine between streams: simulation/library.py declares the same functions.

#include <algorithm>

#include "bench.h"

using harness::Bench;

#include "exports.h"

namespace {

enum Stream { ACTIVATIONS = 0, WEIGHTS = 1, RESULTS = 2, REGISTERS = 3 };

struct PacketInfo {
    std::uint64_t marked, beats, first_cycle, last_cycle;
};

}  // namespace

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

EXPORT int harness_stop_clock(Bench* bench, std::uint64_t changes, std::uint64_t seed) {
    return guarded(bench, [&] {
        bench->stop_clock(changes, seed);
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
