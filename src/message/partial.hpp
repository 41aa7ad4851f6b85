// message/partial: one message in pieces (RFC 2046 §5.2.2), and message/external-body: content kept elsewhere (§5.2.3).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
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
