// Buffers lent for as long as octets are on their way: idle connections hold none.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "base/bytes.hpp"

namespace facteur::tls {

// One buffer of fixed size, taken from a small store of free ones of this thread and returned to it.
class Buffer {
 public:
  static constexpr std::size_t size = 33 * 1024;  // Two records of TLS.

  Buffer() = default;
  Buffer(Buffer&& other) noexcept = default;
  Buffer& operator=(Buffer&& other) noexcept {
    give_back();
    memory_ = std::move(other.memory_);
    return *this;
  }
  ~Buffer() { give_back(); }

  void take();  // Unless it is held already.
  void give_back();
  explicit operator bool() const { return static_cast<bool>(memory_); }
  Room room() { return {memory_.get(), memory_ ? size : 0}; }

 private:
  std::unique_ptr<char[]> memory_;
};

}  // namespace facteur::tls
