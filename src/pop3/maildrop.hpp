// What a POP3 session works on: a mailbox as it was when the session opened it (RFC 1939 §8: nothing appears during
// it).
#pragma once

#include <cstddef>
#include <cstdint>

namespace facteur::pop3 {

// Indexes count from 0; message numbers are index + 1.
class Maildrop {
 public:
  virtual ~Maildrop() = default;

  virtual std::size_t count() const = 0;
  virtual std::uint64_t octets() const = 0;                   // Of all messages.
  virtual std::uint64_t size(std::size_t index) const = 0;    // Octets, exactly those RETR sends before dot-stuffing.
  virtual std::uint64_t unique(std::size_t index) const = 0;  // Never reused in this mailbox: what UIDL shows.
};

}  // namespace facteur::pop3
