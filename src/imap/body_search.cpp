#include "imap/body_search.hpp"

#include <algorithm>
#include <string>

#include "message/encoded_word.hpp"
#include "message/header.hpp"
#include "message/part_header.hpp"
#include "message/text.hpp"

namespace facteur::imap {
namespace {

constexpr std::size_t most_text = std::size_t{16} * 1024 * 1024;

bool header_has(Bytes header, const Needle& needle) {
  message::FieldScanner fields(header);
  message::Field field;
  while (fields.next(field)) {
    if (needle.in(std::string(field.name) + ": " + message::decoded_text(field.value))) return true;
  }
  return false;
}

bool leaf_has(Bytes header, Bytes body, const Needle& needle, Searched where) {
  message::Part leaf;
  message::Ambiguities marks;
  message::interpret_header(leaf, header, false, marks);
  // Nothing to decode, nothing to copy: nearly all that people write by hand or by program.
  if (needle.one_line() && message::searchable_as_it_is(leaf, body)) {
    if (needle.in(body)) return true;
    return where == Searched::all && needle.in(message::file_name(header));
  }
  const std::string name = message::file_name(header);
  if (where == Searched::all && needle.in(name)) return true;
  return needle.in(message::searchable_leaf(leaf, name, body, most_text));
}

}  // namespace

Needle needle_of_text(std::string_view wanted) {
  std::string text(wanted);
  std::erase(text, '\r');
  return Needle(text);
}

bool message_has(const message::Structure& structure, const MessagePieces& octets, const Needle& needle,
                 Searched where) {
  for (const auto& entity : structure.entities()) {
    std::string header_storage;
    const Bytes header = octets.view(entity.header, header_storage);
    if ((where == Searched::all || entity.message) && header_has(header, needle)) return true;
    if (!entity.leaf) continue;
    std::string body_storage;
    if (leaf_has(header, octets.view(entity.body, body_storage), needle, where)) return true;
  }
  return false;
}

}  // namespace facteur::imap
