#include "message/entity.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/ascii.hpp"
#include "base/base64.hpp"
#include "message/header.hpp"
#include "message/seven_bit.hpp"
#include "message/transfer.hpp"

namespace facteur::message {
namespace {

constexpr int deepest = 20;
constexpr std::size_t most_parts = 9'999;

// How one part is written; in the order of a walk through the tree.
struct Choice {
  Encoding encoding = Encoding::seven_bit;
  std::string type;         // Other than the entity's, if it had to be.
  std::string replacement;  // For its content, if it had to be converted.
  bool replaced = false;
};

bool is_multipart(const Entity& entity) { return ascii::starts_with_ignoring_case(entity.type, "multipart/"); }
bool is_text(const Entity& entity) { return ascii::starts_with_ignoring_case(entity.type, "text/"); }
bool is_message(const Entity& entity) { return ascii::equal_ignoring_case(entity.type, "message/rfc822"); }

std::string_view name_of(Encoding encoding) {
  switch (encoding) {
    case Encoding::eight_bit:
      return "8bit";
    case Encoding::quoted_printable:
      return "quoted-printable";
    case Encoding::base64:
      return "base64";
    default:
      return "7bit";
  }
}

class TreeWriter {
 public:
  TreeWriter(const Transport& transport, const Chance& chance) : transport_(transport) {
    boundary_ = "=_" + to_hex(std::string_view(chance.data(), chance.size()));
  }

  Result<std::string> run(std::string header, const Entity& body) {
    choose(body, 0, true);
    if (wrong_) return std::unexpected(*wrong_);
    find_boundary(body);
    if (wrong_) return std::unexpected(*wrong_);
    out_ = std::move(header);
    out_.append("MIME-Version: 1.0\r\n");
    write(body, true);
    if (wrong_) return std::unexpected(*wrong_);
    return std::move(out_);
  }

 private:
  void refuse(std::string_view code, std::string text) {
    if (!wrong_) wrong_ = Failure{Failure::Kind::refused, code, std::move(text), {}};
  }

  // RFC 2045 §6.4: a multipart is labelled by what its parts need.
  Encoding choose(const Entity& entity, int depth, bool top) {
    const std::size_t mine = choices_.size();
    if (mine >= most_parts) {
      refuse("F-1623", "Too many parts");
      return Encoding::seven_bit;
    }
    choices_.emplace_back();
    if (is_multipart(entity)) {
      if (entity.parts.empty() || !entity.content.empty()) {
        refuse("F-1620", "A multipart has parts and no content of its own");
      }
      if (depth >= deepest) {
        refuse("F-1621", "Too many parts inside each other");
        return Encoding::seven_bit;
      }
      bool eight_bit = false;
      for (const auto& part : entity.parts)
        eight_bit = choose(part, depth + 1, false) == Encoding::eight_bit || eight_bit;
      choices_[mine].encoding = eight_bit ? Encoding::eight_bit : Encoding::seven_bit;
      return choices_[mine].encoding;
    }
    if (!entity.parts.empty()) refuse("F-1622", "Only a multipart has parts");
    Choice choice = is_message(entity) ? choice_for_message(entity) : choice_for_leaf(entity, top);
    const Encoding encoding = choice.encoding;
    choices_[mine] = std::move(choice);
    return encoding;
  }

  Choice choice_for_leaf(const Entity& entity, bool top) const {
    const Bytes content = entity.content;
    const bool text = is_text(entity) || ascii::starts_with_ignoring_case(entity.type, "message/");
    const bool crlf = !has_bare_line_end(content);
    // A message ends with a line end whatever its text does.
    const bool whole = !top || content.ends_with("\r\n") || content.empty();
    if (crlf && whole && !needs_encoding(content)) return {};
    if (!text || !crlf || content.find('\0') != Bytes::npos) return {.encoding = Encoding::base64};
    const bool eight_bit = transport_.eight_bit || transport_.utf8;
    if (eight_bit && whole && !has_long_line(content)) return {.encoding = Encoding::eight_bit};
    const bool readable = quoted_length(content) <= content.size() / 3 * 4 + 64;
    return {.encoding = readable ? Encoding::quoted_printable : Encoding::base64};
  }

  Choice choice_for_message(const Entity& entity) const {
    const Bytes message = entity.content;
    const bool lines = !has_bare_line_end(message) && message.find('\0') == Bytes::npos && !has_long_line(message);
    const bool global = needs_utf8_transport(message);
    if (lines && !has_eight_bit(message)) return {};
    if (lines && transport_.utf8) {
      return {.encoding = Encoding::eight_bit, .type = global ? "message/global" : ""};
    }
    if (lines && transport_.eight_bit && !global) return {.encoding = Encoding::eight_bit};
    if (!global) {
      // What cannot be converted (it is signed...) must not be touched.
      auto converted = to_seven_bit(message);
      if (converted && !has_bare_line_end(*converted) && !needs_encoding(*converted)) {
        return {.encoding = Encoding::seven_bit, .replacement = std::move(*converted), .replaced = true};
      }
    }
    return {.encoding = Encoding::base64, .type = "message/global"};
  }

