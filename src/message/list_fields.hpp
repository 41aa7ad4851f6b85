// The fields of mailing lists as values (RFC 2369, RFC 2919, RFC 8058).
#pragma once

#include <string>
#include <vector>

#include "base/bytes.hpp"

namespace facteur::message {

struct ListFields {
  std::string id;       // "list.example.org", lower case; empty: no List-Id.
  std::string id_name;  // The phrase in front of it, decoded.
  std::vector<std::string> help, subscribe, unsubscribe, post, owner, archive;  // URIs in their order (RFC 2369 §2).
  bool no_posting = false;                                                      // "List-Post: NO" (RFC 2369 §3.4).
  bool one_click = false;  // RFC 8058 §3.1: List-Unsubscribe may be carried out by one POST to its https URI.
  bool any() const;        // Whether the message says that it came through a list.
};

ListFields read_list_fields(Bytes header);

// RFC 2369 §2: the URIs in angle brackets of one value, comments passed over, blanks inside taken out; at most 100.
std::vector<std::string> parse_list_uris(Bytes value);

// RFC 2919 §3: the identifier in the last angle brackets, or the whole value where there are none; lower case.
std::string parse_list_id(Bytes value, std::string* name = nullptr);

}  // namespace facteur::message
