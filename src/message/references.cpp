#include "message/references.hpp"

#include "base/ascii.hpp"
#include "message/address.hpp"

namespace facteur::message {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

std::size_t skip_quoted(Bytes text, std::size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\\') ++at;
  }
  return std::min(at + 1, text.size());
}

std::size_t skip_comment(Bytes text, std::size_t at) {
  std::size_t depth = 0;
  for (; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '(') {
      ++depth;
    } else if (text[at] == ')' && --depth == 0) {
      return at + 1;
    }
  }
  return text.size();
}

// RFC 5256 §2.1: ids are compared without needless quotes.
std::string normal_id(Bytes inside) {
  std::string id;
  std::string quoted;
  for (std::size_t i = 0; i < inside.size(); ++i) {
    if (is_blank(inside[i])) continue;
    if (inside[i] == '(') {  // RFC 5322 §4.5.4: comments were allowed inside.
      i = skip_comment(inside, i) - 1;
      continue;
    }
    if (inside[i] != '"') {
      id += inside[i];
      continue;
    }
    const std::size_t end = skip_quoted(inside, i);
    quoted.clear();
    for (std::size_t k = i + 1; k < end && inside[k] != '"'; ++k) {
      if (inside[k] == '\\' && k + 1 < end) ++k;
      quoted += inside[k];
    }
    id += quoted_local(quoted);
    i = end - 1;
  }
  return id;
}

}  // namespace

std::vector<std::string> parse_message_ids(Bytes value, std::size_t limit) {
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < value.size() && ids.size() < limit;) {
    const char c = value[i];
    if (c == '"') {
      i = skip_quoted(value, i);
    } else if (c == '(') {
      i = skip_comment(value, i);
    } else if (c == '<') {
      std::size_t end = i + 1;
      while (end < value.size() && value[end] != '>' && value[end] != '<') {
        end = value[end] == '"' ? skip_quoted(value, end) : end + 1;
      }
      std::string id = normal_id(value.substr(i + 1, end - i - 1));
      if (!id.empty() && end < value.size() && value[end] == '>') ids.push_back(std::move(id));
      i = end < value.size() && value[end] == '<' ? end : end + 1;
    } else {
      ++i;
    }
  }
  return ids;
}

std::vector<std::string> thread_parents(Bytes references, Bytes in_reply_to) {
  auto ids = parse_message_ids(references);
  // RFC 5256 §3, REFERENCES step 1: only without References does the first id of In-Reply-To count.
  if (ids.empty()) ids = parse_message_ids(in_reply_to, 1);
  return ids;
}

namespace {

Bytes trim_left(Bytes text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  return text;
}
Bytes trim_right(Bytes text) {
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// RFC 5256 §5 subj-blob: "[...]" and blanks behind it; `text` unchanged if there is none.
Bytes without_blob(Bytes text) {
  if (!text.starts_with('[')) return text;
  const std::size_t end = text.find_first_of("[]", 1);
  return end == Bytes::npos || text[end] != ']' ? text : trim_left(text.substr(end + 1));
}

// RFC 5256 §5 subj-refwd: "re", "fw" or "fwd", blanks, an optional blob, a colon.
Bytes without_reply_mark(Bytes text) {
  using ascii::starts_with_ignoring_case;
  Bytes rest;
  if (starts_with_ignoring_case(text, "fwd")) {
    rest = text.substr(3);
  } else if (starts_with_ignoring_case(text, "re") || starts_with_ignoring_case(text, "fw")) {
    rest = text.substr(2);
  } else {
    return text;
  }
  rest = without_blob(trim_left(rest));
  return rest.starts_with(':') ? trim_left(rest.substr(1)) : text;
}

// Steps 3 to 5 of RFC 5256 §2.1.
Bytes without_leaders(Bytes text, bool& reply) {
  for (bool again = true; again;) {
    again = false;
    text = trim_left(text);
    Bytes rest = text;
    Bytes kept = text;  // Blobs go only as long as something is left.
    for (std::size_t size = rest.size() + 1; rest.size() < size;) {
      size = rest.size();
      rest = without_blob(rest);
      if (!rest.empty()) kept = rest;
    }
    const Bytes behind_mark = without_reply_mark(rest);
    if (behind_mark.size() < rest.size()) {
      text = behind_mark;
      reply = again = true;
    } else {
      text = kept;
    }
  }
  return text;
}

}  // namespace

std::string base_subject(std::string_view decoded, bool* reply) {
  std::string single;  // Step 1: blanks are one space each.
  for (const char c : decoded) {
    if (is_blank(c)) {
      if (!single.ends_with(' ')) single += ' ';
    } else {
      single += c;
    }
  }
  bool changed = false;
  Bytes text = single;
  for (bool again = true; again;) {
    again = false;
    for (std::size_t before = text.size() + 1; text.size() < before;) {  // Step 2: trailers.
      before = text.size();
      text = trim_right(text);
      if (text.size() >= 5 && ascii::equal_ignoring_case(text.substr(text.size() - 5), "(fwd)")) {
        text.remove_suffix(5);
        changed = true;
      }
    }
    text = without_leaders(text, changed);
    // Step 6: "[fwd: ...]" around all of it.
    if (ascii::starts_with_ignoring_case(text, "[fwd:") && text.ends_with(']')) {
      text = trim_left(text.substr(5, text.size() - 6));
      changed = again = true;
    }
  }
  if (reply) *reply = changed;
  return std::string(text);
}

}  // namespace facteur::message
