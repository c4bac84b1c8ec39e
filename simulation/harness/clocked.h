// A model with its clock and its registers: what every bench has.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "Vmachine.h"
#include "manager.h"
#include "report.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

namespace harness {

class Clocked {
  protected:
    // The references that Verilator makes of ports, without the reference.
    template <class Reference>
    using Port = std::remove_cvref_t<Reference>;

    // First, so that all that follows may refer to it.
    struct Context : VerilatedContext {
        Context() { traceEverOn(VM_TRACE); }  // before the model is there
    };
    Context context_;
    Vmachine model_{&context_};

  public:
    enum Ran { LIMIT = 0, REACHED = 1, VIOLATION = 2 };

    Violations violations;
    Manager<Vmachine> registers{model_, violations};
    std::string error, text;

    ~Clocked() {
        trace("");
        model_.final();
    }

    std::uint64_t cycles() const { return cycles_; }
    bool interrupt() const { return model_.irq; }

    // Toggle the clock of the bare model: what it costs without this harness.
    void toggle(std::uint64_t count) {
        for (std::uint64_t cycle = 0; cycle < count; ++cycle) {
            low();
            high();
        }
    }

    // Write a waveform from now on, into a file; an empty name ends it.
    void trace(const std::string& path) {
#if VM_TRACE
        if (trace_) trace_->close();
        trace_.reset();
        if (path.empty()) return;
        trace_ = std::make_unique<VerilatedVcdC>();
        model_.trace(trace_.get(), 99);
        trace_->open(path.c_str());
        if (!trace_->isOpen()) {
            trace_.reset();
            throw std::runtime_error("the waveform " + path + " cannot be written");
        }
#else
        if (!path.empty()) throw std::runtime_error("this model was built without waveforms");
#endif
    }

  protected:
    // Run cycles until something is so, for at most so many; a violation ends it too.
    template <class Cycle, class IsReached>
    Ran run_until(std::uint64_t limit, Cycle cycle, IsReached is_reached) {
        const std::uint64_t before = violations.count();
        for (std::uint64_t count = 0;; ++count) {
            if (violations.count() != before) return VIOLATION;
            if (is_reached()) return REACHED;
            if (count == limit) return LIMIT;
            cycle();
        }
    }

    // Hold reset for some cycles, and look at what is offered once an edge has seen it.
    template <class Check>
    void hold_reset(std::uint64_t count, Check check) {
        model_.aresetn = 0;
        for (std::uint64_t cycle = 0; cycle < count; ++cycle) {
            low();
            if (cycle) {
                check();
                registers.check_reset(cycles_);
            }
            high();
        }
        model_.aresetn = 1;
    }

    // Let the inputs, which changed after the last edge, settle.
    void low() {
        model_.aclk = 0;
        model_.eval();
        dump();
    }

    void high() {
        context_.timeInc(1);
        model_.aclk = 1;
        model_.eval();
        dump();
        context_.timeInc(1);
        ++cycles_;
    }

    void dump() {
#if VM_TRACE
        if (trace_) trace_->dump(context_.time());
#endif
    }

    std::uint64_t cycles_ = 0;
#if VM_TRACE
    std::unique_ptr<VerilatedVcdC> trace_;
#endif
};

}  // namespace harness
