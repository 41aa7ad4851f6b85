// Addresses of header fields: read as well as they can be. A hand-written scanner over one pass, without recursion.
#include <algorithm>

#include "base/ascii.hpp"
#include "message/address.hpp"
#include "message/encoded_word.hpp"

namespace facteur::message {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// What ends a word outside quotes.
bool is_special(char c) {
  switch (c) {
    case '<':
    case '>':
    case '(':
    case '@':
    case ',':
    case ';':
    case ':':
    case '"':
      return true;
    default:
      return is_blank(c);
  }
}

}  // namespace

void AddressScanner::skip_blanks(std::string* comment) {
  while (!done()) {
    if (is_blank(peek())) {
      ++at_;
      continue;
    }
    if (peek() != '(') return;
    // RFC 5322 §3.2.2: comments nest; a counter is enough.
    std::size_t depth = 0;
    if (comment) comment->clear();
    for (; !done(); ++at_) {
      const char c = text_[at_];
      if (c == '(' && depth++ == 0) continue;
      if (c == ')' && --depth == 0) break;
      if (c == '\r' || c == '\n') continue;
      if (c == '\\' && at_ + 1 < text_.size()) {
        ++at_;
        if (comment && !is_blank(text_[at_])) *comment += text_[at_];
        continue;
      }
      if (comment) *comment += c;
    }
    if (!done()) ++at_;
  }
}

void AddressScanner::read_quoted(std::string& out) {
  if (at_ == last_quote_) {
    ++at_;
    return;
  }
  for (++at_; !done(); ++at_) {
    char c = text_[at_];
    if (c == '"') break;
    if (c == '\r' || c == '\n') continue;  // RFC 5322 §3.2.4: folding inside is not part of the string.
    if (c == '\\' && at_ + 1 < text_.size()) c = text_[++at_];
    out += c;
  }
  if (!done()) ++at_;
}

void AddressScanner::read_domain(std::string& out) {
  bool dot = true;  // Whether a word may follow: at the start and behind a dot.
  while (true) {
    skip_blanks(&comment_);
    if (done()) return;
    const char c = peek();
    if (c == '[') {
      for (; !done() && peek() != ']' && peek() != '>'; ++at_) {
        if (!is_blank(peek())) out += peek();
      }
      if (!done() && peek() == ']') {
        out += ']';
        ++at_;
      }
      return;
    }
    if (c != '.' && (!dot || is_special(c))) return;
    const std::size_t start = at_;
    while (!done() && !is_special(peek()) && peek() != '[') ++at_;
    out.append(text_.substr(start, at_ - start));
    dot = out.ends_with('.');
  }
}

// "<" route? local "@" domain ">"; ends behind '>' or before a ',' that comes first.
void AddressScanner::read_angle(ListedAddress& into) {
  ++at_;
  into.local.clear();
  into.domain.clear();
  skip_blanks(nullptr);
  if (peek() == '@') {
    // RFC 5322 §4.4 obs-route: "@a,@b:".
    const std::size_t start = at_;
    while (!done() && peek() != ':' && peek() != '>') ++at_;
    for (const char c : text_.substr(start, at_ - start)) {
      if (!is_blank(c)) into.route += c;
    }
    if (peek() == ':') ++at_;
  }
  while (true) {
    skip_blanks(nullptr);
    if (done() || peek() == '>' || peek() == ',') break;
    if (peek() == '@') {
      ++at_;
      if (!into.domain.empty()) into.local.append("@").append(into.domain);  // "a@b@c": the last one is the domain.
      into.domain.clear();
      read_domain(into.domain);
    } else if (peek() == '"') {
      read_quoted(into.local);
    } else {
      const std::size_t start = at_++;
      while (!done() && !is_special(peek())) ++at_;
      if (into.domain.empty()) into.local.append(text_.substr(start, at_ - start));
    }
  }
  if (peek() == '>') ++at_;
}

