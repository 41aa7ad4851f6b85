#include "message/authors.hpp"

#include <algorithm>
#include <string_view>

#include "base/ascii.hpp"
#include "message/encoded_word.hpp"

namespace facteur::message {
namespace {

constexpr std::size_t most_authors = 1000;

// One pass from left to right; every step says whether what must stand there did.
class AuthorReader {
 public:
  explicit AuthorReader(Bytes value) : text_(value) {}

  std::optional<std::vector<Address>> read() {
    while (authors_.size() < most_authors) {
      auto one = mailbox();
      if (!one || !skip() || (open_ > 0 && !done())) return std::nullopt;
      authors_.push_back(std::move(*one));
      if (done()) return in_group_ ? std::nullopt : std::optional(std::move(authors_));
      const char c = text_[at_++];
      if (c == ';' && in_group_ && skip() && done()) return std::move(authors_);
      if (c != ',') return std::nullopt;
      // RFC 5322 §4.4 obs-mbox-list: nothing behind a comma. With one author nobody can miss another.
      if (authors_.size() == 1 && !in_group_ && skip() && done()) return std::move(authors_);
    }
    return std::nullopt;
  }

 private:
  bool done() const { return at_ >= text_.size(); }
  static bool blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
  static bool eight_bit(char c) { return static_cast<unsigned char>(c) >= 0x80; }
  static bool atext(char c) {
    return ascii::is_alnum(c) || eight_bit(c) || std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != Bytes::npos;
  }
  // What a word of a display name may consist of beyond atext (RFC 5322 §4.1 obs-phrase has the dot).
  static bool in_phrase(char c) { return atext(c) || c == '.' || c == '[' || c == ']'; }

  // RFC 5322 §3.2.2 CFWS. False: a comment that does not end.
  bool skip() {
    for (std::size_t depth = 0; !done(); ++at_) {
      const char c = text_[at_];
      if (c == '(') {
        if (open_ > 0) return false;
        ++depth;
      } else if (depth > 0 && c == ')') {
        --depth;
      } else if (depth > 0 && c == '\\' && at_ + 1 < text_.size()) {
        ++at_;
      } else if (depth == 0 && !blank(c)) {
        return true;
      } else if (depth > 0 && c == '\0') {
        return false;
      }
      if (at_ + 1 >= text_.size() && depth > 0) return false;
    }
    return true;
  }

  // RFC 5322 §3.2.4: from its '"' on; false if it does not end, or holds a control character.
  bool quoted() {
    if (open_ > 0) return false;
    for (++at_; !done(); ++at_) {
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return true;
      }
      if (c == '\\' && ++at_ == text_.size()) return false;
      if (!ascii::is_printable(text_[at_]) && !eight_bit(text_[at_]) && !blank(text_[at_])) return false;
    }
    return false;
  }

  // RFC 2047 §5 (3) forbids specials in the encoded words of names, and many write them. Who knows no encoded words may
  // see a comment begin in one: then nothing must follow that could be hidden in it, or by its end.
  bool word(std::size_t start) {
    const std::size_t length = at_ == start || blank(text_[at_ - 1]) ? encoded_word_length(text_.substr(at_)) : 0;
    for (const char c : text_.substr(at_, length)) {
      if (c == '(') ++open_;
      if (c == ')' && open_ > 0) --open_;
    }
    at_ += length;
    return length > 0;
  }

  // RFC 5322 §3.4 mailbox. What comes first is a display name or a local part: known at the '<' or the '@'; or, of the
  // first, the name of a group: known at the ':' (RFC 6854: a From may be a group).
  std::optional<Address> mailbox() {
    if (!skip() || done()) return std::nullopt;
    const std::size_t start = at_;
    while (!done()) {
      const char c = text_[at_];
      if (c == '<') return angle();
      if (c == '@') return bare(start);
      if (c == ':' && at_ > start && open_ == 0 && authors_.empty() && !in_group_) {
        in_group_ = true;
        ++at_;
        return mailbox();  // Once: groups have no groups in them.
      }
      if (word(start)) continue;
      if (c == '"') {
        if (!quoted()) return std::nullopt;
      } else if (in_phrase(c)) {
        ++at_;
      } else if (blank(c) || c == '(') {
        if (!skip()) return std::nullopt;
        // RFC 5322 §4.4 obs-local-part has blanks around its dots: where readers part ways.
        if (!done() && text_[at_] == '@') return std::nullopt;
      } else {
        return std::nullopt;
      }
    }
    return std::nullopt;
  }

  std::optional<Address> angle() {
    const std::size_t start = ++at_;
    while (!done() && text_[at_] != '>') {
      if (text_[at_] != '"') {
        ++at_;
      } else if (!quoted()) {
        return std::nullopt;
      }
    }
    if (done()) return std::nullopt;
    const Bytes inside = text_.substr(start, at_++ - start);
    return address(inside);
  }

  // Also as the name of the same address in brackets: "a@b.example <a@b.example>" is one address to everybody.
  std::optional<Address> bare(std::size_t start) {
    at_ = std::min(text_.find_first_of(" \t\r\n,;(<", at_), text_.size());
    auto found = address(text_.substr(start, at_ - start));
    if (!found || !skip()) return std::nullopt;
    if (!done() && text_[at_] == '<' && angle() != found) return std::nullopt;
    return found;
  }

  static std::optional<Address> address(Bytes text) {
    auto parsed = Address::parse(text);
    if (!parsed) return std::nullopt;
    // RFC 2047 §5: no encoded word within an address; who decodes it shows something else.
    if (parsed->local.contains("=?")) return std::nullopt;
    return parsed;
  }

  Bytes text_;
  std::size_t at_ = 0;
  std::size_t open_ = 0;  // Parentheses that encoded words have opened.
  bool in_group_ = false;
  std::vector<Address> authors_;
};

}  // namespace

std::optional<std::vector<Address>> parse_authors(Bytes value) { return AuthorReader(value).read(); }

}  // namespace facteur::message
