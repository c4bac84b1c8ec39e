// The end of an AXI4-Stream that receives packets from the machine, and watches its rules.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "ports.h"
#include "report.h"
#include "stall.h"

namespace harness {

struct Packet {
    std::vector<std::uint8_t> marked;  // the bytes that tkeep marks
    std::vector<std::uint8_t> keeps;   // tkeep of each beat, in KEEP bytes
    std::uint64_t beats = 0, first_cycle = 0, last_cycle = 0;
};

template <class Data, class Keep>
class Sink {
  public:
    static constexpr std::size_t BEAT = port_bytes<Data>;
    static constexpr std::size_t KEEP = port_bytes<Keep>;
    static_assert(8 * KEEP >= BEAT, "tkeep has a bit for every byte");

    Sink(std::string name, const Data& data, const Keep& keep, const std::uint8_t& last,
         const std::uint8_t& valid, std::uint8_t& ready, Violations& violations)
        : name_(std::move(name)), data_(data), keep_(keep), last_(last), valid_(valid),
          ready_(ready), violations_(violations) {
        put_ones(full_, BEAT);
    }

    Stall stall;

    void clear() {
        packets_.clear();
        held_ = false;
        waiting_bytes_ = quiet_ = 0;
        current_ = {};
        ready_ = 0;
        counts_ = {};
    }

    void forget() {
        packets_.clear();
        waiting_bytes_ = 0;
    }

    std::size_t available() const { return packets_.size(); }
    const std::deque<Packet>& packets() const { return packets_; }

    void pop() {
        waiting_bytes_ -= packets_.front().marked.size();
        packets_.pop_front();
    }

    // Cycles since something was last offered, 0 inside a packet.
    std::uint64_t quiet() const { return current_.beats ? 0 : quiet_; }

    void sample(std::uint64_t cycle) {
        if (held_) check_held(cycle);
        held_ = valid_ && !ready_;
        quiet_ = valid_ ? 0 : quiet_ + 1;
        if (held_) {
            ++counts_.stalled;
            held_data_ = data_;
            held_keep_ = keep_;
            held_last_ = last_;
        } else if (valid_) {
            receive(cycle);
        } else {
            ++(ready_ ? counts_.idle : counts_.paused);
        }
    }

    void drive() { ready_ = !stall.now(); }

    StreamCounts counts() const {
        StreamCounts counts = counts_;
        counts.waiting = packets_.size();
        counts.waiting_bytes = waiting_bytes_;
        counts.inside = current_.beats != 0;
        return counts;
    }

    // In reset nothing may be offered.
    void check_reset(std::uint64_t cycle) {
        if (valid_) violations_.add(cycle, name_ + "_tvalid is high in reset");
    }

  private:
    void check_held(std::uint64_t cycle) {
        if (!valid_) {
            violations_.add(cycle, name_ + "_tvalid fell before its beat was taken");
            return;
        }
        std::string changed;
        if (!same(data_, held_data_)) changed += " tdata";
        if (!same(keep_, held_keep_)) changed += " tkeep";
        if (last_ != held_last_) changed += " tlast";
        if (!changed.empty()) {
            violations_.add(cycle, name_ + " changed" + changed + " before its beat was taken");
        }
    }

    void receive(std::uint64_t cycle) {
        ++counts_.beats;
        counts_.last_beat = cycle + 1;
        if (!current_.beats++) current_.first_cycle = cycle;
        current_.last_cycle = cycle;
        current_.keeps.insert(current_.keeps.end(), bytes_of(keep_), bytes_of(keep_) + KEEP);
        if (same(keep_, full_)) {
            current_.marked.insert(current_.marked.end(), bytes_of(data_), bytes_of(data_) + BEAT);
        } else {
            receive_part(cycle);
        }
        if (!last_) return;
        ++counts_.packets;
        waiting_bytes_ += current_.marked.size();
        packets_.push_back(std::move(current_));
        current_ = {};
    }

    // A beat of which tkeep marks not every byte. An abort ends a packet by one without any.
    void receive_part(std::uint64_t cycle) {
        std::size_t marked = 0;
        bool has_gap = false, has_waste = false;
        for (std::size_t index = 0; index < BEAT; ++index) {
            if (bit_of(keep_, index)) {
                has_gap |= marked++ != index;
                current_.marked.push_back(bytes_of(data_)[index]);
            } else {
                has_waste |= bytes_of(data_)[index] != 0;
            }
        }
        if (has_waste) violations_.add(cycle, name_ + "_tdata is not zero outside of tkeep");
        if (!last_) {
            violations_.add(cycle, name_ + "_tkeep is not full before the packet's last beat");
        } else if (has_gap && current_.beats > 1) {
            violations_.add(cycle, name_ + "_tkeep has a gap in a packet of several beats");
        }
    }

    std::string name_;
    const Data& data_;
    const Keep& keep_;
    const std::uint8_t &last_, &valid_;
    std::uint8_t& ready_;
    Violations& violations_;
    Keep full_{};
    bool held_ = false;
    Data held_data_{};
    Keep held_keep_{};
    std::uint8_t held_last_ = 0;
    Packet current_;
    std::deque<Packet> packets_;
    std::size_t waiting_bytes_ = 0;
    std::uint64_t quiet_ = 0;
    StreamCounts counts_;
};

}  // namespace harness
