// Writes header fields from typed values (RFC 5322 §2.2): what is given is text, addresses, identifiers, parameters,
// never a line. No value can end a line or begin a field: line ends and other controls are refused, whatever is not
// printable ASCII is encoded, and only this class writes line ends, at places where folding is allowed.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "message/address.hpp"

namespace facteur::message {

// A person or a program with an address.
struct Correspondent {
  std::string name;  // UTF-8; may be empty.
  Address address;
};

// RFC 5322 §3.4: a group, "undisclosed-recipients:;" if it has no members.
struct Group {
  std::string name;
  std::vector<Correspondent> members;
};
using Destination = std::variant<Correspondent, Group>;

// A parameter of Content-Type or Content-Disposition.
struct WrittenParameter {
  std::string name;
  std::string value;      // UTF-8.
  bool by_words = false;  // As an encoded word in a quoted string, which RFC 2047 §5 forbids and old programs want.
};

// One header (or block of fields of the same form, as in delivery reports), field by field. The first value that cannot
// be written is remembered; finish() tells it, and nothing is lost silently.
class FieldWriter {
 public:
  // `utf8`: RFC 6532 output; else all is ASCII.
  explicit FieldWriter(bool utf8 = false) : utf8_(utf8) {}

  static constexpr std::size_t wanted = 76;    // Columns of a line (RFC 2047 §2 for lines with encoded words).
  static constexpr std::size_t longest = 998;  // RFC 5322 §2.1.1.

  // Free text (RFC 5322 §3.2.5): Subject, Comments... Folded at blanks, all blanks kept; encoded words (RFC 2047) for
  // words that need them. A TAB becomes a blank.
  void text(std::string_view name, std::string_view text);
  // A value of printable ASCII (with `utf8` of UTF-8) that knows no encoded words, folded at blanks, of which
  // several become one.
  void plain(std::string_view name, std::string_view value);
  void date(std::string_view name, UtcTime at, int offset_minutes);
  void mailboxes(std::string_view name, std::span<const Correspondent> list);
  void destinations(std::string_view name, std::span<const Destination> list);
  void message_ids(std::string_view name, std::span<const std::string> ids);  // Without their angle brackets.
  // "value; name=..." (RFC 2045 §5.1): tokens, quoted strings or RFC 2231 forms as each value needs.
  void parameters(std::string_view name, std::string_view value, std::span<const WrittenParameter> list);
  void blank_line() { out_.append("\r\n"); }

  bool utf8() const { return utf8_; }
  // All lines; or why there are none: refused, with a text for whoever gave the value.
  Result<std::string> finish();

 private:
  void begin(std::string_view name);
  void end();
  void fold();
  void put(std::string_view token, std::string_view blanks = " ");
  // `behind`: octets kept free behind each word.
  void put_words(std::string_view text, std::string_view blanks = " ", std::size_t behind = 0);
  void put_phrase(std::string_view text);
  void put_quoted(std::string_view text);
  void put_mailbox(const Correspondent& who, std::string_view behind);
  void put_parameter(const WrittenParameter& parameter, bool last);
  void put_continued(std::string_view name, std::string_view value, std::string_view behind);
  bool sound(std::string_view text);  // UTF-8 without controls.
  void refuse(std::string_view code, std::string text);

  bool utf8_;
  bool first_ = true;  // Nothing stands behind the name yet.
  std::size_t column_ = 0;
  std::string out_;
  std::optional<Failure> wrong_;
};

// What may stand between angle brackets of Message-ID and Content-ID: printable, without blanks and brackets.
bool is_message_id(std::string_view id, bool utf8 = false);
bool is_token(std::string_view text);       // RFC 2045 §5.1.
bool is_field_name(std::string_view text);  // RFC 5322 §3.6.8, at most 60 octets.

// For values of others that are repeated in fields: one line of valid UTF-8 (or ASCII, with '?' for the rest), blanks
// for controls, no word beyond what folding can place, at most `most` octets.
std::string cleaned(std::string_view text, bool utf8, std::size_t most = 900);

}  // namespace facteur::message