  static std::size_t quoted_length(Bytes text) {
    std::size_t length = text.size();
    for (const char c : text) {
      if (c == '=' || !(ascii::is_printable(c) || c == '\r' || c == '\n' || c == '\t')) length += 2;
    }
    return length;
  }

  // RFC 2046 §5.1.1: a boundary stands in no part. "=_" makes that sure for quoted-printable and base64 (RFC 2045
  // §6.7), and the random octets for all but messages that were made to annoy.
  void find_boundary(const Entity& body) {
    for (int tries = 0; occurs(body, 0).first; ++tries) {
      if (tries == 20) return refuse("F-1624", "No boundary was found for the parts");
      boundary_ += '+';
    }
  }
  std::pair<bool, std::size_t> occurs(const Entity& entity, std::size_t at) const {
    const Choice& choice = choices_[at++];
    const Bytes text = choice.replaced ? Bytes(choice.replacement) : Bytes(entity.content);
    bool found = choice.encoding <= Encoding::eight_bit && text.find(boundary_) != Bytes::npos;
    for (const auto& part : entity.parts) {
      const auto [inside, next] = occurs(part, at);
      found = found || inside;
      at = next;
    }
    return {found, at};
  }

  void write_header(const Entity& entity, const Choice& choice, const std::string& boundary) {
    FieldWriter fields(transport_.utf8);
    auto parameters = entity.parameters;
    // For programs that look for a name here only, and do not know RFC 2231.
    if (!entity.file_name.empty()) parameters.push_back({.name = "name", .value = entity.file_name, .by_words = true});
    if (!boundary.empty()) parameters.push_back({.name = "boundary", .value = boundary});
    fields.parameters("Content-Type", choice.type.empty() ? entity.type : choice.type, parameters);
    if (choice.encoding != Encoding::seven_bit) fields.plain("Content-Transfer-Encoding", name_of(choice.encoding));
    if (entity.shown != Entity::Shown::unsaid || !entity.file_name.empty()) {
      std::vector<WrittenParameter> named;
      if (!entity.file_name.empty()) named.push_back({.name = "filename", .value = entity.file_name});
      fields.parameters("Content-Disposition", entity.shown == Entity::Shown::in_place ? "inline" : "attachment",
                        named);
    }
    const std::vector<std::string> ids{entity.content_id};
    if (!entity.content_id.empty()) fields.message_ids("Content-ID", ids);
    if (!entity.description.empty()) fields.text("Content-Description", entity.description);
    fields.blank_line();
    auto header = fields.finish();
    if (!header) return refuse(header.error().code, header.error().text);
    out_.append(*header);
  }

  void write(const Entity& entity, bool top) {
    Choice& choice = choices_[next_++];
    if (is_multipart(entity)) return write_multipart(entity, choice);
    write_header(entity, choice, {});
    const Bytes content = choice.replaced ? Bytes(choice.replacement) : Bytes(entity.content);
    if (choice.encoding == Encoding::base64) {
      out_.append(encode_base64_lines(content));
    } else if (choice.encoding == Encoding::quoted_printable) {
      out_.append(encode_quoted_printable(content));
      if (top && !out_.ends_with('\n')) out_.append("=\r\n");
    } else {
      out_.append(content);
    }
    choice.replacement = {};
  }

  void write_multipart(const Entity& entity, const Choice& choice) {
    const std::string number = std::to_string(10'000 + next_).substr(1);  // None is the beginning of another.
    const std::string boundary = boundary_ + "." + number;
    write_header(entity, choice, boundary);
    for (const auto& part : entity.parts) {
      out_.append("--").append(boundary).append("\r\n");
      const std::size_t at = next_;
      write(part, false);
      // The line end in front of a boundary belongs to it; of base64 it is the one of the last line.
      if (is_multipart(part) || choices_[at].encoding != Encoding::base64 || part.content.empty()) out_.append("\r\n");
    }
    out_.append("--").append(boundary).append("--\r\n");
  }

  Transport transport_;
  std::string boundary_;
  std::vector<Choice> choices_;
  std::size_t next_ = 0;
  std::string out_;
  std::optional<Failure> wrong_;
};

}  // namespace

std::string with_crlf(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 32);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n' || c == '\r') {
      out.append("\r\n");
      if (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n') ++i;
    } else {
      out += c;
    }
  }
  if (!out.empty() && !out.ends_with('\n')) out.append("\r\n");
  return out;
}

Result<std::string> joined(std::string header, const Entity& body, const Transport& transport, const Chance& chance) {
  return TreeWriter(transport, chance).run(std::move(header), body);
}

}  // namespace facteur::message
