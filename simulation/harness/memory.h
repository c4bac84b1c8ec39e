// A memory on the machine's AXI4 bus, as slow and as unruly as AXI4 lets it be.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <vector>

#include "bus_monitor.h"
#include "ports.h"
#include "report.h"
#include "stall.h"

namespace harness {

// How a memory behaves; simulation/memory_library.py has the same fields in the same order.
struct Manners {
    std::uint64_t read_latency = 1;   // cycles from an address to its first word, at least 1
    std::uint64_t write_latency = 1;  // from the last of address and words to the answer
    std::uint64_t jitter = 0;         // up to so many more, drawn for each burst
    std::uint64_t mixes = 0;          // words of different IDs come in any order
    std::uint64_t data_first = 0;     // a write's address is taken when a word has been
    std::uint64_t seed = 1;
};

// Counts since reset; simulation/memory_library.py has the same fields in the same order.
struct BusCounts {
    std::uint64_t reads = 0, read_words = 0;    // bursts that were taken, words that came
    std::uint64_t writes = 0, write_words = 0;
    std::uint64_t read_stalls = 0;              // cycles in which an address was not taken
    std::uint64_t write_stalls = 0;             // or an address or a word
    std::uint64_t reads_owed = 0;               // bursts that are not answered
    std::uint64_t writes_owed = 0;
    std::uint64_t most_reads = 0, most_writes = 0;  // of these at a time
    std::uint64_t empty_words = 0;              // written, without a strobe
    std::uint64_t last_answer = 0;              // cycle of the last one to a write plus 1
};

template <class Model>
class Memory {
  public:
    enum Channel { AR, R, AW, W, B, CHANNELS };

    Memory(Model& model, Violations& violations)
        : model_(model), monitor(model, violations) {}

  private:
    Model& model_;

  public:
    BusMonitor<Model> monitor;
    bool is_watched = true;
    std::array<Stall, CHANNELS> stalls;
    std::uint32_t silent = 0;                       // channels, by bits, on which nothing is done
    std::map<std::uint64_t, std::uint8_t> answers;  // by the number of the burst: errors

    // What it holds; whoever calls keeps it.
    void attach(std::uint8_t* bytes, std::uint64_t size, std::uint64_t base) {
        bytes_ = bytes;
        size_ = size;
        base_ = base;
        monitor.promises.base = base;
        monitor.promises.bytes = size;
    }

    void behave(const Manners& manners) {
        manners_ = manners;
        random_ = Random(manners.seed);
    }

    void clear() {
        Model& m = model_;
        m.m_axi_arready = m.m_axi_awready = m.m_axi_wready = 0;
        m.m_axi_rvalid = m.m_axi_bvalid = 0;
        for (auto* queues : {&reads_, &unanswered_}) {
            for (auto& queue : *queues) queue.clear();
        }
        addresses_.clear();
        words_.clear();
        current_ = NONE;
        was_offered_ = word_was_taken_ = answer_was_taken_ = false;
        counts_ = {};
        monitor.clear();
    }

    const BusCounts& counts() const { return counts_; }
    std::uint64_t asked() const { return counts_.reads + counts_.writes; }
    bool is_quiet() const { return !counts_.reads_owed && !counts_.writes_owed && words_.empty(); }

    // Before a clock edge: what moves? Ports stay as they are.
    void sample(std::uint64_t cycle) {
        Model& m = model_;
        if (m.m_axi_arvalid | m.m_axi_awvalid | m.m_axi_wvalid | m.m_axi_rvalid |
            m.m_axi_bvalid | was_offered_) {
            const Request read{m.m_axi_araddr, m.m_axi_arlen + 1u, m.m_axi_arid, m.m_axi_arsize,
                               m.m_axi_arburst, m.m_axi_arcache, m.m_axi_arprot};
            const Request write{m.m_axi_awaddr, m.m_axi_awlen + 1u, m.m_axi_awid, m.m_axi_awsize,
                                m.m_axi_awburst, m.m_axi_awcache, m.m_axi_awprot};
            if (is_watched) monitor.sample(cycle, read, write);
            move(cycle, read, write);
            was_offered_ = m.m_axi_arvalid | m.m_axi_awvalid | m.m_axi_wvalid;
        }
    }

    // After it, for the next cycle.
    void drive(std::uint64_t cycle) {
        Model& m = model_;
        if (word_was_taken_) m.m_axi_rvalid = 0;
        if (answer_was_taken_) m.m_axi_bvalid = 0;
        word_was_taken_ = answer_was_taken_ = false;
        m.m_axi_arready = works(AR);
        m.m_axi_wready = works(W);
        m.m_axi_awready = works(AW) && !(manners_.data_first && words_.empty());
        if (!m.m_axi_rvalid && works(R)) offer_word(cycle);
        if (!m.m_axi_bvalid && works(B)) offer_answer(cycle);
    }

  private:
    enum : std::uint8_t { OKAY = 0, DECERR = 3 };
    static constexpr std::size_t IDS = 16;
    static constexpr std::size_t NONE = IDS;
    static constexpr std::size_t WORD = sizeof(Model::m_axi_wdata);
    using Strobes = std::remove_cvref_t<decltype(Model::m_axi_wstrb)>;

    struct Burst {
        std::uint64_t place;  // from the memory's first byte
        std::uint32_t beats, done;
        std::uint64_t ready_at, number;
        std::uint8_t id, response;
    };
    struct Word {
        std::array<std::uint8_t, WORD> bytes;
        Strobes strobes;
    };
    using Queues = std::array<std::deque<Burst>, IDS>;

    bool works(Channel channel) { return !stalls[channel].now() && !(silent >> channel & 1); }

    std::uint64_t jitter() { return manners_.jitter ? random_() % (manners_.jitter + 1) : 0; }

