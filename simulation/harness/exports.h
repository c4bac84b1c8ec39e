// What Python calls of every bench, by way of ctypes; whoever includes this says what `Bench` is.
//
// A call that fails returns FAILED (or null) and leaves a sentence in `harness_error`.
#pragma once

#include <cstdint>
#include <exception>
#include <stdexcept>
#include <string>

// Verilator calls this where it would end the process: a model that does not settle, a $fatal.
void vl_fatal(const char*, int, const char*, const char* message) {
    throw std::runtime_error(std::string("the model failed: ") + message);
}

namespace {

constexpr int FAILED = -1;

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

EXPORT int harness_trace(Bench* bench, const char* path) {
    return guarded(bench, [&] {
        bench->trace(path);
        return 0;
    });
}

EXPORT std::uint64_t harness_cycles(Bench* bench) { return bench->cycles(); }
EXPORT int harness_interrupt(Bench* bench) { return bench->interrupt(); }

EXPORT std::uint64_t harness_violation_count(Bench* bench) { return bench->violations.count(); }

// Give the sentences of all violations since the last call, one a line.
EXPORT const char* harness_violations(Bench* bench) {
    bench->text = bench->violations.take();
    return bench->text.c_str();
}
