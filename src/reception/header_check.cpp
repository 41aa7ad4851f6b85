#include "reception/header_check.hpp"

#include <algorithm>

#include "base/ascii.hpp"
#include "message/authors.hpp"
#include "message/header.hpp"

namespace facteur::reception {
namespace {

// "Delivered-To: <user@example.org>" or without brackets.
std::string address_of(Bytes value) {
  auto text = message::unfolded(value);
  if (text.starts_with('<') && text.ends_with('>')) text = text.substr(1, text.size() - 2);
  return ascii::lower(text);
}

void read_from(Bytes value, HeaderFacts& facts) {
  ++facts.from_fields;
  auto authors = message::parse_authors(value);
  if (!authors) {
    facts.from_damaged = true;
  } else if (facts.from.empty()) {
    facts.from = std::move(*authors);
  }
}

// A line that is no From field, and that a lenient reader may still take for one (RELIABILITY S20): before all fields
// and behind a blank, or with its colon in the next line. "From " of an mbox is neither.
bool looks_like_from(const message::Field& field, bool first) {
  constexpr std::string_view blanks = " \t\v\f\r\n";
  Bytes line = field.whole;
  if (first) line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
  if (!ascii::starts_with_ignoring_case(line, "from")) return false;
  line.remove_prefix(4);
  const auto end = line.find_first_not_of(blanks);
  return end != Bytes::npos && line[end] == ':';
}

}  // namespace

HeaderFacts examine_header(Bytes header) {
  HeaderFacts facts;
  message::FieldScanner fields(header);
  message::Field field;
  facts.starts_well = header.empty() || header.starts_with("\r\n");
  bool first = true;
  while (fields.next(field)) {
    if (first) facts.starts_well = !field.name.empty() && !ascii::is_space(header.front());
    if (!field.is("From") && looks_like_from(field, first)) facts.from_damaged = true;
    first = false;
    if (field.is("Received")) ++facts.received;
    if (field.is("Delivered-To")) facts.delivered_to.push_back(address_of(field.value));
    if (field.is("From")) read_from(field.value, facts);
    if (field.is("Sender")) facts.sender = true;
    if (field.is("Resent-From") || field.is("Resent-Sender")) facts.resent = true;
    if (field.is("Date")) facts.date = true;
    if (field.is("Message-ID")) facts.message_id = true;
    if (field.is("Bcc") || field.is("Resent-Bcc")) facts.bcc = true;
  }
  facts.eight_bit = std::ranges::any_of(header, [](char c) { return static_cast<unsigned char>(c) > 127; });
  return facts;
}

std::string without_bcc(Bytes header) {
  std::string out;
  out.reserve(header.size());
  message::FieldScanner fields(header);
  message::Field field;
  std::size_t copied = 0;
  while (fields.next(field)) {
    if (!field.is("Bcc") && !field.is("Resent-Bcc")) continue;
    out += header.substr(copied, field.line - copied);
    copied = field.line + field.whole.size();
  }
  out += header.substr(copied);
  return out;
}

}  // namespace facteur::reception
