// The end of an AXI4-Stream that sends packets into the machine.
#pragma once

#include <algorithm>
#include <deque>
#include <vector>

#include "ports.h"
#include "report.h"
#include "stall.h"

namespace harness {

// A beat is offered in every cycle in which there is one and this end is not off; once offered it
// stays until it is taken. tkeep marks all bytes but those behind a packet's last, or what a packet
// that is to be wrong says of each of its beats.
template <class Data, class Keep>
class Source {
  public:
    static constexpr std::size_t BEAT = port_bytes<Data>;
    static constexpr std::size_t KEEP = port_bytes<Keep>;
    static_assert(8 * port_bytes<Keep> >= BEAT, "tkeep has a bit for every byte");

    Source(Data& data, Keep& keep, std::uint8_t& last, std::uint8_t& valid,
           const std::uint8_t& ready)
        : data_(data), keep_(keep), last_(last), valid_(valid), ready_(ready) {}

    Stall stall;

    // While nothing is offered, show anything, or leave what was.
    void scramble(bool is_on, std::uint64_t seed) {
        scrambles_ = is_on;
        noise_ = Random(seed);
    }

    void queue(const std::uint8_t* bytes, std::size_t count) {
        waiting_bytes_ += count;
        packets_.push_back({{bytes, bytes + count}, {}});
    }

    // Queue a packet of whole beats whose tkeep, of KEEP bytes for each, is anything.
    void queue_beats(const std::uint8_t* bytes, const std::uint8_t* keeps, std::size_t beats) {
        waiting_bytes_ += beats * BEAT;
        packets_.push_back({{bytes, bytes + beats * BEAT}, {keeps, keeps + beats * KEEP}});
    }

    // Forget the packets of which nothing has been offered.
    void drop() {
        const bool is_begun = valid_ || position_;
        packets_.erase(packets_.begin() + (is_begun && !packets_.empty()), packets_.end());
        waiting_bytes_ = packets_.empty() ? 0 : packets_.front().bytes.size() - position_;
    }

    void clear() {
        packets_.clear();
        waiting_bytes_ = position_ = 0;
        valid_ = last_ = 0;
        is_taken_ = false;
        counts_ = {};
    }

    bool is_empty() const { return packets_.empty(); }

    // Before a clock edge: does the machine take what is offered? Ports stay as they are.
    void sample(std::uint64_t cycle) {
        if (!valid_) {
            ++(packets_.empty() ? counts_.idle : counts_.paused);
        } else if (!ready_) {
            ++counts_.stalled;
        } else {
            is_taken_ = true;
            ++counts_.beats;
            counts_.last_beat = cycle + 1;
        }
    }

    // After it: offer the next beat.
    void drive() {
        if (is_taken_) advance();
        if (valid_) return;
        if (packets_.empty() || stall.now()) {
            if (scrambles_) show_noise();
            return;
        }
        const Packet& packet = packets_.front();
        const std::size_t count = std::min(BEAT, packet.bytes.size() - position_);
        put(data_, packet.bytes.data() + position_, count);
        if (packet.keeps.empty()) {
            put_ones(keep_, count);
        } else {
            put(keep_, packet.keeps.data() + position_ / BEAT * KEEP, KEEP);
        }
        last_ = position_ + count == packet.bytes.size();
        valid_ = 1;
    }

    StreamCounts counts() const {
        StreamCounts counts = counts_;
        counts.waiting = packets_.size();
        counts.waiting_bytes = waiting_bytes_;
        counts.inside = position_ != 0;
        return counts;
    }

  private:
    struct Packet {
        std::vector<std::uint8_t> bytes, keeps;  // no keeps: all bytes that there are
    };

    void show_noise() {
        Keep full;
        put_ones(full, BEAT);
        fill(bytes_of(data_), BEAT);
        fill(bytes_of(keep_), KEEP);
        for (std::size_t at = 0; at < KEEP; ++at) bytes_of(keep_)[at] &= bytes_of(full)[at];
        last_ = noise_() & 1;
    }

    void fill(std::uint8_t* bytes, std::size_t count) {
        for (std::size_t at = 0; at < count; at += 8) {
            const std::uint64_t draw = noise_();
            std::memcpy(bytes + at, &draw, std::min<std::size_t>(8, count - at));
        }
    }

    void advance() {
        is_taken_ = false;
        valid_ = 0;
        const std::size_t count = std::min(BEAT, packets_.front().bytes.size() - position_);
        position_ += count;
        waiting_bytes_ -= count;
        if (last_) {
            ++counts_.packets;
            packets_.pop_front();
            position_ = 0;
        }
    }

    Data& data_;
    Keep& keep_;
    std::uint8_t &last_, &valid_;
    const std::uint8_t& ready_;
    std::deque<Packet> packets_;
    std::size_t position_ = 0, waiting_bytes_ = 0;
    bool is_taken_ = false, scrambles_ = false;
    Random noise_;
    StreamCounts counts_;
};

}  // namespace harness
