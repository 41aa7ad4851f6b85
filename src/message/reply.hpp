// Drafts that begin with another message: replies, forwards; and a message sent on as it is (Resent fields).
#pragma once

#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "message/builder.hpp"

namespace facteur::message {

struct ReplyWishes {
  bool all = false;            // To all other recipients too, as Cc.
  std::vector<Address> own{};  // Addresses of who replies: left out.
  bool utf8 = false;           // Addresses and identifiers may be UTF-8 (RFC 6532).
};

// A draft with recipients (Reply-To, else From), subject, In-Reply-To and References (RFC 5322 §3.6.4): of the parent's
// References the first and the last 49, so that they do not grow for ever. What is damaged in the parent is left out.
Draft reply_to(Bytes parent, const ReplyWishes& wishes);

// A draft with subject and `parent` as message/rfc822. No recipients.
Draft forward_of(Bytes parent);

// The text of a message as it is quoted: "> " in front of each line, one '>' more where there are some. UTF-8, LF.
std::string quoted_text(Bytes message);

// The members of an address field as far as they are valid; names decoded, groups opened.
std::vector<Correspondent> correspondents(Bytes value, bool utf8);

struct Resending {
  Correspondent from;
  std::vector<Correspondent> to;
  bool utf8 = false;
};
// RFC 5322 §3.6.6: Resent fields in front; all of the message stays as it is, its folding and signatures too.
Result<std::string> resent(Bytes message, const Resending& what, const Origin& origin);

}  // namespace facteur::message
