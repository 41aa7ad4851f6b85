// Addresses of the envelope: strict. Those of header fields are in address_list.cpp.
#include "message/address.hpp"

#include <algorithm>

#include "base/ascii.hpp"
#include "message/charset.hpp"
#include "message/idn.hpp"

namespace facteur::message {
namespace {

constexpr std::size_t max_local = 64;     // RFC 5321 §4.5.3.1.1.
constexpr std::size_t max_domain = 255;   // RFC 5321 §4.5.3.1.2.
constexpr std::size_t max_mailbox = 254;  // RFC 5321 §4.5.3.1.3, without the brackets.
constexpr std::size_t max_path = 1024;

bool is_eight_bit(char c) { return static_cast<unsigned char>(c) >= 0x80; }

// RFC 5322 §3.2.3 atext; RFC 6531 §3.3 adds UTF-8.
bool is_atext(char c) {
  return ascii::is_alnum(c) || is_eight_bit(c) ||
         std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos;
}

bool is_dot_string(std::string_view local) {
  if (local.empty() || local.front() == '.' || local.back() == '.') return false;
  char before = 0;
  for (const char c : local) {
    if (c == '.' ? before == '.' : !is_atext(c)) return false;
    before = c;
  }
  return true;
}

bool is_ascii_only(std::string_view text) { return std::ranges::none_of(text, is_eight_bit); }

// RFC 5321 §4.1.3. Only the two registered forms: a general literal names no network we know.
std::optional<IpAddress> parse_literal(std::string_view text) {
  if (text.size() < 3 || text.front() != '[' || text.back() != ']') return std::nullopt;
  text = text.substr(1, text.size() - 2);
  const bool v6 = ascii::starts_with_ignoring_case(text, "IPv6:");
  const auto address = IpAddress::parse(v6 ? text.substr(5) : text);
  if (!address || address->v6 != v6) return std::nullopt;
  return address;
}

bool is_label(std::string_view label) {
  // RFC 5321 §4.1.2 sub-domain; RFC 1035 §2.3.4: 63 octets. Underscores occur in names of real hosts.
  if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
  return std::ranges::all_of(label, [](char c) { return ascii::is_alnum(c) || c == '-' || c == '_'; });
}

// Reads a Local-part at the start of `text`; the octets read, 0 if there is none.
std::size_t read_local(std::string_view text, std::string& local) {
  if (!text.starts_with('"')) {
    const auto end = std::ranges::find_if(text, [](char c) { return c != '.' && !is_atext(c); });
    local.assign(text.begin(), end);
    return is_dot_string(local) ? local.size() : 0;
  }
  for (std::size_t i = 1; i < text.size(); ++i) {
    char c = text[i];
    if (c == '"') return i + 1;
    if (c == '\\') {
      // RFC 5321 §4.1.2 quoted-pairSMTP: any printable character or space.
      if (++i >= text.size() || !ascii::is_printable(text[i])) return 0;
      c = text[i];
    } else if (!ascii::is_printable(c) && !is_eight_bit(c)) {
      return 0;
    }
    local += c;
  }
  return 0;
}

}  // namespace

std::optional<Domain> Domain::parse(std::string_view text, bool utf8) {
  Domain domain;
  if (text.empty() || text.size() > max_domain) return std::nullopt;
  if (text.front() == '[') {
    const auto address = parse_literal(text);
    if (!address) return std::nullopt;
    domain.text_ = to_address_literal(*address);
    return domain;
  }
  if (!is_ascii_only(text) && !utf8) return std::nullopt;
  // RFC 6531 §3.3 allows U-labels; what is compared and looked up are A-labels (RFC 5890 §2.3.2.1).
  auto canonical = to_a_labels(text);
  if (!canonical || canonical->size() > max_domain) return std::nullopt;
  for (std::string_view rest = *canonical;;) {
    const std::size_t dot = rest.find('.');
    if (!is_label(rest.substr(0, dot))) return std::nullopt;
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  domain.text_ = std::move(*canonical);
  return domain;
}

std::optional<IpAddress> Domain::ip() const { return parse_literal(text_); }

std::optional<Address> Address::parse(std::string_view text, bool utf8) {
  Address address;
  const std::size_t length = read_local(text, address.local);
  // RFC 5321 §4.5.3.1.1: 64 octets of local part as it is written; §4.5.3.1.3: 256 of the path with its brackets.
  if (length == 0 || length > max_local || length >= text.size() || text[length] != '@' || text.size() > max_mailbox) {
    return std::nullopt;
  }
  if (!is_ascii_only(address.local) && (!utf8 || !is_utf8(address.local))) return std::nullopt;
  auto domain = Domain::parse(text.substr(length + 1), utf8);
  if (!domain) return std::nullopt;
  address.domain = std::move(*domain);
  return address;
}

std::string quoted_local(std::string_view local) {
  if (is_dot_string(local)) return std::string(local);
  std::string out = "\"";
  for (const char c : local) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string Address::text() const {
  std::string out = quoted_local(local);
  if (!domain.empty()) out.append("@").append(domain.text());
  return out;
}

std::string Address::key() const {
  std::string out = ascii::lower(local);
  if (!domain.empty()) out.append("@").append(domain.text());
  return out;
}

bool Address::is_ascii() const { return is_ascii_only(local); }

namespace {

// RFC 5321 §4.1.2 A-d-l: "@a,@b:". The octets to be dropped; nullopt if it is damaged.
std::optional<std::size_t> source_route(std::string_view text, bool utf8) {
  if (!text.starts_with('@')) return 0;
  for (std::size_t i = 0; i < text.size() && text[i] == '@';) {
    const std::size_t end = text.find_first_of(",:>", i);
    if (end == std::string_view::npos || !Domain::parse(text.substr(i + 1, end - i - 1), utf8)) return std::nullopt;
    if (text[end] == ':') return end + 1;
    i = end + 1;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Path> parse_path(std::string_view text, bool utf8) {
  if (!text.starts_with('<')) return std::nullopt;
  Path path;
  if (text.starts_with("<>")) {
    path.length = 2;
    return path;
  }
  text = text.substr(0, max_path);
  auto route = source_route(text.substr(1), utf8);
  // An IPv6 literal in a route has colons of its own: nobody has used one, and it is refused.
  if (!route) return std::nullopt;
  const std::string_view mailbox = text.substr(1 + *route);
  std::string local;
  const std::size_t length = read_local(mailbox, local);
  if (length == 0) return std::nullopt;
  if (mailbox.substr(length).starts_with('>')) {
    // RFC 5321 §4.1.1.3: <Postmaster>, without a domain and in any case, must be accepted.
    if (*route > 0 || !ascii::equal_ignoring_case(local, "postmaster")) return std::nullopt;
    path.address = Address{std::move(local), Domain()};
    path.length = length + 2;
    return path;
  }
  const std::size_t end = mailbox.find('>', length);
  if (end == std::string_view::npos) return std::nullopt;
  auto address = Address::parse(mailbox.substr(0, end), utf8);
  if (!address) return std::nullopt;
  path.address = std::move(*address);
  path.length = 1 + *route + end + 1;
  if (*route > 0) path.route = std::string(text.substr(1, *route - 1));
  return path;
}

ForeignForm foreign_form(std::string_view local, std::string* onward) {
  const auto tell = [&](std::string_view user, std::string_view host) {
    if (onward) onward->assign(user).append("@").append(host);
  };
  // '@' binds before '!', and '!' before '%': the order sendmail and the gateways of BITNET used.
  if (const std::size_t at = local.rfind('@'); at != std::string_view::npos) {
    if (at > 0) tell(local.substr(0, at), local.substr(at + 1));
    return ForeignForm::route;
  }
  if (const std::size_t bang = local.find('!'); bang != std::string_view::npos) {
    if (bang == 0 || bang + 1 == local.size()) return ForeignForm::none;
    tell(local.substr(bang + 1), local.substr(0, bang));
    return ForeignForm::bang;
  }
  if (const std::size_t percent = local.rfind('%'); percent != std::string_view::npos) {
    if (percent == 0 || percent + 1 == local.size()) return ForeignForm::none;
    tell(local.substr(0, percent), local.substr(percent + 1));
    return ForeignForm::percent;
  }
  return ForeignForm::none;
}

}  // namespace facteur::message
