// Part numbers of IMAP (RFC 9051 §6.4.5) in any vector of nodes with kind, first_child and next_sibling.
#pragma once

#include <cstdint>

#include "message/mime.hpp"

namespace facteur::message {

// The index of the part named by `numbers`, Part::none if there is none. Empty: 0, the message.
template <class Nodes, class Numbers>
std::uint32_t part_index(const Nodes& nodes, const Numbers& numbers) {
  std::uint32_t at = 0;
  bool whole = true;  // `at` is a message as a whole: its own body is part 1 unless it is a multipart.
  for (const std::uint32_t number : numbers) {
    if (!whole && nodes[at].kind == Part::Kind::message) {
      at = nodes[at].first_child;
      whole = true;
    }
    if (nodes[at].kind == Part::Kind::multipart) {
      std::uint32_t child = number == 0 ? Part::none : nodes[at].first_child;
      for (std::uint32_t i = 1; i < number && child != Part::none; ++i) child = nodes[child].next_sibling;
      if (child == Part::none) return Part::none;
      at = child;
    } else if (!whole || number != 1) {
      return Part::none;
    }
    whole = false;
  }
  return at;
}

}  // namespace facteur::message
