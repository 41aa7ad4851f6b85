#include "imap/fetch_plan.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>

#include "imap/date.hpp"
#include "message/header.hpp"
#include "message/transfer.hpp"

namespace facteur::imap {
namespace {

using Kind = FetchItem::Kind;
using message::Range;
using message::SectionText;

std::string section_label(const FetchItem& item) {
  std::string label = item.kind == Kind::section ? "BODY[" : item.kind == Kind::binary ? "BINARY[" : "BINARY.SIZE[";
  bool first = true;
  for (const auto number : item.section.part) {
    if (!first) label += '.';
    first = false;
    append_number(label, number);
  }
  constexpr std::array<Bytes, 6> names{"", "HEADER", "HEADER.FIELDS", "HEADER.FIELDS.NOT", "TEXT", "MIME"};
  const auto name = names[static_cast<std::size_t>(item.section.text)];
  if (!name.empty() && !first) label += '.';
  label += name;
  if (!item.section.fields.empty()) {
    ResponseWriter fields;
    fields.raw(" (");
    for (const auto& field : item.section.fields) {
      if (fields.text().size() > 2) fields.raw(" ");
      fields.mailbox(field);  // An astring: an atom where it can be one.
    }
    label += fields.raw(")").text();
  }
  label += ']';
  if (item.partial) label += '<' + std::to_string(item.partial->first) + '>';
  return label;
}

Bytes simple_label(Kind kind) {
  switch (kind) {
    case Kind::flags:
      return "FLAGS";
    case Kind::uid:
      return "UID";
    case Kind::internaldate:
      return "INTERNALDATE";
    case Kind::rfc822_size:
      return "RFC822.SIZE";
    case Kind::envelope:
      return "ENVELOPE";
    case Kind::body:
      return "BODY";
    case Kind::bodystructure:
      return "BODYSTRUCTURE";
    case Kind::modseq:
      return "MODSEQ";
    case Kind::emailid:
      return "EMAILID";
    case Kind::threadid:
      return "THREADID";
    case Kind::rfc822:
      return "RFC822";
    case Kind::rfc822_header:
      return "RFC822.HEADER";
    case Kind::rfc822_text:
      return "RFC822.TEXT";
    case Kind::preview:
      return "PREVIEW";
    default:
      return {};
  }
}

// The octets an item names; nullopt: there is no such part, NIL.
std::optional<Range> range_of(const FetchItem& item, const FetchedMessage& message) {
  SectionText which = SectionText::all;
  switch (item.kind) {
    case Kind::rfc822_header:
      which = SectionText::header;
      break;
    case Kind::rfc822_text:
      which = SectionText::text;
      break;
    default:
      switch (item.section.text) {
        case Section::Text::all:
          break;
        case Section::Text::text:
          which = SectionText::text;
          break;
        case Section::Text::mime:
          which = SectionText::mime;
          break;
        default:
          which = SectionText::header;
          break;
      }
  }
  if (which == SectionText::all && item.section.part.empty()) return Range{0, message.text->size};
  return message.structure->section(item.section.part, which);
}

// RFC 9051 §6.4.5: <offset.length>, clipped to what is there.
Range partial(Range range, const FetchItem& item) {
  if (!item.partial) return range;
  const auto offset = std::min<std::uint64_t>(item.partial->first, range.length);
  return {range.offset + offset, std::min<std::uint64_t>(item.partial->second, range.length - offset)};
}

void write_section(ResponseWriter& out, const FetchItem& item, const FetchedMessage& message) {
  const auto range = range_of(item, message);
  if (!range) {
    out.raw("NIL");
    return;
  }
  const bool fields =
      item.section.text == Section::Text::header_fields || item.section.text == Section::Text::header_fields_not;
  if (!fields || item.kind != Kind::section) {
    message.text->write_literal(out, partial(*range, item));
    return;
  }
  std::string storage;
  const std::array<Bytes, 1> header{message.text->view(*range, storage)};
  const auto selected =
      message::select_fields(header, item.section.fields, item.section.text == Section::Text::header_fields_not);
  const auto part = partial({0, selected.size()}, item);
  out.raw("{").number(part.length).raw("}\r\n");
  out.raw(Bytes(selected).substr(static_cast<std::size_t>(part.offset), static_cast<std::size_t>(part.length)));
}

// RFC 9051 §6.4.5 BINARY: the part without its transfer encoding; false: the encoding is not known.
bool write_binary(ResponseWriter& out, const FetchItem& item, const FetchedMessage& message) {
  const auto leaf = item.section.part.empty() ? std::nullopt : message.structure->binary(item.section.part);
  const auto range = range_of(item, message);
  if (!range) {
    out.raw(item.kind == Kind::binary_size ? "0" : "NIL");
    return true;
  }
  std::string storage;
  std::string decoded;
  Bytes octets = message.text->view(leaf ? leaf->body : *range, storage);
  if (leaf) {
    const auto encoding = static_cast<message::Encoding>(leaf->encoding);
    if (encoding == message::Encoding::other) {
      out.raw(item.kind == Kind::binary_size ? "0" : "NIL");
      return false;
    }
    if (encoding == message::Encoding::base64 || encoding == message::Encoding::quoted_printable) {
      decoded = message::decode(octets, encoding);
      octets = decoded;
    }
  }
  if (item.kind == Kind::binary_size) {
    out.number(octets.size());
    return true;
  }
  const auto part = partial({0, octets.size()}, item);
  octets = octets.substr(static_cast<std::size_t>(part.offset), static_cast<std::size_t>(part.length));
  // RFC 9051 §4.3.1: literal8 where there is a NUL.
  if (octets.find('\0') != Bytes::npos) out.raw("~");
  out.raw("{").number(octets.size()).raw("}\r\n").raw(octets);
  return true;
}

// One short response, written in place: at most `most_short_steps` pieces of less than 100 octets.
constexpr std::size_t most_short_steps = 16;
class ShortText {
 public:
  ShortText& add(Bytes octets) {
    std::memcpy(at_, octets.data(), octets.size());
    at_ += octets.size();
    return *this;
  }
  ShortText& number(std::uint64_t value) {
    at_ = std::to_chars(at_, octets_.data() + octets_.size(), value).ptr;
    return *this;
  }
  ShortText& flags(std::uint8_t bits, bool recent) {
    add("(");
    const char* const begin = at_;
    const auto flag = [&](bool on, Bytes name) {
      if (on) add(at_ == begin ? name.substr(1) : name);
    };
    flag(bits & 1, " \\Seen");
    flag(bits & 2, " \\Answered");
    flag(bits & 4, " \\Flagged");
    flag(bits & 8, " \\Draft");
    flag(bits & 16, " \\Deleted");
    flag(recent, " \\Recent");
    return add(")");
  }
  Bytes octets() const { return {octets_.data(), static_cast<std::size_t>(at_ - octets_.data())}; }

