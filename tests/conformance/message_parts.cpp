// Prints the parts of messages as src/message reads them, for the comparison with other readers (message_readers.py).
//
// Reads file names, one a line, and prints for each: name, TAB, parts, TAB, marks of ambiguity. Parts are
// "multipart/mixed[text/plain:LENGTH:CRC ...]"; LENGTH and CRC (Adler-32) of the decoded octets without CR.
#include <cstdint>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "message/ambiguity.hpp"
#include "message/mime.hpp"

namespace {

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

}  // namespace

int main() {
  for (std::string path; std::getline(std::cin, path);) {
    std::ifstream in(path, std::ios::binary);
    const std::string message{std::istreambuf_iterator<char>(in), {}};
    const auto tree = parse_mime(message);
    std::cout << path << '\t' << written(message, tree, 0) << '\t' << find_ambiguities(message, tree).text() << '\n';
  }
}
