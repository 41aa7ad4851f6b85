// Names of mailboxes on the wire: modified UTF-7 for IMAP4rev1 (RFC 3501 §5.1.3), UTF-8 after ENABLE, LIST patterns.
#pragma once

#include <optional>
#include <string>

#include "base/bytes.hpp"

namespace facteur::imap {

constexpr char hierarchy_delimiter = '/';

// UTF-8 of a name in modified UTF-7; nullopt if it is not well-formed: a lone '&', bits left over, an encoded character
// that could stand for itself, half a surrogate pair, an octet above 126. ("&-" is '&'.)
std::optional<std::string> from_modified_utf7(Bytes name);

// Modified UTF-7 of valid UTF-8. Invalid octets become U+FFFD.
std::string to_modified_utf7(Bytes utf8);

bool is_valid_utf8(Bytes text);  // RFC 3629: shortest forms, no surrogates, at most U+10FFFF.

// "inbox" in any case, alone or as first level, is "INBOX" (RFC 9051 §5.1); a delimiter at the end, which means that
// children will follow (§6.3.4), is cut off.
std::string canonical_name(Bytes name);

// LIST patterns (RFC 9051 §6.3.9): '*' is any text, '%' any text without the delimiter. The first level INBOX matches
// in any case. Time grows with pattern times name, never exponentially.
bool matches_pattern(Bytes pattern, Bytes name);

}  // namespace facteur::imap
