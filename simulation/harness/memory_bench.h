// A model with a command ring, and the memory that it works on: one call, many cycles.
#pragma once

#include <vector>

#include "clocked.h"
#include "memory.h"
#include "probe.h"

namespace harness {

// All that is counted; simulation/memory_library.py has the same fields in the same order.
struct Counts {
    std::uint64_t cycle = 0;
    BusCounts bus;
    ArrayCounts array;
};

class MemoryBench : public Clocked {
  public:
    enum Until { CYCLES = 0, INTERRUPT = 2, QUIET = 3, BEATS = 4 };

    Memory<Vmachine> memory{model_, violations};

    MemoryBench() { reset(4); }

    // Hold reset; the memory keeps its bytes and forgets what it owes, counts begin anew.
    void reset(std::uint64_t count) {
        clear();
        hold_reset(count, [&] { memory.monitor.check_reset(cycles_); });
        clear();
    }

    void cycle() {
        low();
        memory.sample(cycles_);
        registers.sample(cycles_);
        probe(*model_.rootp, cycles_, array_);
        probe_ends(*model_.rootp, cycles_, completed_, ends_);
        high();
        memory.drive(cycles_);
        registers.drive();
        if (array_.beats >= next_mark_) note();
    }

    // Run until something is so, for at most so many cycles; a violation ends it too.
    Ran run(std::uint64_t limit, Until until, std::uint64_t argument) {
        return run_until(limit, [&] { cycle(); }, [&] {
            switch (until) {
                case INTERRUPT: return bool(model_.irq);
                case QUIET: return memory.is_quiet();
                case BEATS: return array_.beats >= argument;
                default: return false;
            }
        });
    }

    Counts counts() const { return {cycles_, memory.counts(), array_}; }

    // Note the counts when so many beats have entered the array; marks rise.
    void mark(std::uint64_t beats) {
        marks_.push_back(beats);
        next_mark_ = marks_[noted_.size()];
    }

    void forget_marks() {
        marks_.clear();
        noted_.clear();
        next_mark_ = NEVER;
    }

    const std::vector<Counts>& noted() const { return noted_; }
    const Ends& ends() const { return ends_; }

  private:
    static constexpr std::uint64_t NEVER = ~std::uint64_t(0);

    void note() {
        noted_.push_back(counts());
        next_mark_ = noted_.size() < marks_.size() ? marks_[noted_.size()] : NEVER;
    }

    void clear() {
        memory.clear();
        registers.clear();
        array_ = {};
        ends_ = {};
        completed_ = 0;
        forget_marks();
    }

    ArrayCounts array_;
    Ends ends_;
    std::uint32_t completed_ = 0;  // commands, in the cycle before
    std::vector<std::uint64_t> marks_;
    std::vector<Counts> noted_;
    std::uint64_t next_mark_ = NEVER;
};

}  // namespace harness
