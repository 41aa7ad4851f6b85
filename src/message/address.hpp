// Addresses: those of the envelope (RFC 5321 §4.1.2), which are valid or refused, and those of header fields (RFC 5322
// §3.4), which are read as well as they can be.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/ip_address.hpp"

namespace facteur::message {

// A domain name or an address literal, in canonical form: lower case, A-labels (ASCII), no dot at the end; a literal as
// to_address_literal writes it. For people: to_u_labels (idn.hpp).
class Domain {
 public:
  Domain() = default;  // Empty: only in <Postmaster> (RFC 5321 §4.1.1.3) and for the null reverse-path.

  // RFC 5321 §4.1.2 Domain or §4.1.3 address-literal; at most 255 octets, labels of at most 63. Underscores are
  // accepted (they occur). UTF-8 only if `utf8` (RFC 6531 §3.3). nullopt: not one.
  static std::optional<Domain> parse(std::string_view text, bool utf8 = true);

  const std::string& text() const { return text_; }
  bool empty() const { return text_.empty(); }
  bool is_literal() const { return !text_.empty() && text_.front() == '['; }
  std::optional<IpAddress> ip() const;  // Of an IPv4 or IPv6 literal.

  friend auto operator<=>(const Domain&, const Domain&) = default;

 private:
  std::string text_;
};

// A mailbox of the envelope. Constructing is proving: what parse() gave is valid and within the limits of
// RFC 5321 §4.5.3.1 (64 octets of local part, 255 of domain).
struct Address {
  std::string local;  // Without quotes and backslashes, case as written (RFC 5321 §2.4).
  Domain domain;

  // RFC 5321 §4.1.2 Mailbox: "user@example.org", "\"a b\"@example.org", "user@[192.0.2.1]"; no angle brackets.
  static std::optional<Address> parse(std::string_view text, bool utf8 = true);

  std::string text() const;  // For the wire: quoted only if it must be (RFC 5321 §4.1.2: the least quoted form).
  std::string key() const;   // For look-ups: "local@domain", all ASCII letters in lower case, local part not quoted.
  bool is_ascii() const;     // False: needs SMTPUTF8 (RFC 6531): the local part is UTF-8.

  friend auto operator<=>(const Address&, const Address&) = default;
};

// A local part as it must stand before the '@': as it is if it is a dot-string, else quoted.
std::string quoted_local(std::string_view local);

// The argument of MAIL FROM: or RCPT TO: up to its '>'.
struct Path {
  std::optional<Address> address;  // nullopt: the null reverse-path <>.
  std::size_t length = 0;          // Octets read, '>' included; parameters follow.
  std::string route{};             // "@a.example,@b.example" as written, without its ':'; nearly always empty.
};

// RFC 5321 §4.1.2 Reverse-path and Forward-path at the start of `text`. A source route (<@a,@b:user@c>) is accepted and
// dropped (RFC 5321 §4.1.1.3, appendix C). <Postmaster> in any case gives an address with an empty domain.
// At most 1,024 octets with its route (more than the 256 of §4.5.3.1.3, so that routes fit).
std::optional<Path> parse_path(std::string_view text, bool utf8);

// Forms of addresses of other networks that hide in a local part (RFC 5321 §4.1.2 allows them as atoms; RFC 1123
// §5.2.16 and RFC 976 say what they meant). What is done with them is policy: routing refuses them unless told
// otherwise.
enum class ForeignForm : std::uint8_t {
  none,
  percent,  // "user%host": to be sent on to user@host.
  bang,     // "host!user", "a!b!user": UUCP.
  route,    // "@a:user" or a '@' in a quoted local part: "\"user@host\"@relay".
};
// `onward`: for percent, bang and route the address meant, as far as it can be written ("user@host"); may be null.
ForeignForm foreign_form(std::string_view local, std::string* onward = nullptr);

// ---- header fields

// One step through an address list of a header field.
struct ListedAddress {
  enum class Kind : std::uint8_t { mailbox, group_start, group_end };
  Kind kind = Kind::mailbox;
  std::string name;    // Display name, or the group's name: unfolded, unquoted, encoded words kept raw; the comment
                       // behind the address if there is no display name (RFC 5322 §3.4, old habit).
  std::string route;   // RFC 5322 §4.4 obs-route without its ':'; nearly always empty.
  std::string local;   // Not quoted. May hold anything if the address is damaged.
  std::string domain;  // As written, comments and blanks removed; empty if there was none.
};

// Reads an address list (RFC 5322 §3.4 and §4.4) step by step; its strings are used again at each step. Damaged input
// gives the nearest thing; the end always comes, in linear time. Comments nest to any depth without recursion.
class AddressScanner {
 public:
  explicit AddressScanner(Bytes value) : text_(value), last_quote_(value.rfind('"')) {}
  bool next(ListedAddress& into);

 private:
  void skip_blanks(std::string* comment);  // Blanks and comments; the text of the last comment goes to `comment`.
  bool read_word(ListedAddress& into, std::string& local, bool blank_before);
  void read_quoted(std::string& out);
  void read_domain(std::string& out);
  void read_angle(ListedAddress& into);
  bool read_mailbox(ListedAddress& into);
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool done() const { return at_ >= text_.size(); }

  Bytes text_;
  std::size_t last_quote_;  // A '"' here opens nothing that ends: it is passed over alone.
  std::size_t at_ = 0;
  bool in_group_ = false;
  std::string local_;           // Used again at each step.
  std::size_t local_word_ = 0;  // Where its last word begins that a blank sets apart.
  std::string comment_;
};

// All of a list, at most `limit` steps.
std::vector<ListedAddress> parse_address_list(Bytes value, std::size_t limit = 100'000);

// The first mailbox of a list ("From"), as an envelope address; nullopt if there is no valid one.
std::optional<Address> first_mailbox(Bytes value);

}  // namespace facteur::message
