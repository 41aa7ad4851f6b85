// Chance from a seed: the same seed gives the same run.
#pragma once

#include <cstdint>

#include "world/random.hpp"

namespace facteur::sim {

// splitmix64 (public domain construction of Steele, Lea and Flood): one 64-bit state, no bad seeds.
class Random : public world::Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  void fill(Room room) override {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < room.size(); ++i) {
      if (i % 8 == 0) word = next();
      room[i] = static_cast<char>(word >> 8 * (i % 8) & 0xff);
    }
  }

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
  }
  // A whole number of [low, high].
  std::uint64_t between(std::uint64_t low, std::uint64_t high) {
    return high <= low ? low : low + next() % (high - low + 1);
  }
  bool happens(unsigned per_mille) { return next() % 1000 < per_mille; }

  // A seed for an independent stream of chance.
  std::uint64_t branch() { return next() ^ 0x5851f42d4c957f2dULL; }

 private:
  std::uint64_t state_;
};

// A running 64-bit hash of all that is mixed in, in order.
class RunningHash {
 public:
  void mix(std::uint64_t value) {
    state_ ^= value + 0x9e3779b97f4a7c15ULL + (state_ << 6) + (state_ >> 2);
    state_ *= 0xff51afd7ed558ccdULL;
    state_ ^= state_ >> 33;
  }
  void mix(Bytes octets) {
    std::uint64_t fnv = 0xcbf29ce484222325ULL;
    for (const char c : octets) fnv = (fnv ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    mix(fnv);
    mix(octets.size());
  }
  std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0x243f6a8885a308d3ULL;
};

}  // namespace facteur::sim
