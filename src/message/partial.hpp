// message/partial: one message in pieces (RFC 2046 §5.2.2), and message/external-body: content kept elsewhere (§5.2.3).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "message/builder.hpp"
#include "message/mime.hpp"

namespace facteur::message {

struct Fragment {
  std::string id;
  std::uint32_t number = 0;            // From 1.
  std::optional<std::uint32_t> total;  // Must be in the last piece, may be in the others.
};

// Of a Content-Type message/partial; nullopt if it is none or lacks a valid id or number.
std::optional<Fragment> fragment_of(const ContentType& type);

// RFC 2046 §5.2.2.1: the whole from its pieces, given in any order, duplicates allowed. Its header is that of the
// message in the first piece, with all fields of the first piece's outer header that are not Content-*, Subject,
// Message-ID, Encrypted or MIME-Version. nullopt: pieces are missing, belong to two messages, or more than `most`
// octets.
std::optional<std::string> reassembled(std::span<const Bytes> pieces, std::size_t most = 256u << 20);

// RFC 2046 §5.2.2: `message` in pieces of at most `most` octets each, cut behind line ends, to be sent as messages of
// their own; reassembled() gives it back, its fields in another order. Fields keep their folding. One that fits is
// given back as it is. `origin` dates nothing: Date and the rest are the message's; the pieces get identifiers from it.
// Refused: octets above 127 or NUL (a piece may have no transfer encoding: to_seven_bit() first), line ends that are no
// CRLF, a header that leaves less than 1,000 octets for content, more than 10,000 pieces.
Result<std::vector<std::string>> split(Bytes message, std::size_t most, const Origin& origin);

struct ExternalBody {
  std::string access_type;  // Lower case: "anon-ftp", "ftp", "tftp", "local-file", "mail-server", "url"...
  std::string name, site, directory, mode, server, subject;
  std::string url;  // RFC 2017 §3; blanks taken out.
  std::string expiration, permission;
  std::optional<std::uint64_t> size;
  ContentType type;        // Of the content, from the header inside.
  std::string content_id;  // Without angle brackets.
};

// nullopt: the part is not message/external-body, or names no access-type.
std::optional<ExternalBody> external_body(Bytes message, const Part& part);

}  // namespace facteur::message
