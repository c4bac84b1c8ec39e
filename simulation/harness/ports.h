// Bytes in and out of a model's ports, whatever type Verilator gave them.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace harness {

static_assert(std::endian::native == std::endian::little,
              "ports are copied as they lie in memory, byte 0 lowest");

// Widths of streams are powers of two, and a port's type is then exactly as wide as the port.
template <class Port>
inline constexpr std::size_t port_bytes = sizeof(Port);

template <class Port>
std::uint8_t* bytes_of(Port& port) {
    return reinterpret_cast<std::uint8_t*>(&port);
}

template <class Port>
const std::uint8_t* bytes_of(const Port& port) {
    return reinterpret_cast<const std::uint8_t*>(&port);
}

// Fill a port from its lowest byte; the rest is zero.
template <class Port>
void put(Port& port, const std::uint8_t* from, std::size_t count) {
    std::memcpy(bytes_of(port), from, count);
    std::memset(bytes_of(port) + count, 0, sizeof(Port) - count);
}

// Set the lowest bits of a port; the rest is zero.
template <class Port>
void put_ones(Port& port, std::size_t count) {
    std::uint8_t* bytes = bytes_of(port);
    std::memset(bytes, 0, sizeof(Port));
    std::memset(bytes, 0xff, count / 8);
    if (count % 8) bytes[count / 8] = static_cast<std::uint8_t>((1u << count % 8) - 1);
}

template <class Port>
bool bit_of(const Port& port, std::size_t index) {
    return bytes_of(port)[index / 8] >> index % 8 & 1;
}

template <class Port>
bool same(const Port& one, const Port& other) {
    return std::memcmp(bytes_of(one), bytes_of(other), sizeof(Port)) == 0;
}

}  // namespace harness
