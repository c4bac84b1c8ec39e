// An AXI4-Lite manager: one read or write at a time.
#pragma once

#include <cstdint>
#include <string>

#include "report.h"
#include "stall.h"

namespace harness {

template <class Model>
class Manager {
  public:
    enum Response : std::uint8_t { OKAY = 0, EXOKAY = 1, SLVERR = 2, DECERR = 3 };

    Manager(Model& model, Violations& violations) : model_(model), violations_(violations) {}

    Stall stall;  // of bready and rready

    void clear() {
        model_.s_axil_awvalid = model_.s_axil_wvalid = model_.s_axil_arvalid = 0;
        model_.s_axil_bready = model_.s_axil_rready = 0;
        model_.s_axil_awprot = model_.s_axil_arprot = 0;
        waits_for_write_ = waits_for_read_ = holds_b_ = holds_r_ = false;
        takes_aw_ = takes_w_ = takes_ar_ = false;
    }

    bool is_busy() const { return waits_for_write_ || waits_for_read_; }
    Response response() const { return response_; }
    std::uint32_t data() const { return data_; }

    void write(std::uint32_t address, std::uint32_t value) {
        model_.s_axil_awaddr = address;
        model_.s_axil_wdata = value;
        model_.s_axil_wstrb = 0xf;
        model_.s_axil_awvalid = model_.s_axil_wvalid = 1;
        waits_for_write_ = true;
    }

    void read(std::uint32_t address) {
        model_.s_axil_araddr = address;
        model_.s_axil_arvalid = 1;
        waits_for_read_ = true;
    }

    void sample(std::uint64_t cycle) {
        if (!is_busy() && !model_.s_axil_bvalid && !model_.s_axil_rvalid) return;
        sample_response(cycle, "b", model_.s_axil_bvalid, model_.s_axil_bready,
                        model_.s_axil_bresp, 0, waits_for_write_ && !model_.s_axil_awvalid &&
                        !model_.s_axil_wvalid, waits_for_write_, holds_b_, held_b_);
        sample_response(cycle, "r", model_.s_axil_rvalid, model_.s_axil_rready,
                        model_.s_axil_rresp, model_.s_axil_rdata,
                        waits_for_read_ && !model_.s_axil_arvalid, waits_for_read_, holds_r_,
                        held_r_);
        takes_aw_ = model_.s_axil_awready;
        takes_w_ = model_.s_axil_wready;
        takes_ar_ = model_.s_axil_arready;
    }

    void drive() {
        if (takes_aw_) model_.s_axil_awvalid = 0;
        if (takes_w_) model_.s_axil_wvalid = 0;
        if (takes_ar_) model_.s_axil_arvalid = 0;
        takes_aw_ = takes_w_ = takes_ar_ = false;
        model_.s_axil_bready = model_.s_axil_rready = is_busy() && !stall.now();
    }

    // What a request waits for, as words for a time-out.
    std::string waits_for() const {
        if (waits_for_write_) {
            return model_.s_axil_awvalid ? "s_axil_awready"
                 : model_.s_axil_wvalid ? "s_axil_wready" : "s_axil_bvalid";
        }
        return model_.s_axil_arvalid ? "s_axil_arready" : "s_axil_rvalid";
    }

    void check_reset(std::uint64_t cycle) {
        if (model_.s_axil_bvalid) violations_.add(cycle, "s_axil_bvalid is high in reset");
        if (model_.s_axil_rvalid) violations_.add(cycle, "s_axil_rvalid is high in reset");
    }

  private:
    struct Held {
        std::uint8_t response;
        std::uint32_t data;
        bool operator==(const Held&) const = default;
    };

    void sample_response(std::uint64_t cycle, const char* channel, bool valid, bool ready,
                         std::uint8_t response, std::uint32_t data, bool is_due, bool& waits,
                         bool& holds, Held& held) {
        const std::string name = std::string("s_axil_") + channel;
        const Held now{response, data};
        if (holds && !valid) violations_.add(cycle, name + "valid fell before it was taken");
        if (holds && valid && !(now == held)) {
            violations_.add(cycle, name + "resp or its data changed before it was taken");
        }
        if (valid && !holds && !is_due) {
            violations_.add(cycle, name + "valid answers what was not asked for");
        }
        holds = valid && !ready;
        held = now;
        if (!valid || !ready || !waits || !is_due) return;
        if (response == EXOKAY) {
            violations_.add(cycle, name + "resp is EXOKAY, which AXI4-Lite has not");
        }
        response_ = static_cast<Response>(response);
        data_ = data;
        waits = false;
    }

    Model& model_;
    Violations& violations_;
    bool waits_for_write_ = false, waits_for_read_ = false, holds_b_ = false, holds_r_ = false;
    bool takes_aw_ = false, takes_w_ = false, takes_ar_ = false;
    Held held_b_{}, held_r_{};
    Response response_ = OKAY;
    std::uint32_t data_ = 0;
};

}  // namespace harness
