// A model between streams, with the ends of these: one call, many cycles.
#pragma once

#include <string>

#include "clocked.h"
#include "gap.h"
#include "sink.h"
#include "source.h"

namespace harness {

class Bench : public Clocked {
  public:
    enum Until { CYCLES = 0, PACKETS = 1, INTERRUPT = 2, QUIET = 3 };

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

    Bench() { reset(4); }

    // Hold reset; packets that wait are forgotten, counts of streams begin anew, cycles go on.
    void reset(std::uint64_t count) {
        clear();
        hold_reset(count, [&] { results.check_reset(cycles_); });
        clear();
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
        return run_until(limit, [&] { cycle(); }, [&] { return is_reached(until, argument); });
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

    bool is_reached(Until until, std::uint64_t argument) const {
        switch (until) {
            case PACKETS: return results.available() >= argument;
            case INTERRUPT: return model_.irq;
            case QUIET:
                return activations.is_empty() && weights.is_empty() && results.quiet() >= argument;
            default: return false;
        }
    }
};

}  // namespace harness
