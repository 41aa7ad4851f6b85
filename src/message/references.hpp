// Message identifiers and what threads are made of (RFC 5322 §3.6.4, RFC 5256 §2.1).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace facteur::message {

// The ids of a Message-ID, In-Reply-To or References value in order, without angle brackets, comments and blanks
// dropped, quoted left sides unquoted when they need no quotes (RFC 5256 §2.1: "<"01KF8JCEOCBS0045PS"@xxx.yyy.com>" is
// the same id). At most `limit`.
std::vector<std::string> parse_message_ids(Bytes value, std::size_t limit = 1'000);

// What threading uses as parents: References, or if that has none the first id of In-Reply-To (RFC 5256 §3).
std::vector<std::string> thread_parents(Bytes references, Bytes in_reply_to);

// RFC 5256 §2.1: the base subject of a decoded (UTF-8) subject. `reply` is set when "Re:", "Fwd:" or "(fwd)" were taken
// away.
std::string base_subject(std::string_view decoded, bool* reply = nullptr);

}  // namespace facteur::message
