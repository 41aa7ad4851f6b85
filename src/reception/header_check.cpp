#include "reception/header_check.hpp"

#include <algorithm>

#include "base/ascii.hpp"
#include "message/header.hpp"

namespace facteur::reception {
namespace {

constexpr std::size_t most_addresses = 1000;  // Of From fields together.

// "Delivered-To: <user@example.org>" or without brackets.
std::string address_of(Bytes value) {
  auto text = message::unfolded(value);
  if (text.starts_with('<') && text.ends_with('>')) text = text.substr(1, text.size() - 2);
  return ascii::lower(text);
}

void read_from(Bytes value, HeaderFacts& facts) {
  ++facts.from_fields;
  const auto before = facts.from.size();
  for (auto& one : message::parse_address_list(value, most_addresses)) {
    if (one.kind == message::ListedAddress::Kind::mailbox && facts.from.size() < most_addresses) {
      facts.from.push_back(std::move(one));
    }
  }
  if (facts.from.size() == before) facts.from_damaged = true;
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
    first = false;
    if (field.is("Received")) ++facts.received;
    if (field.is("Delivered-To")) facts.delivered_to.push_back(address_of(field.value));
    if (field.is("From")) read_from(field.value, facts);
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
