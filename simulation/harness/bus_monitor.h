// The rules of AXI4 that a manager can break, watched in every cycle.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "ports.h"
#include "report.h"

namespace harness {

// What an address channel says.
struct Request {
    std::uint64_t address;
    std::uint32_t beats, id;
    std::uint8_t size, burst, cache, prot;
    bool operator==(const Request&) const = default;
};

// What the machine promises beyond AXI4; Python says it.
struct Promises {
    std::uint64_t base = 0, bytes = 0;  // the memory: nothing is asked elsewhere
    std::uint32_t read_ids = 1, write_ids = 1;
    std::uint32_t most_owed = 0;        // reads, and writes, without an answer; 0: any
    bool may_leave = false;             // the memory
};

inline std::string hexadecimal(std::uint64_t value) {
    std::string digits;
    do digits.insert(digits.begin(), "0123456789abcdef"[value & 15]); while (value >>= 4);
    return "0x" + digits;
}

template <class Model>
class BusMonitor {
  public:
    BusMonitor(const Model& model, Violations& violations)
        : model_(model), violations_(violations) {}

    Promises promises;

    void clear() {
        held_ar_.is_held = held_aw_.is_held = holds_w_ = false;
        asked_.clear();
        sent_.clear();
        words_ = 0;
        owed_reads_ = owed_writes_ = 0;
    }

    // Before a clock edge.
    void sample(std::uint64_t cycle, const Request& read, const Request& write) {
        const Model& m = model_;
        const Address ar{"m_axi_ar", read, bool(m.m_axi_arvalid), bool(m.m_axi_arready)};
        const Address aw{"m_axi_aw", write, bool(m.m_axi_awvalid), bool(m.m_axi_awready)};
        if (sample_address(cycle, ar, held_ar_, promises.read_ids, owed_reads_)) ++owed_reads_;
        if (sample_address(cycle, aw, held_aw_, promises.write_ids, owed_writes_)) {
            ++owed_writes_;
            asked_.push_back(write.beats);
        }
        sample_word(cycle);
        compare_ends(cycle);
        owed_reads_ -= m.m_axi_rvalid && m.m_axi_rready && m.m_axi_rlast;
        owed_writes_ -= m.m_axi_bvalid && m.m_axi_bready;
    }

    void check_reset(std::uint64_t cycle) {
        const Model& m = model_;
        if (m.m_axi_arvalid) violations_.add(cycle, "m_axi_arvalid is high in reset");
        if (m.m_axi_awvalid) violations_.add(cycle, "m_axi_awvalid is high in reset");
        if (m.m_axi_wvalid) violations_.add(cycle, "m_axi_wvalid is high in reset");
    }

  private:
    static constexpr std::uint64_t PAGE = 4096;
    static constexpr std::size_t WORD = sizeof(Model::m_axi_wdata);
    using Data = std::remove_cvref_t<decltype(Model::m_axi_wdata)>;
    using Strobes = std::remove_cvref_t<decltype(Model::m_axi_wstrb)>;

    struct Address {
        const char* name;
        const Request& request;
        bool is_valid, is_ready;
    };
    struct Held {
        bool is_held = false;
        Request request{};
    };

    // Tell whether a request is taken.
    bool sample_address(std::uint64_t cycle, const Address& channel, Held& held,
                        std::uint32_t ids, std::uint32_t owed) {
        const std::string name = held.is_held || channel.is_valid ? channel.name : "";
        if (held.is_held && !channel.is_valid) {
            violations_.add(cycle, name + "valid fell before it was taken");
        } else if (held.is_held && !(channel.request == held.request)) {
            violations_.add(cycle, name + " changed before it was taken");
        } else if (channel.is_valid && !held.is_held) {
            check_request(cycle, name, channel.request, ids);
        }
        held = {channel.is_valid && !channel.is_ready, channel.request};
        if (!channel.is_valid || !channel.is_ready) return false;
        if (promises.most_owed && owed >= promises.most_owed) {
            violations_.add(cycle, name + " asks for more than " +
                            std::to_string(promises.most_owed) + " bursts at a time");
        }
        return true;
    }

    void check_request(std::uint64_t cycle, const std::string& name, const Request& request,
                       std::uint32_t ids) {
        const std::uint64_t first = request.address & ~std::uint64_t(WORD - 1);
        const std::uint64_t bytes = request.beats * WORD;
        const std::string what = std::to_string(request.beats) + " words at " +
                                 hexadecimal(request.address);
        if (std::size_t(1) << request.size != WORD) {
            violations_.add(cycle, name + "size says words of " +
                            std::to_string(1u << request.size) + " bytes, not of " +
                            std::to_string(WORD));
        }
        if (request.burst != 1) violations_.add(cycle, name + "burst is not INCR");
        if (request.id >= ids) {
            violations_.add(cycle, name + "id is " + std::to_string(request.id) + ", of " +
                            std::to_string(ids));
        }
        if (first / PAGE != (first + bytes - 1) / PAGE) {
            violations_.add(cycle, name + " crosses a multiple of 4096: " + what);
        }
        if (!promises.may_leave && (first < promises.base || bytes > promises.bytes ||
                                    first - promises.base > promises.bytes - bytes)) {
            violations_.add(cycle, name + " asks for what is no memory: " + what);
        }
    }

    void sample_word(std::uint64_t cycle) {
        const Model& m = model_;
        if (holds_w_ && !m.m_axi_wvalid) {
            violations_.add(cycle, "m_axi_wvalid fell before it was taken");
        } else if (holds_w_ && !(same(m.m_axi_wdata, held_data_) &&
                                 same(m.m_axi_wstrb, held_strobes_) &&
                                 m.m_axi_wlast == held_last_)) {
            violations_.add(cycle, "m_axi_w changed before it was taken");
        }
        holds_w_ = m.m_axi_wvalid && !m.m_axi_wready;
        if (holds_w_) {
            held_data_ = m.m_axi_wdata;
            held_strobes_ = m.m_axi_wstrb;
            held_last_ = m.m_axi_wlast;
        } else if (m.m_axi_wvalid) {
            ++words_;
            if (m.m_axi_wlast) {
                sent_.push_back(words_);
                words_ = 0;
            }
        }
    }

    // Words come before or behind their address: compare what is known of both.
    void compare_ends(std::uint64_t cycle) {
        while (!asked_.empty() && !sent_.empty()) {
            if (asked_.front() != sent_.front()) {
                violations_.add(cycle, "m_axi_wlast ends " + std::to_string(sent_.front()) +
                                " words, and m_axi_aw asked for " +
                                std::to_string(asked_.front()));
            }
            asked_.pop_front();
            sent_.pop_front();
        }
        if (!asked_.empty() && words_ >= asked_.front()) {
            violations_.add(cycle, "m_axi_wlast is low with the last of " +
                            std::to_string(asked_.front()) + " words");
            asked_.pop_front();
            words_ = 0;
        }
    }

    const Model& model_;
    Violations& violations_;
    Held held_ar_, held_aw_;
    bool holds_w_ = false;
    Data held_data_{};
    Strobes held_strobes_{};
    std::uint8_t held_last_ = 0;
    std::deque<std::uint32_t> asked_, sent_;  // words of bursts, by their address and by wlast
    std::uint32_t words_ = 0;                 // behind the last wlast
    std::uint32_t owed_reads_ = 0, owed_writes_ = 0;
};

}  // namespace harness
