// The record made once at delivery from which IMAP answers without reading the message again: ENVELOPE, BODY and
// BODYSTRUCTURE in wire form, the offsets of all parts, and the decoded header texts of SEARCH, SORT and THREAD.
//
// Versioned: records of version 1 (without preview and ambiguities) are read too; another one is not opened: make it
// anew from the message.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "message/ambiguity.hpp"
#include "message/date.hpp"

namespace facteur::message {

// `prefix`: the header fields we put in front (each ended by CRLF, or empty); `content`: the message as received.
// The message clients see is prefix + content, and all offsets count in that. Never fails. Linear.
std::string make_structure(Bytes prefix, Bytes content);

struct Range {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  friend bool operator==(const Range&, const Range&) = default;
};

// Which octets BODY[...] names (RFC 9051 §6.4.5). `numbers` is the part path, empty for the message itself.
enum class SectionText : std::uint8_t {
  all,     // BODY[] or BODY[1.2]: the message, or the body of a part.
  header,  // BODY[HEADER], BODY[1.HEADER]: of the message, or of a message/rfc822 part. HEADER.FIELDS chooses from it
           // (header.hpp: select_fields).
  text,    // BODY[TEXT], BODY[1.TEXT].
  mime,    // BODY[1.MIME]: the header of that part.
};

// Texts of the header kept in the record: UTF-8, unfolded, encoded words decoded.
enum class HeaderText : std::uint8_t { subject, from, to, cc, bcc, message_id, in_reply_to, references, sender };
inline constexpr std::size_t header_texts = 9;

// A record, opened. Borrows it; opening costs a few nanoseconds and reads no more than its first octets.
class Structure {
 public:
  static std::optional<Structure> open(Bytes record);  // nullopt: empty, damaged, or of another version.

  // RFC 9051 §7.5.2 ENVELOPE and BODYSTRUCTURE values, parentheses included: to be copied to the wire. 8-bit and
  // control octets stand in literals (valid for RFC 3501 and RFC 9051 alike).
  Bytes envelope() const { return envelope_; }
  Bytes bodystructure() const { return bodystructure_; }
  Bytes body() const { return body_; }    // BODY: the same without extension data.
  Bytes texts() const { return texts_; }  // All of text(), as they are stored.
  Bytes parts() const { return parts_; }  // The table behind section(), as it is stored.

  std::uint64_t size() const { return size_; }                    // RFC822.SIZE: prefix + content.
  std::uint64_t header_length() const { return header_length_; }  // With prefix and blank line.
  std::optional<ZonedTime> date() const;                          // Of the Date field.
  bool has_attachment() const;                                    // A part with a disposition attachment or a filename.

  // The decoded text of a field, all of the same name joined by ", "; empty if there was none. Each at most 8 KiB
  // (references: 16 KiB); message ids with their angle brackets, separated by a space.
  Bytes text(HeaderText which) const;

  // RFC 8970 §3.1: the beginning of the text, UTF-8, at most 200 characters, one line (text.hpp). nullopt: a record of
  // version 1, which has none: make it from the message.
  std::optional<Bytes> preview() const;
  Ambiguities ambiguities() const { return ambiguities_; }  // Empty also in a record of version 1.

  // nullopt: there is no such part (the client gets NIL). HEADER and TEXT of a part exist for message/rfc822 only.
  std::optional<Range> section(std::span<const std::uint32_t> numbers, SectionText which) const;

  // RFC 9051 §6.4.5.1 BINARY[section]: the body's range and its encoding; nullopt: no such leaf part.
  struct Binary {
    Range body;
    std::uint8_t encoding = 0;  // message::Encoding.
  };
  std::optional<Binary> binary(std::span<const std::uint32_t> numbers) const;

  // The message and all its parts in the order of their headers, for SEARCH and text extraction.
  struct Entity {
    Range header;  // With the blank line.
    Range body;
    std::uint8_t encoding = 0;  // message::Encoding.
    bool leaf = false;          // Neither a multipart nor a message that was looked into.
    bool text = false;          // A leaf of text/*.
    bool message = false;       // The one entity in a part message/rfc822: its header is that of a message.
    Bytes charset;
  };
  std::vector<Entity> entities() const;

 private:
  Bytes record_;
  Bytes envelope_;
  Bytes bodystructure_;
  Bytes body_;
  Bytes texts_;
  Bytes parts_;
  std::optional<Bytes> preview_;
  Ambiguities ambiguities_;
  std::uint64_t size_ = 0;
  std::uint64_t header_length_ = 0;
};

// A structure record taken apart, so that its parts can be stored by themselves. Each part is a record again, with
// size, date and flags, in which the rest is empty: open() takes it.
enum class StructurePart : std::uint8_t {
  envelope,   // envelope().
  layout,     // bodystructure(), body(), sections, leaves and preview().
  texts,      // text() of subject and addresses.
  threading,  // text() of subject, Message-ID, In-Reply-To, References.
};
std::optional<std::string> structure_part(Bytes record, StructurePart part);  // nullopt: open() would not take it.
// Parts of one record together; of texts, those of the part that has most.
std::optional<std::string> joined_structure(std::span<const Bytes> parts);

// IMAP string syntax (RFC 9051 §4.3): quoted if printable ASCII and short, else a literal; NUL octets are dropped.
void append_imap_string(std::string& out, Bytes value);
void append_imap_nstring(std::string& out, Bytes value, bool present);

}  // namespace facteur::message