// A word of a phrase or of a local part: appended to both until it is known which it is.
bool AddressScanner::read_word(ListedAddress& into, std::string& local, bool blank_before) {
  const std::size_t name_size = into.name.size();
  const std::size_t local_size = local.size();
  if (peek() == '"') {
    read_quoted(into.name);
    local.append(into.name, name_size);
  } else {
    const std::size_t start = at_;
    at_ += blank_before || name_size == 0 ? encoded_word_length(text_.substr(at_)) : 0;
    if (at_ == start) ++at_;
    while (!done() && !is_special(peek())) ++at_;
    into.name.append(text_.substr(start, at_ - start));
    local.append(into.name, name_size);
  }
  if (blank_before && name_size > 0) {
    into.name.insert(name_size, 1, ' ');
    // RFC 5322 §4.4 obs-local-part: blanks around dots are no part of it.
    if (local_size > 0 && local_size < local.size() && local[local_size] != '.' && local[local_size - 1] != '.') {
      local.insert(local_size, 1, ' ');
      local_word_ = local_size + 1;
    }
  }
  return true;
}

// False: there was nothing (only a separator).
bool AddressScanner::read_mailbox(ListedAddress& into) {
  into.kind = ListedAddress::Kind::mailbox;
  into.name.clear();
  into.route.clear();
  into.local.clear();
  into.domain.clear();
  local_.clear();
  local_word_ = 0;
  bool address = false;  // "a@b" was read outside angle brackets.
  bool behind = false;   // And words behind it: "a@b c@d" without a comma is a@b.
  bool angle = false;
  bool any = false;
  std::size_t local_end = std::string::npos;
  while (true) {
    const std::size_t before = at_;
    skip_blanks(&comment_);
    if (done() || peek() == ',' || peek() == ';') break;
    any = true;
    if (peek() == '<' && !angle) {
      read_angle(into);
      angle = true;
    } else if (peek() == '@' && !angle) {
      ++at_;
      std::string domain;
      read_domain(domain);
      into.name.append("@").append(domain);  // In case it was a name after all: a@b <c@d>.
      if (behind) continue;
      local_end = local_.size();
      local_.append("@").append(domain);
      into.domain = std::move(domain);
      address = true;
    } else if (peek() == ':' && !angle && !address && !in_group_) {
      ++at_;
      into.kind = ListedAddress::Kind::group_start;
      in_group_ = true;
      return true;
    } else if (angle) {
      // Nothing belongs here. Quoted strings are passed over as a whole: they may hold commas.
      if (std::string rest; peek() == '"')
        read_quoted(rest);
      else
        ++at_;
    } else {
      behind = address;
      // Words behind an address are no part of it, unless angle brackets make all of it a name.
      std::string rest;
      read_word(into, behind ? rest : local_, before != at_);
    }
  }
  if (!any) return false;
  if (!angle) {
    // "John Doe jd@example.org": no local part has a blank that is not quoted, so what stands before is a name.
    const std::size_t start = address && local_word_ < local_end ? local_word_ : 0;
    into.local.assign(local_, start, address ? local_end - start : std::string::npos);
    into.name.assign(local_, 0, start > 0 ? start - 1 : 0);
  }
  if (into.name.empty()) into.name = comment_;
  return true;
}

bool AddressScanner::next(ListedAddress& into) {
  comment_.clear();
  while (true) {
    skip_blanks(&comment_);
    if (done() || peek() == ';') {
      const bool more = !done();
      if (more) ++at_;
      if (in_group_) {
        in_group_ = false;
        into =
            ListedAddress{.kind = ListedAddress::Kind::group_end, .name = {}, .route = {}, .local = {}, .domain = {}};
        return true;
      }
      if (!more) return false;
      continue;
    }
    if (peek() == ',') {
      ++at_;
      comment_.clear();
      continue;
    }
    if (read_mailbox(into)) return true;
  }
}

std::vector<ListedAddress> parse_address_list(Bytes value, std::size_t limit) {
  std::vector<ListedAddress> list;
  AddressScanner scanner(value);
  for (ListedAddress entry; list.size() < limit && scanner.next(entry);) list.push_back(entry);
  return list;
}

std::optional<Address> first_mailbox(Bytes value) {
  AddressScanner scanner(value);
  for (ListedAddress entry; scanner.next(entry);) {
    if (entry.kind != ListedAddress::Kind::mailbox) continue;
    return Address::parse(quoted_local(entry.local) + "@" + entry.domain);
  }
  return std::nullopt;
}

}  // namespace facteur::message
