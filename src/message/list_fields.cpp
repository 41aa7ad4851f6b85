#include "message/list_fields.hpp"

#include <utility>

#include "base/ascii.hpp"
#include "message/encoded_word.hpp"
#include "message/header.hpp"
#include "message/value_cursor.hpp"

namespace facteur::message {
namespace {

constexpr std::size_t most_uris = 100;

std::string without_blanks(Bytes text) {
  std::string out;
  for (const char c : text) {
    if (!is_value_blank(c)) out += c;
  }
  return out;
}

bool says_no(Bytes value) {
  ValueCursor cursor(value);
  cursor.skip_blanks();
  return ascii::equal_ignoring_case(cursor.token("(<,"), "NO");
}

}  // namespace

bool ListFields::any() const {
  return !id.empty() || !help.empty() || !subscribe.empty() || !unsubscribe.empty() || !post.empty() ||
         !owner.empty() || !archive.empty() || no_posting;
}

std::vector<std::string> parse_list_uris(Bytes value) {
  std::vector<std::string> uris;
  ValueCursor cursor(value);
  while (uris.size() < most_uris) {
    cursor.skip_blanks();
    if (cursor.done()) break;
    if (cursor.peek() == '"') {
      cursor.quoted();
    } else if (cursor.take('<')) {
      const Bytes rest = cursor.rest();
      const std::size_t end = rest.find('>');
      if (end == Bytes::npos) break;
      if (auto uri = without_blanks(rest.substr(0, end)); !uri.empty()) uris.push_back(std::move(uri));
      cursor.skip(end + 1);
    } else {
      cursor.skip();  // RFC 2369 §2: what is not understood is passed over.
    }
  }
  return uris;
}

std::string parse_list_id(Bytes value, std::string* name) {
  ValueCursor cursor(value);
  std::size_t phrase_end = 0;
  std::string id;
  bool angles = false;
  while (!cursor.done()) {
    cursor.skip_blanks();
    const std::size_t start = cursor.position();
    if (cursor.peek() == '"') {
      cursor.quoted();
    } else if (cursor.take('<')) {
      const std::size_t end = cursor.rest().find('>');
      id = without_blanks(cursor.rest().substr(0, end));
      phrase_end = start;
      angles = true;
      cursor.skip(end == Bytes::npos ? cursor.rest().size() : end + 1);
    } else {
      cursor.skip();
    }
  }
  // RFC 2919 §3 wants the brackets; lists of old wrote the bare identifier.
  if (!angles) id = without_blanks(value);
  if (name && angles) {
    const Bytes phrase = value.substr(0, phrase_end);
    ValueCursor words(phrase);
    words.skip_blanks();
    *name = words.peek() == '"' ? decoded_text(words.quoted()) : decoded_text(phrase);
  }
  return ascii::lower(id);
}

ListFields read_list_fields(Bytes header) {
  ListFields list;
  bool post = false;
  const auto add = [](std::vector<std::string>& uris, const Field& field) {
    if (uris.empty()) uris = parse_list_uris(field.value);  // RFC 2369 §2: each field stands once; the first counts.
  };
  FieldScanner scanner(header);
  for (Field field; scanner.next(field);) {
    if (!ascii::starts_with_ignoring_case(field.name, "List-")) continue;
    if (field.is("List-Id") && list.id.empty()) list.id = parse_list_id(field.value, &list.id_name);
    if (field.is("List-Help")) add(list.help, field);
    if (field.is("List-Subscribe")) add(list.subscribe, field);
    if (field.is("List-Unsubscribe")) add(list.unsubscribe, field);
    if (field.is("List-Owner")) add(list.owner, field);
    if (field.is("List-Archive")) add(list.archive, field);
    if (field.is("List-Post") && !std::exchange(post, true)) {
      list.no_posting = says_no(field.value);
      if (!list.no_posting) add(list.post, field);
    }
    // RFC 8058 §3.1: exactly this pair, and an https URI to post it to.
    if (field.is("List-Unsubscribe-Post")) {
      list.one_click = ascii::equal_ignoring_case(without_blanks(field.value), "List-Unsubscribe=One-Click");
    }
  }
  bool https = false;
  for (const auto& uri : list.unsubscribe) https = https || ascii::starts_with_ignoring_case(uri, "https:");
  list.one_click = list.one_click && https;
  return list;
}

}  // namespace facteur::message
