#include "message/partial.hpp"

#include <algorithm>
#include <map>

#include "base/ascii.hpp"
#include "message/encoded_word.hpp"
#include "message/header.hpp"
#include "message/seven_bit.hpp"

namespace facteur::message {
namespace {

std::optional<std::uint32_t> positive(std::string_view text) {
  const auto value = ascii::number<std::uint32_t>(ascii::trimmed(text));
  return value && *value > 0 ? value : std::nullopt;
}

// RFC 2046 §5.2.2.1 (2): fields of the outer header that are left out, and taken from the inner one instead.
bool comes_from_inside(const Field& field) {
  return ascii::starts_with_ignoring_case(field.name, "Content-") || field.is("Subject") || field.is("Message-ID") ||
         field.is("Encrypted") || field.is("MIME-Version");
}

void append_fields(std::string& out, Bytes header, bool inside) {
  FieldScanner scanner(header);
  for (Field field; scanner.next(field);) {
    if (field.name.empty() || comes_from_inside(field) != inside) continue;
    out.append(field.whole);
    if (!out.ends_with('\n')) out.append("\r\n");
  }
}

std::string without_brackets(std::string_view id) {
  id = ascii::trimmed(id);
  if (id.starts_with('<') && id.ends_with('>')) id = id.substr(1, id.size() - 2);
  return std::string(id);
}

struct Piece {
  Bytes header;
  Bytes body;
};

}  // namespace

std::optional<Fragment> fragment_of(const ContentType& type) {
  if (!type.is("message", "partial")) return std::nullopt;
  const auto number = positive(type.parameter("number"));
  Fragment fragment{std::string(type.parameter("id")), number.value_or(0), positive(type.parameter("total"))};
  if (!number || fragment.id.empty() || (fragment.total && *fragment.total < fragment.number)) return std::nullopt;
  return fragment;
}

std::optional<std::string> reassembled(std::span<const Bytes> pieces, std::size_t most) {
  std::map<std::uint32_t, Piece> found;
  std::string id;
  std::optional<std::uint32_t> total;
  std::size_t octets = 0;
  for (const Bytes piece : pieces) {
    const std::size_t length = header_length(piece);
    const Bytes header = piece.substr(0, length);
    const auto value = first_field(header, "Content-Type");
    const auto type = value ? parse_content_type(*value) : std::nullopt;
    const auto fragment = type ? fragment_of(*type) : std::nullopt;
    if (!fragment || (!id.empty() && id != fragment->id)) return std::nullopt;
    if (total && fragment->total && *total != *fragment->total) return std::nullopt;
    id = fragment->id;
    if (fragment->total) total = fragment->total;
    if (!found.try_emplace(fragment->number, Piece{header, piece.substr(length)}).second) continue;
    octets += piece.size();
    if (octets > most) return std::nullopt;
  }
  if (!total || found.size() != *total || found.rbegin()->first != *total) return std::nullopt;
  const Piece& first = found.begin()->second;
  const std::size_t inner = header_length(first.body);
  std::string whole;
  whole.reserve(octets);
  append_fields(whole, first.header, false);
  append_fields(whole, first.body.substr(0, inner), true);
  whole.append("\r\n");
  whole.append(first.body.substr(inner));
  for (auto piece = std::next(found.begin()); piece != found.end(); ++piece) whole.append(piece->second.body);
  return whole;
}

namespace {

constexpr std::size_t least_content = 1'000;  // A line of 998 octets and its end.
constexpr std::size_t most_pieces = 10'000;

// RFC 2046 §5.2.2.2: a number in the subject is a kindness to people.
Result<std::string> piece_header(Bytes message, std::size_t number, std::size_t total, const Origin& origin) {
  FieldWriter fields;
  const auto subject = first_field(message, "Subject");
  const std::string part = " (" + std::to_string(number) + "/" + std::to_string(total) + ")";
  fields.text("Subject", (subject ? decoded_text(*subject) : "") + part);
  const std::vector<std::string> id{new_message_id(origin, std::to_string(number))};
  fields.message_ids("Message-ID", id);
  fields.plain("MIME-Version", "1.0");
  const std::vector<WrittenParameter> parameters{
      {"id", new_message_id(origin, "whole")}, {"number", std::to_string(number)}, {"total", std::to_string(total)}};
  fields.parameters("Content-Type", "message/partial", parameters);
  fields.blank_line();
  return fields.finish();
}

std::size_t end_of_piece(Bytes rest, std::size_t room) {
  if (rest.size() <= room) return rest.size();
  const std::size_t line = rest.rfind('\n', room - 1);
  return line == Bytes::npos ? 0 : line + 1;
}

}  // namespace

Result<std::vector<std::string>> split(Bytes message, std::size_t most, const Origin& origin) {
  if (message.size() <= most) return std::vector<std::string>{std::string(message)};
  if (needs_encoding(message) || has_bare_line_end(message)) {
    return failure(Failure::Kind::refused, "F-1650", "Only a message of 7-bit lines can be sent in pieces");
  }
  const std::size_t header = header_length(message);
  std::string outer;
  std::string whole;  // What the pieces are cut from.
  append_fields(outer, message.substr(0, header), false);
  append_fields(whole, message.substr(0, header), true);
  whole.append("\r\n").append(message.substr(header));
  // The longest header of a piece: that of the last possible number.
  auto longest = piece_header(message, most_pieces, most_pieces, origin);
  if (!longest) return failed(longest);
  const std::size_t around = outer.size() + longest->size();
  if (most < around + least_content) {
    return failure(Failure::Kind::refused, "F-1651", "Pieces of this size have no room beside the header");
  }
  std::vector<Bytes> contents;
  for (Bytes rest = whole; !rest.empty();) {
    const std::size_t end = end_of_piece(rest, most - around);
    if (end == 0 || contents.size() == most_pieces) {
      return failure(Failure::Kind::refused, "F-1652", "The message cannot be cut into pieces of this size");
    }
    contents.push_back(rest.substr(0, end));
    rest.remove_prefix(end);
  }
  std::vector<std::string> out;
  for (const Bytes content : contents) {
    auto own = piece_header(message, out.size() + 1, contents.size(), origin);
    if (!own) return failed(own);
    out.push_back(outer + *own + std::string(content));
  }
  return out;
}

std::optional<ExternalBody> external_body(Bytes message, const Part& part) {
  if (!part.content_type.is("message", "external-body")) return std::nullopt;
  const auto parameter = [&](std::string_view name) { return std::string(part.content_type.parameter(name)); };
  ExternalBody out;
  out.access_type = ascii::lower(parameter("access-type"));
  if (out.access_type.empty()) return std::nullopt;
  out.name = parameter("name");
  out.site = parameter("site");
  out.directory = parameter("directory");
  out.mode = ascii::lower(parameter("mode"));
  out.server = parameter("server");
  out.subject = parameter("subject");
  out.expiration = parameter("expiration");
  out.permission = ascii::lower(parameter("permission"));
  out.size = ascii::number<std::uint64_t>(parameter("size"));
  // RFC 2017 §3: long URLs are cut into pieces of 40 characters with blanks between them.
  out.url = parameter("url");
  std::erase_if(out.url, [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; });
  // RFC 2046 §5.2.3: the body begins with the header of what is elsewhere.
  const Bytes body = message.substr(std::min<std::size_t>(part.body, message.size()), part.body_length);
  const Bytes header = body.substr(0, header_length(body));
  if (const auto value = first_field(header, "Content-Type")) {
    if (auto type = parse_content_type(*value)) out.type = std::move(*type);
  }
  if (const auto value = first_field(header, "Content-ID")) out.content_id = without_brackets(unfolded(*value));
  return out;
}

}  // namespace facteur::message
