// A model with its clock, the ends of its streams and its registers: one call, many cycles.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>

#include "Vmachine.h"
#include "gap.h"
#include "manager.h"
#include "report.h"
#include "sink.h"
#include "source.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

namespace harness {

class Bench {
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
    enum Until { CYCLES = 0, PACKETS = 1, INTERRUPT = 2, QUIET = 3 };
    enum Ran { LIMIT = 0, REACHED = 1, VIOLATION = 2 };

    Violations violations;
    Source<Port<decltype(model_.s_axis_act_tdata)>, Port<decltype(model_.s_axis_act_tkeep)>>
        activations{model_.s_axis_act_tdata, model_.s_axis_act_tkeep, model_.s_axis_act_tlast,
                    model_.s_axis_act_tvalid, model_.s_axis_act_tready};
    Source<Port<decltype(model_.s_axis_wgt_tdata)>, Port<decltype(model_.s_axis_wgt_tkeep)>>
        weights{model_.s_axis_wgt_tdata, model_.s_axis_wgt_tkeep, model_.s_axis_wgt_tlast,
                model_.s_axis_wgt_tvalid, model_.s_axis_wgt_tready};
    Sink<Port<decltype(model_.m_axis_out_tdata)>, Port<decltype(model_.m_axis_out_tkeep)>>
        results{"m_axis_out", model_.m_axis_out_tdata, model_.m_axis_out_tkeep,
                model_.m_axis_out_tlast, model_.m_axis_out_tvalid, model_.m_axis_out_tready,
                violations};
    Manager<Vmachine> registers{model_, violations};
    std::string error, text;

    Bench() { reset(4); }

    ~Bench() {
        trace("");
        model_.final();
    }

    std::uint64_t cycles() const { return cycles_; }
    bool interrupt() const { return model_.irq; }

    // Hold reset; packets that wait are forgotten, counts of streams begin anew, cycles go on.
    void reset(std::uint64_t count) {
        clear();
        model_.aresetn = 0;
        for (std::uint64_t cycle = 0; cycle < count; ++cycle) {
            low();
            if (cycle) {  // by then an edge has seen the reset
                results.check_reset(cycles_);
                registers.check_reset(cycles_);
            }
            high();
        }
        clear();
        model_.aresetn = 1;
    }

    void cycle() {
        low();
        activations.sample(cycles_);
        weights.sample(cycles_);
        results.sample(cycles_);
        registers.sample(cycles_);
        high();
        activations.drive();
        weights.drive();
        results.drive();
        registers.drive();
    }

    // Run until something is so, for at most so many cycles; a violation ends it too.
    Ran run(std::uint64_t limit, Until until, std::uint64_t argument) {
        const std::uint64_t before = violations.count();
        for (std::uint64_t cycle_ = 0;; ++cycle_) {
            if (violations.count() != before) return VIOLATION;
            if (is_reached(until, argument)) return REACHED;
            if (cycle_ == limit) return LIMIT;
            cycle();
        }
    }

    // Toggle the clock of the bare model: what it costs without this harness.
    void toggle(std::uint64_t count) {
        for (std::uint64_t cycle = 0; cycle < count; ++cycle) {
            low();
            high();
        }
    }

    // Stop the clock, before and after it falls, while every input takes so many values.
    void stop_clock(std::uint64_t changes, std::uint64_t seed) {
        Random random(seed);
        Gap gap;
        add_inputs(gap);
        for (int level = 1; level >= 0; --level) {
            model_.aclk = level;  // it is high between two cycles
            for (std::uint64_t change = 0; change < changes; ++change) {
                gap.disturb(random);
                model_.eval();
                dump();
                context_.timeInc(1);
            }
        }
        gap.restore();
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

  private:
    void clear() {
        activations.clear();
        weights.clear();
        results.clear();
        registers.clear();
    }

    void add_inputs(Gap& gap) {
        Vmachine& m = model_;
        gap.add(m.s_axis_act_tdata);
        gap.add(m.s_axis_act_tkeep, sizeof m.s_axis_act_tdata);
        gap.add(m.s_axis_wgt_tdata);
        gap.add(m.s_axis_wgt_tkeep, sizeof m.s_axis_wgt_tdata);
        gap.add(m.s_axil_awaddr, 12);
        gap.add(m.s_axil_araddr, 12);
        gap.add(m.s_axil_wdata);
        gap.add(m.s_axil_wstrb, 4);
        for (auto* port : {&m.s_axil_awprot, &m.s_axil_arprot}) gap.add(*port, 3);
        for (auto* port : {&m.aresetn, &m.s_axis_act_tlast, &m.s_axis_act_tvalid, &m.s_axis_wgt_tlast,
                           &m.s_axis_wgt_tvalid, &m.m_axis_out_tready, &m.s_axil_awvalid,
                           &m.s_axil_wvalid, &m.s_axil_bready, &m.s_axil_arvalid,
                           &m.s_axil_rready}) {
            gap.add(*port, 1);
        }
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

    bool is_reached(Until until, std::uint64_t argument) const {
        switch (until) {
            case PACKETS: return results.available() >= argument;
            case INTERRUPT: return model_.irq;
            case QUIET:
                return activations.is_empty() && weights.is_empty() && results.quiet() >= argument;
            default: return false;
        }
    }

    std::uint64_t cycles_ = 0;
#if VM_TRACE
    std::unique_ptr<VerilatedVcdC> trace_;
#endif
};

}  // namespace harness