 private:
  std::array<char, (most_short_steps + 3) * 100> octets_;
  char* at_ = octets_.data();
};

}  // namespace

void append_fetched_flags(std::string& out, const FetchedMessage& message) {
  out += '(';
  const auto begin = out.size();
  append_flags(out, message.flag_bits, {}, message.recent);
  for (const auto index : message.keywords) {
    if (message.keyword_names == nullptr || index >= message.keyword_names->size()) continue;
    if (out.size() != begin) out += ' ';
    out += (*message.keyword_names)[index];
  }
  out += ')';
}

void FetchPlan::add(FetchItem item) {
  const auto kind = item.kind;
  const bool bracketed = kind == Kind::section || kind == Kind::binary || kind == Kind::binary_size;
  Step step{std::move(item), {}};
  step.label = " " + (bracketed ? section_label(step.item) : std::string(simple_label(kind))) + " ";
  // An item asked for twice is told once.
  if (std::ranges::any_of(steps_, [&](const Step& other) { return other.label == step.label; })) return;
  const bool whole = step.item.section.part.empty() && step.item.section.text == Section::Text::all;
  switch (kind) {
    case Kind::flags:
      tells_flags_ = true;
      break;
    case Kind::modseq:
      tells_modseq_ = true;
      break;
    case Kind::envelope:
      needs_envelope_ = true;
      break;
    case Kind::body:
    case Kind::bodystructure:
      needs_layout_ = true;
      break;
    case Kind::preview:
      needs_layout_ = true;
      needs_preview_ = needs_preview_ || !step.item.lazy;
      break;
    case Kind::rfc822:
    case Kind::rfc822_text:
    case Kind::rfc822_header:
      needs_text_ = true;
      needs_layout_ = needs_layout_ || kind != Kind::rfc822;
      // RFC 3501 §6.4.5: RFC822.HEADER is BODY.PEEK[HEADER]; the other two set \Seen.
      marks_seen_ = marks_seen_ || kind != Kind::rfc822_header;
      break;
    case Kind::section:
    case Kind::binary:
    case Kind::binary_size:
      needs_text_ = true;
      needs_layout_ = needs_layout_ || !whole;
      marks_seen_ = marks_seen_ || (!step.item.peek && kind != Kind::binary_size);
      break;
    default:
      break;
  }
  columns_only_ = !needs_structure() && !needs_text_ && steps_.size() < most_short_steps;
  steps_.push_back(std::move(step));
}

FetchPlan::FetchPlan(const std::vector<FetchItem>& items, bool uid, bool modseq) {
  FetchItem extra;
  extra.kind = Kind::uid;
  if (uid) add(extra);
  for (const auto& item : items) add(item);
  extra.kind = Kind::modseq;
  if (modseq) add(extra);
}

// The same as write() below for what every client asks of every message of a mailbox: without a call for each piece.
void FetchPlan::write_columns(std::string& out, const FetchedMessage& message) const {
  ShortText text;
  text.add("* ").number(message.number).add(" FETCH (");
  bool first = true;
  for (const auto& step : steps_) {
    text.add(Bytes(step.label).substr(first ? 1 : 0));
    first = false;
    switch (step.item.kind) {
      case Kind::flags:
        text.flags(message.flag_bits, message.recent);
        break;
      case Kind::uid:
        text.number(message.uid);
        break;
      case Kind::internaldate: {
        std::string date;
        append_date_time(date, message.received);
        text.add("\"").add(date).add("\"");
        break;
      }
      case Kind::rfc822_size:
        text.number(message.size);
        break;
      case Kind::modseq:
        text.add("(").number(message.modseq).add(")");
        break;
      case Kind::emailid:
        text.add("(").add(object_id('M', message.email_id)).add(")");
        break;
      default:
        text.add("(").add(object_id('T', message.thread_id)).add(")");
        break;
    }
  }
  if (message.tell_flags && !tells_flags_) text.add(" FLAGS ").flags(message.flag_bits, message.recent);
  out += text.add(")\r\n").octets();
}

bool FetchPlan::write(ResponseWriter& out, const FetchedMessage& message) const {
  bool known = true;
  auto& text = out.text();
  if (columns_only_ && message.keywords.empty()) {
    write_columns(text, message);
    return true;
  }
  text += "* ";
  append_number(text, message.number);
  text += " FETCH (";
  for (const auto& step : steps_) {
    text.append(step.label, &step == steps_.data() ? 1 : 0);
    known = write_step(out, step, message) && known;
  }
  if (message.tell_flags && !tells_flags_) {
    text += " FLAGS ";
    append_fetched_flags(text, message);
  }
  text += ")\r\n";
  return known;
}

bool FetchPlan::write_step(ResponseWriter& out, const Step& step, const FetchedMessage& message) {
  auto& text = out.text();
  switch (step.item.kind) {
    case Kind::flags:
      append_fetched_flags(text, message);
      break;
    case Kind::uid:
      append_number(text, message.uid);
      break;
    case Kind::internaldate:
      text += '"';
      append_date_time(text, message.received);
      text += '"';
      break;
    case Kind::rfc822_size:
      append_number(text, message.size);
      break;
    case Kind::envelope:
      text += message.structure->envelope();
      break;
    case Kind::body:
      text += message.structure->body();
      break;
    case Kind::bodystructure:
      text += message.structure->bodystructure();
      break;
    case Kind::modseq:
      text += '(';
      append_number(text, message.modseq);
      text += ')';
      break;
    case Kind::emailid:
      text += '(' + object_id('M', message.email_id) + ')';
      break;
    case Kind::threadid:
      text += '(' + object_id('T', message.thread_id) + ')';
      break;
    case Kind::rfc822:
    case Kind::rfc822_header:
    case Kind::rfc822_text:
    case Kind::section:
      write_section(out, step.item, message);
      break;
    case Kind::binary:
    case Kind::binary_size:
      return write_binary(out, step.item, message);
    case Kind::preview:
      // RFC 8970 §3.1: NIL says that there is none yet, an empty string that there will never be one.
      message::append_imap_nstring(text, message.structure->preview().value_or(Bytes()),
                                   message.structure->preview().has_value());
      break;
  }
  return true;
}

}  // namespace facteur::imap
