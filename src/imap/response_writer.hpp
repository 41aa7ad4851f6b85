// What goes to the client: text in one buffer, and between it borrowed pieces of message bodies that are never copied.
//
// Bounded: whoever writes looks at full() between two responses and has it sent before going on (back-pressure). Only
// grammatical output can be made of mailbox names, strings and flags.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "imap/command.hpp"

namespace facteur::imap {

class ResponseWriter {
 public:
  static constexpr std::size_t enough_text = 256 * 1024;           // full() from here on.
  static constexpr std::size_t enough_pieces = 1000;               // One writev takes 1024.
  static constexpr std::size_t enough_borrowed = 8 * 1024 * 1024;  // Borrowed octets cost no memory of ours.
  static constexpr std::size_t copied_below = 2048;                // Smaller pieces are copied: cheaper than an iovec.

  // The buffer itself, to append to; for writers of whole responses.
  std::string& text() { return text_; }

  ResponseWriter& raw(Bytes octets) {
    text_ += octets;
    return *this;
  }
  ResponseWriter& number(std::uint64_t value);
  ResponseWriter& line_end() { return raw("\r\n"); }
  ResponseWriter& string(Bytes value);       // RFC 9051 §4.3: quoted if printable ASCII of at most 1000, else literal.
  ResponseWriter& mailbox(Bytes utf8_name);  // Modified UTF-7, or UTF-8 after set_utf8(true).
  ResponseWriter& flags(std::uint8_t bits, const std::vector<std::string>& keywords, bool recent);  // "(...)"

  // `octets` stay valid as long as `pin` lives; the writer keeps it until clear().
  void borrowed(Bytes octets, const std::shared_ptr<const void>& pin);

  // RFC 9051 §7.1: "* OK [CODE] text", "tag NO [CODE] text"; the text is never empty.
  void status(Bytes tag, Bytes word, Bytes code, Bytes explanation);

  bool full() const {
    return text_.size() >= enough_text || joints_.size() >= enough_pieces || borrowed_ >= enough_borrowed;
  }
  bool empty() const { return text_.empty() && joints_.empty(); }

  // All of it, in order. Valid until the next call of anything else.
  std::vector<Bytes> pieces() const;
  void clear();   // It has been sent.
  void shrink();  // Frees the buffer: an idle session holds none.

  bool utf8() const { return utf8_; }
  void set_utf8(bool on) { utf8_ = on; }

 private:
  struct Joint {
    std::size_t at;  // Position in text_ before which it goes.
    Bytes octets;    // Borrowed as long as pins_ live.
  };
  std::string text_;
  std::vector<Joint> joints_;
  std::vector<std::shared_ptr<const void>> pins_;
  std::size_t borrowed_ = 0;
  bool utf8_ = false;
};

// Decimal digits at the end of `out`.
void append_number(std::string& out, std::uint64_t value);

// "\Seen \Flagged keyword", without parentheses.
void append_flags(std::string& out, std::uint8_t bits, const std::vector<std::string>& keywords, bool recent);

// RFC 8474 §4: ids of mailboxes, messages and threads: a letter and base32 of 48 bits, the same in all protocols.
std::string object_id(char kind, std::uint64_t id);

}  // namespace facteur::imap