    void move(std::uint64_t cycle, const Request& read, const Request& write) {
        Model& m = model_;
        counts_.read_stalls += m.m_axi_arvalid && !m.m_axi_arready;
        counts_.write_stalls += (m.m_axi_awvalid && !m.m_axi_awready) ||
                                (m.m_axi_wvalid && !m.m_axi_wready);
        if (m.m_axi_arvalid && m.m_axi_arready) {
            Burst burst = burst_of(read);
            burst.ready_at = cycle + manners_.read_latency + jitter();
            reads_[burst.id].push_back(burst);
            ++counts_.reads;
            counts_.most_reads = std::max(counts_.most_reads, ++counts_.reads_owed);
        }
        if (m.m_axi_awvalid && m.m_axi_awready) {
            addresses_.push_back(burst_of(write));
            ++counts_.writes;
            counts_.most_writes = std::max(counts_.most_writes, ++counts_.writes_owed);
        }
        if (m.m_axi_wvalid && m.m_axi_wready) take_word();
        if (m.m_axi_rvalid && m.m_axi_rready) pass_word();
        if (m.m_axi_bvalid && m.m_axi_bready) {
            unanswered_[m.m_axi_bid].pop_front();
            answer_was_taken_ = true;
            --counts_.writes_owed;
            counts_.last_answer = cycle + 1;
        }
        join(cycle);
    }

    Burst burst_of(const Request& request) {
        const std::uint64_t first = request.address & ~std::uint64_t(WORD - 1);
        const std::uint64_t bytes = request.beats * WORD, place = first - base_;
        const bool is_there = first >= base_ && bytes <= size_ && place <= size_ - bytes;
        std::uint8_t response = is_there ? OKAY : DECERR;
        if (const auto found = answers.find(asked()); found != answers.end()) {
            response = found->second;
        }
        if (!is_there && response == OKAY) response = DECERR;
        return {place, request.beats, 0, 0, asked(), std::uint8_t(request.id % IDS), response};
    }

    void take_word() {
        Word word;
        std::memcpy(word.bytes.data(), bytes_of(model_.m_axi_wdata), WORD);
        word.strobes = model_.m_axi_wstrb;
        counts_.empty_words += word.strobes == 0;
        ++counts_.write_words;
        words_.push_back(word);
    }

    void pass_word() {
        std::deque<Burst>& queue = reads_[model_.m_axi_rid];
        ++counts_.read_words;
        word_was_taken_ = true;
        if (++queue.front().done < queue.front().beats) return;
        queue.pop_front();
        current_ = NONE;
        --counts_.reads_owed;
    }

    // Write what has both address and words, in the order of the addresses.
    void join(std::uint64_t cycle) {
        while (!addresses_.empty() && words_.size() >= addresses_.front().beats) {
            Burst burst = addresses_.front();
            addresses_.pop_front();
            for (std::uint32_t beat = 0; beat < burst.beats; ++beat) {
                if (burst.response == OKAY) store(burst.place + beat * WORD, words_.front());
                words_.pop_front();
            }
            burst.ready_at = cycle + manners_.write_latency + jitter();
            unanswered_[burst.id].push_back(burst);
        }
    }

    void store(std::uint64_t place, const Word& word) {
        for (std::size_t at = 0; at < WORD; ++at) {
            if (word.strobes >> at & 1) bytes_[place + at] = word.bytes[at];
        }
    }

    // Choose whose turn it is: bursts of one ID in their order, of others in any.
    std::size_t choose(const Queues& queues, std::uint64_t cycle) {
        std::size_t chosen = NONE, ready = 0;
        for (std::size_t id = 0; id < IDS; ++id) {
            const std::deque<Burst>& queue = queues[id];
            if (queue.empty() || queue.front().ready_at > cycle) continue;
            ++ready;
            const auto rank = [&](std::size_t each) {
                return std::pair(queues[each].front().ready_at, queues[each].front().number);
            };
            const bool is_better = manners_.mixes ? random_() % ready == 0
                                 : chosen == NONE || rank(id) < rank(chosen);
            if (is_better) chosen = id;
        }
        return chosen;
    }

    void offer_word(std::uint64_t cycle) {
        if (!counts_.reads_owed) return;
        if (current_ == NONE || manners_.mixes) current_ = choose(reads_, cycle);
        if (current_ == NONE) return;
        Model& m = model_;
        const Burst& burst = reads_[current_].front();
        if (burst.response == OKAY) {
            put(m.m_axi_rdata, bytes_ + burst.place + burst.done * WORD, WORD);
        } else {
            std::memset(bytes_of(m.m_axi_rdata), 0xee, WORD);
        }
        m.m_axi_rid = burst.id;
        m.m_axi_rresp = burst.response;
        m.m_axi_rlast = burst.done + 1 == burst.beats;
        m.m_axi_rvalid = 1;
    }

    void offer_answer(std::uint64_t cycle) {
        if (!counts_.writes_owed) return;
        const std::size_t id = choose(unanswered_, cycle);
        if (id == NONE) return;
        model_.m_axi_bid = id;
        model_.m_axi_bresp = unanswered_[id].front().response;
        model_.m_axi_bvalid = 1;
    }

    std::uint8_t* bytes_ = nullptr;
    std::uint64_t size_ = 0, base_ = 0;
    Manners manners_;
    Random random_{1};
    Queues reads_, unanswered_;
    std::deque<Burst> addresses_;  // of writes without all of their words
    std::deque<Word> words_;
    std::size_t current_ = NONE;   // ID of the burst whose words come
    bool was_offered_ = false, word_was_taken_ = false, answer_was_taken_ = false;
    BusCounts counts_;
};

}  // namespace harness
