// Reverse-path and forward-path (RFC 5321 §4.1.2): an address of an envelope as a value; constructed means valid.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace facteur::smtp {

struct Path {
  std::string local;   // Without quoting: "a b" is a b. Case kept (RFC 5321 §2.4). UTF-8 under SMTPUTF8.
  std::string domain;  // Lower case ASCII, "[192.0.2.1]" or "[IPv6:...]"; may be UTF-8 under SMTPUTF8.

  bool null() const { return local.empty() && domain.empty(); }  // <>: RFC 5321 §4.5.5.
  bool ascii() const;                                            // May go to a peer without SMTPUTF8.
  friend auto operator<=>(const Path&, const Path&) = default;
};

// "local@domain" as it stands between angle brackets, quoted where needed (RFC 5321 §4.1.2); "" for the null path;
// "postmaster" if the domain is empty.
std::string to_string(const Path& path);

// Parses a Mailbox without brackets, with nothing behind it (RFC 5321 §4.1.2, RFC 6531 §3.3 if `utf8`); nullopt for
// anything else, longer local parts than 64 octets or domains than 255 (§4.5.3.1). No source route, no null path.
std::optional<Path> parse_mailbox(std::string_view text, bool utf8 = false);

}  // namespace facteur::smtp
