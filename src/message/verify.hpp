// What can be said of a message's soundness without asking anybody: syntax, lines, MIME, dates. Signatures are not
// checked here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace facteur::message {

struct Finding {
  enum class Weight : std::uint8_t {
    note,     // Worth knowing.
    warning,  // Allowed or common, but some programs will stumble.
    error,    // Against the standards in a way that loses or changes something.
  };
  Weight weight = Weight::note;
  std::string_view what;  // "line_too_long": a name for programs, and of the sentence "verify.<what>" for people.
  std::size_t line = 0;   // Counted from 1; 0: the message as a whole.
  std::string detail;     // Inert; may be empty.
  std::size_t count = 1;  // How often; `line` is the first.
};

// At most one finding of each kind, in the order of the lines; at most 200. Linear in time.
std::vector<Finding> verify(Bytes message);

}  // namespace facteur::message
