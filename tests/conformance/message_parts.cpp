// Prints the parts of messages as src/message reads them, for the comparison with other readers (message_readers.py).
//
// Reads file names, one a line, and prints for each: name, TAB, parts, TAB, marks of ambiguity, TAB, values. Parts are
// "multipart/mixed[text/plain:LENGTH:CRC ...]"; LENGTH and CRC (Adler-32) of the decoded octets without CR. Values are
// "subject=...&from=...&to=...&cc=...&date=...&files=...", percent-encoded, the items of a list ended by a line end.
#include <cstdint>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "base/ascii.hpp"
#include "base/base64.hpp"
#include "message/address.hpp"
#include "message/ambiguity.hpp"
#include "message/date.hpp"
#include "message/encoded_word.hpp"
#include "message/header.hpp"
#include "message/mime.hpp"
#include "message/text.hpp"

namespace {

using namespace facteur;
using namespace facteur::message;

std::string checksum(const std::string& octets) {
  std::uint32_t a = 1;
  std::uint32_t b = 0;
  std::size_t length = 0;
  for (const char c : octets) {
    if (c == '\r') continue;
    ++length;
    a = (a + static_cast<unsigned char>(c)) % 65'521;
    b = (b + a) % 65'521;
  }
  return std::to_string(length) + ":" + std::to_string(b << 16 | a);
}

std::string written(const std::string& message, const PartTree& tree, std::uint32_t index) {
  const Part& part = tree.parts[index];
  std::string out = part.content_type.type + "/" + part.content_type.subtype;
  if (part.kind == Part::Kind::leaf) return out + ":" + checksum(decoded_body(message, part));
  out += '[';
  for (std::uint32_t child = part.first_child; child != Part::none; child = tree.parts[child].next_sibling) {
    if (child != part.first_child) out += ' ';
    out += written(message, tree, child);
  }
  return out + ']';
}

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (ascii::is_alnum(c)) {
      out += c;
    } else {
      out += '%';
      out += to_hex(std::string_view(&c, 1));
    }
  }
  return out;
}

std::string addresses(Bytes header, std::string_view name) {
  std::string out;
  for (const auto& entry : parse_address_list(first_field(header, name).value_or(Bytes()))) {
    if (entry.kind != ListedAddress::Kind::mailbox) continue;
    out += entry.local + (entry.domain.empty() ? "" : "@" + entry.domain) + "\n";
  }
  return out;
}

std::string values(Bytes message, const PartTree& tree) {
  const Bytes header = message.substr(0, tree.parts[0].header_length);
  std::string out = "subject=" + percent_encoded(decoded_text(first_field(header, "Subject").value_or(Bytes())));
  for (const auto* name : {"From", "To", "Cc"}) {
    out += "&" + ascii::lower(name) + "=" + percent_encoded(addresses(header, name));
  }
  const auto field = first_field(header, "Date");
  const auto date = field ? parse_date(*field) : std::nullopt;
  out += "&date=" + (date ? std::to_string(date->time.milliseconds / 1000) : "");
  std::string files;
  for (const Part& part : tree.parts) {
    const std::string name = file_name(message.substr(part.header, part.header_length));
    if (!name.empty()) files += name + "\n";
  }
  return out + "&files=" + percent_encoded(files);
}

}  // namespace

int main() {
  for (std::string path; std::getline(std::cin, path);) {
    std::ifstream in(path, std::ios::binary);
    const std::string message{std::istreambuf_iterator<char>(in), {}};
    const auto tree = parse_mime(message);
    std::cout << path << '\t' << written(message, tree, 0) << '\t' << find_ambiguities(message, tree).text() << '\t'
              << values(message, tree) << '\n';
  }
}
