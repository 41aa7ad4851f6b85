// What the lines of a dialogue mean: the explanations of `facteur demo`, in English and French, each with its RFC.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "observe/catalogue.hpp"

namespace facteur::cli {

struct Lesson {
  enum class Speech : std::uint8_t { smtp, pop3, imap, header };
  Speech speech = Speech::smtp;
  bool client = false;      // Who says it. Header fields: false.
  std::string_view prefix;  // The line begins with it, in any case; "# " takes one word (a tag, a number).
  std::string_view rfc;
  std::string_view en;
  std::string_view fr;
};

std::span<const Lesson> lessons();

// The explanation of a line with its RFC in brackets; empty if there is none.
std::string explain_line(observe::Language language, Lesson::Speech speech, bool client, std::string_view line);

}  // namespace facteur::cli
