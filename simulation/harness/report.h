// What the harness tells of a run: counts of each stream, and violations as sentences.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace harness {

// Counts since reset; simulation/library.py has the same fields in the same order.
struct StreamCounts {
    std::uint64_t beats = 0;          // cycles in which a beat moved
    std::uint64_t packets = 0;        // that have ended
    std::uint64_t stalled = 0;        // cycles with valid and without ready
    std::uint64_t paused = 0;         // cycles that this end took off
    std::uint64_t idle = 0;           // all others
    std::uint64_t waiting = 0;        // packets: to be sent, or to be taken by Python
    std::uint64_t waiting_bytes = 0;  // of those
    std::uint64_t last_beat = 0;      // cycle of the last one plus 1, 0 if there was none
    std::uint64_t inside = 0;         // 1 between the first and the last beat of a packet
};

class Violations {
  public:
    void add(std::uint64_t cycle, const std::string& sentence) {
        ++count_;
        if (sentences_.size() < MOST) {
            sentences_.push_back("cycle " + std::to_string(cycle) + ": " + sentence);
        }
    }

    std::uint64_t count() const { return count_; }

    // Give the sentences, one a line, and forget them.
    std::string take() {
        std::string text;
        for (const std::string& sentence : sentences_) text += sentence + "\n";
        if (count_ > sentences_.size()) {
            text += "and " + std::to_string(count_ - sentences_.size()) + " more\n";
        }
        clear();
        return text;
    }

    void clear() {
        sentences_.clear();
        count_ = 0;
    }

  private:
    static constexpr std::size_t MOST = 20;
    std::vector<std::string> sentences_;
    std::uint64_t count_ = 0;
};

}  // namespace harness
