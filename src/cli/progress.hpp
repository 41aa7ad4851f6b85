// How far a long piece of work is, on one line of the terminal; silent if nobody watches, or a program reads.
#pragma once

#include <chrono>
#include <cstdint>

#include "cli/context.hpp"

namespace facteur::cli {

class Progress {
 public:
  enum class Of : std::uint8_t { messages, octets };
  explicit Progress(const Context& context, Of of = Of::messages);
  ~Progress();  // Takes its line away.

  void add(std::uint64_t messages, std::uint64_t octets);
  std::uint64_t octets() const { return octets_; }
  double seconds() const;

 private:
  void show();

  const Context& context_;
  Of of_;
  bool visible_;
  std::uint64_t messages_ = 0;
  std::uint64_t octets_ = 0;
  std::chrono::steady_clock::time_point began_;
  std::chrono::steady_clock::time_point shown_;
};

}  // namespace facteur::cli
