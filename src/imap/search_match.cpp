#include "imap/search_match.hpp"

#include <algorithm>
#include <array>

#include "base/ascii.hpp"
#include "imap/body_search.hpp"
#include "imap/date.hpp"
#include "imap/response_writer.hpp"
#include "message/address.hpp"
#include "message/encoded_word.hpp"
#include "message/header.hpp"

namespace facteur::imap {
namespace {

using Kind = SearchKey::Kind;
using message::HeaderText;

Match yes_if(bool fits) { return fits ? Match::yes : Match::no; }

struct NamedText {
  Bytes name;
  HeaderText which;
};
constexpr std::array kept_texts{
    NamedText{"Subject", HeaderText::subject}, NamedText{"From", HeaderText::from}, NamedText{"To", HeaderText::to},
    NamedText{"Cc", HeaderText::cc},           NamedText{"Bcc", HeaderText::bcc},
};

bool is_address_field(Bytes name) {
  return std::ranges::any_of(std::array<Bytes, 4>{"From", "To", "Cc", "Bcc"},
                             [name](Bytes one) { return ascii::equal_ignoring_case(one, name); });
}

// Comments inside an address ("<anne (Anne)@ example.org>") do not hide it from who looks for anne@example.org.
bool any_address_has(Bytes text, const Needle& needle) {
  if (text.find('(') == Bytes::npos) return false;
  message::AddressScanner addresses(text);
  message::ListedAddress address;
  while (addresses.next(address)) {
    if (address.kind != message::ListedAddress::Kind::mailbox) continue;
    if (needle.in(address.local + "@" + address.domain)) return true;
  }
  return false;
}

bool header_has(Bytes header, const std::string& name, const Needle& needle) {
  message::FieldScanner fields(header);
  message::Field field;
  while (fields.next(field)) {
    if (!field.is(name)) continue;
    if (needle.empty() || needle.in(message::decoded_text(field.value))) return true;
    if (is_address_field(name) && any_address_has(field.value, needle)) return true;
  }
  return false;
}

}  // namespace

SearchProgram::SearchProgram(const SearchKey& key, const Surroundings& around) : root_(prepare(key, around)) {}

SearchProgram::Node SearchProgram::prepare(const SearchKey& key, const Surroundings& around) {
  Node node{.kind = key.kind};
  node.bit = key.bit;
  node.field = key.field;
  node.value = key.value;
  node.number = key.number;
  node.day = key.day;
  switch (key.kind) {
    case Kind::sequence:
    case Kind::uid:
      node.by_uid = key.set.saved || key.kind == Kind::uid;
      node.ranges =
          key.set.saved ? around.saved : resolve(key.set, node.by_uid ? around.highest_uid : around.highest_number);
      break;
    case Kind::header:
      node.needle = Needle(key.value);
      break;
    case Kind::body:
    case Kind::text:
      node.needle = needle_of_text(key.value);
      break;
    case Kind::keyword:
      for (std::size_t i = 0; around.keyword_names != nullptr && i < around.keyword_names->size(); ++i) {
        if (ascii::equal_ignoring_case((*around.keyword_names)[i], key.value)) node.keyword = static_cast<int>(i);
      }
      break;
    default:
      break;
  }
  for (const auto& child : key.children) node.children.push_back(prepare(child, around));
  return node;
}

bool SearchProgram::looks_at_columns() const {
  return root_.kind != Kind::header && root_.kind != Kind::sent_before && root_.kind != Kind::sent_on &&
         root_.kind != Kind::sent_since;
}

Match SearchProgram::match(const SearchedMessage& message) const { return match(root_, message); }

Match SearchProgram::match(const Node& node, const SearchedMessage& message) {
  switch (node.kind) {
    case Kind::all:
      return Match::yes;
    case Kind::sequence:
    case Kind::uid:
      return yes_if(contains(node.ranges, node.by_uid ? message.uid : message.number));
    case Kind::flag:
      return yes_if((message.flag_bits & node.bit) != 0);
    case Kind::keyword:
      return yes_if(std::ranges::any_of(message.keywords, [&](auto keyword) { return keyword == node.keyword; }));
    case Kind::recent:
      return yes_if(message.recent);
    case Kind::fresh:
      return yes_if(message.recent && (message.flag_bits & 1) == 0);
    case Kind::before:
      return yes_if(day_of(message.received) < node.day);
    case Kind::on:
      return yes_if(day_of(message.received) == node.day);
    case Kind::since:
      return yes_if(day_of(message.received) >= node.day);
    case Kind::larger:
      return yes_if(message.size > node.number);
    case Kind::smaller:
      return yes_if(message.size < node.number);
    case Kind::modseq:
      return yes_if(message.modseq >= node.number);
    case Kind::emailid:
      return yes_if(node.value == object_id('M', message.email_id));
    case Kind::threadid:
      return yes_if(node.value == object_id('T', message.thread_id));
    case Kind::sent_before:
    case Kind::sent_on:
    case Kind::sent_since:
      return match_sent(node, message);
    case Kind::header:
      return match_header(node, message);
    case Kind::body:
    case Kind::text:
      return match_text(node, message);
    case Kind::both: {
      Match all = Match::yes;
      for (const auto& child : node.children) {
        const auto one = match(child, message);
        if (one == Match::no) return Match::no;
        if (one == Match::unknown) all = Match::unknown;
      }
      return all;
    }
    case Kind::either: {
      Match any = Match::no;
      for (const auto& child : node.children) {
        const auto one = match(child, message);
        if (one == Match::yes) return Match::yes;
        if (one == Match::unknown) any = Match::unknown;
      }
      return any;
    }
    case Kind::negation: {
      const auto inner = match(node.children.front(), message);
      return inner == Match::unknown ? inner : yes_if(inner == Match::no);
    }
  }
  return Match::no;
}

Match SearchProgram::match_sent(const Node& node, const SearchedMessage& message) {
  if (message.structure == nullptr) return Match::unknown;
  const auto date = message.structure->date();
  if (!date) return Match::no;
  // RFC 9051 §6.4.4: "disregarding time and timezone": the day as the sender wrote it.
  const auto day = day_of(date->time + std::chrono::minutes(date->offset_minutes));
  if (node.kind == Kind::sent_before) return yes_if(day < node.day);
  if (node.kind == Kind::sent_on) return yes_if(day == node.day);
  return yes_if(day >= node.day);
}

Match SearchProgram::match_header(const Node& node, const SearchedMessage& message) {
  const auto* const kept = std::ranges::find_if(
      kept_texts, [&](const NamedText& text) { return ascii::equal_ignoring_case(text.name, node.field); });
  // An empty text asks whether there is such a field at all, which the kept texts cannot tell from an empty one.
  constexpr std::size_t surely_whole = 8000;  // Longer ones may have been cut in the record.
  if (kept != kept_texts.end() && message.text == nullptr) {
    if (message.structure == nullptr) return Match::unknown;
    const auto text = message.structure->text(kept->which);
    if (!text.empty() && node.needle.in(text)) return Match::yes;
    if (kept->which != HeaderText::subject && any_address_has(text, node.needle)) return Match::yes;
    return node.needle.empty() || text.size() > surely_whole ? Match::unknown : Match::no;
  }
  if (message.text == nullptr || message.structure == nullptr) return Match::unknown;
  std::string storage;
  const auto header = message.text->view({0, message.structure->header_length()}, storage);
  return yes_if(header_has(header, node.field, node.needle));
}

Match SearchProgram::match_text(const Node& node, const SearchedMessage& message) {
  if (node.needle.empty()) return Match::yes;
  if (message.text == nullptr || message.structure == nullptr) return Match::unknown;
  const auto where = node.kind == Kind::text ? Searched::all : Searched::body;
  return yes_if(message_has(*message.structure, *message.text, node.needle, where));
}

}  // namespace facteur::imap
