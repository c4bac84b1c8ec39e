// A stopped clock: while it stands, inputs may do anything, and nothing may come of it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "ports.h"
#include "stall.h"

namespace harness {

class Gap {
  public:
    // An input of the machine; what it holds now is what comes back.
    template <class Port>
    void add(Port& port, std::size_t bits = 8 * sizeof(Port)) {
        const std::uint8_t* bytes = bytes_of(port);
        inputs_.push_back({bytes_of(port), bits, {bytes, bytes + sizeof(Port)}});
    }

    // Put any values on all inputs.
    void disturb(Random& random) {
        for (Input& input : inputs_) {
            const std::size_t size = input.kept.size();
            for (std::size_t at = 0; at < size; at += 8) {
                const std::uint64_t draw = random();
                std::memcpy(input.bytes + at, &draw, std::min<std::size_t>(8, size - at));
            }
            for (std::size_t bit = input.bits; bit < 8 * size; ++bit) {
                input.bytes[bit / 8] &= static_cast<std::uint8_t>(~(1u << bit % 8));
            }
        }
    }

    void restore() {
        for (Input& input : inputs_) std::copy(input.kept.begin(), input.kept.end(), input.bytes);
    }

  private:
    struct Input {
        std::uint8_t* bytes;
        std::size_t bits;
        std::vector<std::uint8_t> kept;
    };
    std::vector<Input> inputs_;
};

}  // namespace harness
