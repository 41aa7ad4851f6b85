#include "imap/response_writer.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/ascii.hpp"
#include "imap/mailbox_name.hpp"
#include "imap/tokens.hpp"

namespace facteur::imap {
namespace {

constexpr std::size_t longest_quoted = 1000;

bool can_be_quoted(Bytes value, bool utf8) {
  if (value.size() > longest_quoted) return false;
  return std::ranges::all_of(
      value, [utf8](char c) { return ascii::is_printable(c) || (utf8 && static_cast<unsigned char>(c) >= 0x80); });
}

void append_quoted(std::string& out, Bytes value) {
  out += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

}  // namespace

void append_number(std::string& out, std::uint64_t value) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out.append(digits.data(), end);
}

void append_flags(std::string& out, std::uint8_t bits, const std::vector<std::string>& keywords, bool recent) {
  const auto begin = out.size();
  const auto flag = [&](Bytes name) {
    if (out.size() != begin) out += ' ';
    out += name;
  };
  if ((bits & 1) != 0) flag("\\Seen");
  if ((bits & 2) != 0) flag("\\Answered");
  if ((bits & 4) != 0) flag("\\Flagged");
  if ((bits & 8) != 0) flag("\\Draft");
  if ((bits & 16) != 0) flag("\\Deleted");
  if (recent) flag("\\Recent");
  for (const auto& keyword : keywords) flag(keyword);
}

std::string object_id(char kind, std::uint64_t id) {
  constexpr Bytes alphabet = "abcdefghijklmnopqrstuvwxyz234567";
  std::string out(1, kind);
  for (int shift = 45; shift >= 0; shift -= 5) out += alphabet[id >> shift & 0x1f];
  return out;
}

ResponseWriter& ResponseWriter::number(std::uint64_t value) {
  append_number(text_, value);
  return *this;
}

ResponseWriter& ResponseWriter::string(Bytes value) {
  if (can_be_quoted(value, false)) {
    append_quoted(text_, value);
  } else {
    text_ += '{';
    append_number(text_, value.size());
    text_ += "}\r\n";
    text_ += value;
  }
  return *this;
}

ResponseWriter& ResponseWriter::mailbox(Bytes utf8_name) {
  const std::string encoded = utf8_ ? std::string(utf8_name) : to_modified_utf7(utf8_name);
  if (!encoded.empty() && encoded.size() <= longest_quoted && std::ranges::all_of(encoded, is_astring_char)) {
    text_ += encoded == "NIL" ? "\"NIL\"" : encoded;
  } else if (can_be_quoted(encoded, utf8_)) {
    append_quoted(text_, encoded);
  } else {
    string(encoded);
  }
  return *this;
}

ResponseWriter& ResponseWriter::flags(std::uint8_t bits, const std::vector<std::string>& keywords, bool recent) {
  text_ += '(';
  append_flags(text_, bits, keywords, recent);
  text_ += ')';
  return *this;
}

void ResponseWriter::borrowed(Bytes octets, const std::shared_ptr<const void>& pin) {
  if (octets.size() < copied_below) {
    text_ += octets;
    return;
  }
  joints_.push_back({text_.size(), octets});
  if (pins_.empty() || pins_.back() != pin) pins_.push_back(pin);
  borrowed_ += octets.size();
}

void ResponseWriter::status(Bytes tag, Bytes word, Bytes code, Bytes explanation) {
  raw(tag).raw(" ").raw(word).raw(" ");
  if (!code.empty()) raw("[").raw(code).raw("] ");
  const auto begin = text_.size();
  // RFC 9051 §9 resp-text: printable text on one line.
  for (const char c : explanation) {
    if (!ascii::is_control(c)) text_ += c;
  }
  if (text_.size() == begin) text_ += "Done";
  line_end();
}

std::vector<Bytes> ResponseWriter::pieces() const {
  std::vector<Bytes> out;
  out.reserve(2 * joints_.size() + 1);
  const Bytes text = text_;
  std::size_t at = 0;
  for (const auto& joint : joints_) {
    if (joint.at > at) out.push_back(text.substr(at, joint.at - at));
    out.push_back(joint.octets);
    at = joint.at;
  }
  if (at < text.size()) out.push_back(text.substr(at));
  return out;
}

void ResponseWriter::clear() {
  text_.clear();
  joints_.clear();
  pins_.clear();
  borrowed_ = 0;
}

void ResponseWriter::shrink() {
  std::string().swap(text_);
  std::vector<Joint>().swap(joints_);
  std::vector<std::shared_ptr<const void>>().swap(pins_);
}

}  // namespace facteur::imap
