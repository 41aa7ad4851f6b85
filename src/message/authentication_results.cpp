// Authentication-Results by the grammar of RFC 8601 §2.2, with blanks wherever senders put them.
#include "message/authentication_results.hpp"

#include "base/ascii.hpp"
#include "message/value_cursor.hpp"

namespace facteur::message {
namespace {

constexpr std::size_t most = 1'000;

std::string word(ValueCursor& cursor, std::string_view ends) {
  return cursor.peek() == '"' ? cursor.quoted() : std::string(cursor.token(ends));
}

// pvalue: a quoted string, a token, or [local-part] "@" domain-name, whose local part may be quoted (RFC 8601 §2.2).
std::string read_value(ValueCursor& cursor) {
  std::string value = word(cursor, ";(");
  if (cursor.peek() == '@') value.append(cursor.token(";("));
  return value;
}

std::uint32_t read_version(ValueCursor& cursor) {
  const auto version = ascii::number<std::uint32_t>(cursor.token(";(="));
  return version.value_or(0);
}

// Comments, blanks, "reason=" and properties behind the value, up to ';'. False: something else stands there.
bool read_properties(ValueCursor& cursor, AuthenticationResult& result) {
  while (true) {
    cursor.skip_blanks(&result.comment);
    if (cursor.done() || cursor.peek() == ';') return true;
    const std::string type = ascii::lower(cursor.token(".=;(\""));
    cursor.skip_blanks();
    if (type == "reason" && cursor.take('=')) {
      cursor.skip_blanks();
      result.reason = word(cursor, ";(");
      continue;
    }
    if (type.empty() || !cursor.take('.')) return false;
    cursor.skip_blanks();
    std::string name = ascii::lower(cursor.token("=;("));
    cursor.skip_blanks();
    if (name.empty() || !cursor.take('=')) return false;
    cursor.skip_blanks();
    std::string value = read_value(cursor);
    if (result.properties.size() < most) result.properties.push_back({type, std::move(name), std::move(value)});
  }
}

// False: not a result. `none` is set for the word alone, which says that there are no results.
bool read_result(ValueCursor& cursor, AuthenticationResult& result, bool& none) {
  result.method = ascii::lower(cursor.token("=/;("));
  cursor.skip_blanks();
  if (cursor.take('/')) {
    cursor.skip_blanks();
    result.version = read_version(cursor);
    cursor.skip_blanks();
  }
  if (result.method == "none" && (cursor.done() || cursor.peek() == ';')) {
    none = true;
    return true;
  }
  if (result.method.empty() || !cursor.take('=')) return false;
  cursor.skip_blanks();
  result.value = ascii::lower(cursor.token(";("));
  return !result.value.empty() && read_properties(cursor, result);
}

// "i=1" in front of the server's name (RFC 8617 §4.1.1).
std::optional<std::uint32_t> read_instance(ValueCursor& cursor) {
  ValueCursor ahead = cursor;
  if (!ascii::equal_ignoring_case(ahead.token("=;("), "i")) return std::nullopt;
  ahead.skip_blanks();
  if (!ahead.take('=')) return std::nullopt;
  ahead.skip_blanks();
  const auto instance = ascii::number<std::uint32_t>(ahead.token(";("));
  ahead.skip_blanks();
  if (!instance || !ahead.take(';')) return std::nullopt;
  cursor = ahead;
  cursor.skip_blanks();
  return instance;
}

}  // namespace

std::string_view AuthenticationResult::property(std::string_view type, std::string_view name) const {
  for (const auto& one : properties) {
    if (one.type == type && one.name == name) return one.value;
  }
  return {};
}

std::optional<AuthenticationResults> parse_authentication_results(Bytes value) {
  AuthenticationResults all;
  ValueCursor cursor(value);
  cursor.skip_blanks();
  all.instance = read_instance(cursor);
  all.server = word(cursor, ";(");
  // "spf=pass ..." without a server is what some write: nobody's word, so not read.
  if (all.server.empty() || all.server.find('=') != std::string::npos) return std::nullopt;
  cursor.skip_blanks();
  if (!cursor.done() && cursor.peek() != ';') {
    all.version = read_version(cursor);
    cursor.skip_blanks();
    if (all.version == 0 || (!cursor.done() && cursor.peek() != ';')) return std::nullopt;
  }
  while (!cursor.done() && all.results.size() < most) {
    cursor.skip();  // The ';'.
    cursor.skip_blanks();
    if (cursor.done()) break;  // A ';' at the end, which is common.
    if (cursor.peek() == ';') continue;
    AuthenticationResult result;
    bool none = false;
    if (!read_result(cursor, result, none)) return std::nullopt;
    if (!none) all.results.push_back(std::move(result));
  }
  return all;
}

}  // namespace facteur::message
