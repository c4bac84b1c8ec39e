// Cycles that an end of a stream takes off: a random share of them, and long breaks.
#pragma once

#include <cstdint>

namespace harness {

// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
class Random {
  public:
    explicit Random(std::uint64_t seed = 0) : state_(seed) {}

    std::uint64_t operator()() {
        std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        return z ^ z >> 31;
    }

  private:
    std::uint64_t state_;
};

class Stall {
  public:
    // `share` of the cycles; in `break_share` of the others a break of `break_cycles` begins.
    void set(double share, double break_share, std::uint64_t break_cycles, std::uint64_t seed) {
        share_ = threshold(share);
        break_share_ = break_cycles ? threshold(break_share) : 0;
        break_cycles_ = break_cycles;
        left_ = 0;
        random_ = Random(seed);
        active_ = share_ || break_share_;
    }

    // Tell whether this cycle is off.
    bool now() {
        if (!active_) return false;
        if (left_) {
            --left_;
            return true;
        }
        const std::uint64_t draw = random_();
        if ((draw >> 32) < break_share_) {
            left_ = break_cycles_ - 1;
            return true;
        }
        return (draw & 0xffffffffu) < share_;
    }

  private:
    static std::uint64_t threshold(double share) {
        return static_cast<std::uint64_t>(share * 4294967296.0);
    }

    bool active_ = false;
    std::uint64_t share_ = 0, break_share_ = 0, break_cycles_ = 0, left_ = 0;
    Random random_;
};

}  // namespace harness
