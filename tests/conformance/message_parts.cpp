// Prints the parts of messages as src/message reads them, for the comparison with other readers (message_readers.py).
//
// Reads file names, one a line, and answers each with a line of JSON: {"tree": PART, "marks": "bare_cr, nul",
// "values": {...}}. A PART: {"type", "kind", "encoding", "boundary", "header": [OFFSET, LENGTH], "body": [OFFSET,
// LENGTH], "sum", "parts": [PART...]}; its sum, of leaves only, is LENGTH:ADLER32 of the decoded octets with LF for
// all line ends. Texts are percent-encoded, the items of a list ended by a line end.
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
  for (std::size_t i = 0; i < octets.size(); ++i) {
    if (octets[i] == '\r' && i + 1 < octets.size() && octets[i + 1] == '\n') continue;
    const char c = octets[i] == '\r' ? '\n' : octets[i];
    ++length;
    a = (a + static_cast<unsigned char>(c)) % 65'521;
    b = (b + a) % 65'521;
  }
  return std::to_string(length) + ":" + std::to_string(b << 16 | a);
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

std::string pair(std::string_view name, std::string_view value) {
  return "\"" + std::string(name) + "\": \"" + percent_encoded(value) + "\"";
}

std::string range(std::string_view name, std::uint64_t offset, std::uint64_t length) {
  return "\"" + std::string(name) + "\": [" + std::to_string(offset) + ", " + std::to_string(length) + "]";
}

std::string written(const std::string& message, const PartTree& tree, std::uint32_t index) {
  const Part& part = tree.parts[index];
  const bool leaf = part.kind == Part::Kind::leaf;
  const auto* kind = leaf ? "leaf" : part.kind == Part::Kind::message ? "message" : "multipart";
  const auto* encoding = part.encoding == Encoding::base64             ? "base64"
                         : part.encoding == Encoding::quoted_printable ? "quoted-printable"
                         : part.encoding == Encoding::uuencode         ? "uuencode"
                                                                       : "identity";
  std::string out =
      "{" + pair("type", part.content_type.type + "/" + part.content_type.subtype) + ", " + pair("kind", kind) + ", " +
      pair("encoding", encoding) + ", " + pair("boundary", part.content_type.parameter("boundary")) + ", " +
      range("header", part.header, part.header_length) + ", " + range("body", part.body, part.body_length) +
      ", \"sum\": \"" + (leaf ? checksum(decoded_body(message, part)) : "") + "\", \"parts\": [";
  for (std::uint32_t child = part.first_child; child != Part::none; child = tree.parts[child].next_sibling) {
    if (child != part.first_child) out += ", ";
    out += written(message, tree, child);
  }
  return out + "]}";
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
  std::string out =
      pair("subject", decoded_text(first_field(header, "Subject").value_or(Bytes()), charset_of_header(message, tree)));
  for (const auto* name : {"From", "To", "Cc"}) out += ", " + pair(ascii::lower(name), addresses(header, name));
  const auto field = first_field(header, "Date");
  const auto date = field ? parse_date(*field) : std::nullopt;
  out += ", " + pair("date", date ? std::to_string(date->time.milliseconds / 1000) : "");
  std::string files;
  for (const Part& part : tree.parts) {
    const std::string name = file_name(message.substr(part.header, part.header_length));
    if (!name.empty()) files += name + "\n";
  }
  return out + ", " + pair("files", files);
}

}  // namespace

int main() {
  for (std::string path; std::getline(std::cin, path);) {
    std::ifstream in(path, std::ios::binary);
    const std::string message{std::istreambuf_iterator<char>(in), {}};
    const auto tree = parse_mime(message);
    std::cout << "{\"tree\": " << written(message, tree, 0) << ", "
              << pair("marks", find_ambiguities(message, tree).text()) << ", \"values\": {" << values(message, tree)
              << "}}" << std::endl;
  }
}
