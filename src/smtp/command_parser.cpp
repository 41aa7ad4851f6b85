#include "smtp/command_parser.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/ascii.hpp"
#include "base/base64.hpp"

namespace facteur::smtp {
namespace {

std::unexpected<Reply> refuse(int code, std::string_view enhanced, std::string_view text) {
  return std::unexpected(Reply{code, std::string(enhanced), std::string(text)});
}
std::unexpected<Reply> bad_value() { return refuse(501, "5.5.4", "A parameter has a value it cannot have"); }
std::unexpected<Reply> twice() { return refuse(501, "5.5.4", "A parameter stands there twice"); }
// RFC 5321 §4.1.1.11: parameters we did not offer.
std::unexpected<Reply> unknown() { return refuse(555, "5.5.4", "A parameter is not known here"); }

// What stands behind "FROM:" or "TO:", and the parameters behind it.
struct Split {
  std::optional<message::Address> address;
  std::string_view rest;
};

// Beyond RFC 5321 §3.3: blanks behind the colon and an address without its brackets are understood, since old devices
// and people at a terminal write so. The address itself is held to the grammar all the same.
std::optional<Split> split_path(std::string_view text, std::string_view keyword) {
  if (!ascii::starts_with_ignoring_case(text, keyword)) return std::nullopt;
  text.remove_prefix(keyword.size());
  while (!text.empty() && ascii::is_space(text.front())) text.remove_prefix(1);
  Split split;
  if (text.starts_with('<')) {
    auto path = message::parse_path(text, true);
    if (!path) return std::nullopt;
    split.address = std::move(path->address);
    split.rest = text.substr(path->length);
  } else {
    const auto end = std::min(text.find(' '), text.size());
    split.address = message::Address::parse(text.substr(0, end), true);
    if (!split.address) return std::nullopt;
    split.rest = text.substr(end);
  }
  if (!split.rest.empty() && split.rest.front() != ' ') return std::nullopt;
  return split;
}

struct Parameter {
  std::string_view keyword;
  std::optional<std::string_view> value;
};

// RFC 5321 §4.1.2: Mail-parameters, one after the other; nullopt at the end or at a mistake (`wrong`).
std::optional<Parameter> next_parameter(std::string_view& rest, bool& wrong) {
  while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  if (rest.empty()) return std::nullopt;
  const auto end = std::min(rest.find(' '), rest.size());
  const auto text = rest.substr(0, end);
  rest.remove_prefix(end);
  const auto equals = text.find('=');
  Parameter parameter{.keyword = text.substr(0, equals), .value = std::nullopt};
  const bool keyword_good =
      !parameter.keyword.empty() && ascii::is_alnum(parameter.keyword.front()) &&
      std::ranges::all_of(parameter.keyword, [](char c) { return ascii::is_alnum(c) || c == '-'; });
  if (equals != std::string_view::npos) parameter.value = text.substr(equals + 1);
  if (!keyword_good || (parameter.value && parameter.value->empty())) {
    wrong = true;
    return std::nullopt;
  }
  return parameter;
}

bool is(const Parameter& parameter, std::string_view keyword) {
  return ascii::equal_ignoring_case(parameter.keyword, keyword);
}
bool value_is(const Parameter& parameter, std::string_view value) {
  return parameter.value && ascii::equal_ignoring_case(*parameter.value, value);
}

enum MailSeen : unsigned { seen_size = 1, seen_body = 2, seen_utf8 = 4, seen_ret = 8, seen_envid = 16, seen_auth = 32 };

unsigned which(const Parameter& parameter) {
  if (is(parameter, "SIZE")) return seen_size;
  if (is(parameter, "BODY")) return seen_body;
  if (is(parameter, "SMTPUTF8")) return seen_utf8;
  if (is(parameter, "RET")) return seen_ret;
  if (is(parameter, "ENVID")) return seen_envid;
  if (is(parameter, "AUTH")) return seen_auth;
  return 0;
}

// False: the value is wrong.
bool set(MailParameters& to, unsigned key, const Parameter& parameter) {
  switch (key) {
    case seen_size:
      // RFC 1870 §3: up to 20 digits. What does not fit into 64 bits is larger than any limit.
      if (!parameter.value || parameter.value->size() > 20 || !std::ranges::all_of(*parameter.value, ascii::is_digit)) {
        return false;
      }
      to.size = ascii::number(*parameter.value).value_or(UINT64_MAX);
      return true;
    case seen_body:
      to.body_8bit = value_is(parameter, "8BITMIME");
      return to.body_8bit || value_is(parameter, "7BIT");
    case seen_utf8:
      to.smtputf8 = true;
      return !parameter.value;  // RFC 6531 §3.4: it has none.
    case seen_ret:
      to.ret = value_is(parameter, "FULL") ? MailParameters::Return::full : MailParameters::Return::headers;
      return value_is(parameter, "FULL") || value_is(parameter, "HDRS");
    case seen_envid: {
      // RFC 3461 §4.4: at most 100 characters.
      auto id = parameter.value && parameter.value->size() <= 100 ? decode_xtext(*parameter.value) : std::nullopt;
      if (!id || id->empty()) return false;
      to.envelope_id = std::move(*id);
      return true;
    }
    case seen_auth: {
      auto mailbox = parameter.value && parameter.value->size() <= 500 ? decode_xtext(*parameter.value) : std::nullopt;
      if (!mailbox || mailbox->empty()) return false;
      to.authenticated_as = std::move(*mailbox);
      return true;
    }
    default:
      return false;
  }
}

// RFC 3461 §4.1: NEVER alone, or a list of the others.
std::optional<std::uint8_t> parse_notify(std::string_view text) {
  if (ascii::equal_ignoring_case(text, "NEVER")) return RcptParameters::never;
  unsigned bits = 0;
  for (;;) {
    const auto comma = text.find(',');
    const auto word = text.substr(0, comma);
    unsigned bit = 0;
    if (ascii::equal_ignoring_case(word, "SUCCESS")) bit = RcptParameters::success;
    if (ascii::equal_ignoring_case(word, "FAILURE")) bit = RcptParameters::failure;
    if (ascii::equal_ignoring_case(word, "DELAY")) bit = RcptParameters::delay;
    if (bit == 0 || (bits & bit) != 0) return std::nullopt;
    bits |= bit;
    if (comma == std::string_view::npos) return static_cast<std::uint8_t>(bits);
    text.remove_prefix(comma + 1);
  }
}

// RFC 3461 §4.2: addr-type ";" xtext, at most 500 characters.
std::optional<std::string> parse_orcpt(std::string_view text) {
  const auto semicolon = text.find(';');
  if (text.size() > 500 || semicolon == 0 || semicolon == std::string_view::npos) return std::nullopt;
  const auto type = text.substr(0, semicolon);
  if (!std::ranges::all_of(type, [](char c) { return ascii::is_alnum(c) || c == '-'; })) return std::nullopt;
  auto address = decode_xtext(text.substr(semicolon + 1));
  if (!address || address->empty()) return std::nullopt;
  return std::string(type) + ";" + *address;
}

}  // namespace

std::optional<std::string> decode_xtext(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '+') {
      // RFC 3461 §4: two upper-case hexadecimal digits.
      const auto digits = text.substr(i + 1, 2);
      if (digits.size() != 2 || ascii::is_lower(digits[0]) || ascii::is_lower(digits[1])) return std::nullopt;
      const auto octet = from_hex(digits);
      if (!octet) return std::nullopt;
      c = octet->front();
      i += 2;
    } else if (c <= ' ' || c > '~' || c == '=') {
      return std::nullopt;
    }
    // RELIABILITY S7: decoded text goes into headers and logs; only printable ASCII may come out.
    if (!ascii::is_printable(c)) return std::nullopt;
    out += c;
  }
  return out;
}

std::string encode_xtext(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c > ' ' && c <= '~' && c != '+' && c != '=') {
      out += c;
    } else {
      out += '+';
      out += ascii::upper(to_hex(std::string_view(&c, 1)));
    }
  }
  return out;
}

std::expected<MailArguments, Reply> parse_mail(std::string_view text) {
  auto split = split_path(text, "FROM:");
  if (!split) return refuse(501, "5.1.7", "Write MAIL FROM:<user@domain>");
  // A sender without a domain cannot get answers: only RCPT knows <postmaster> (RFC 5321 §4.1.1.3).
  if (split->address && split->address->domain.empty()) return refuse(501, "5.1.7", "The sender has no domain");
  MailArguments arguments{.sender = std::move(split->address), .parameters = {}};
  unsigned seen = 0;
  bool wrong = false;
  while (const auto parameter = next_parameter(split->rest, wrong)) {
    const unsigned key = which(*parameter);
    if (key == 0) return unknown();
    if ((seen & key) != 0) return twice();
    seen |= key;
    if (!set(arguments.parameters, key, *parameter)) return bad_value();
  }
  if (wrong) return refuse(501, "5.5.4", "That is not a parameter");
  if (arguments.sender && !arguments.sender->is_ascii() && !arguments.parameters.smtputf8) {
    return refuse(553, "5.6.7", "This address needs SMTPUTF8");  // RFC 6531 §3.5.
  }
  return arguments;
}

std::expected<RcptArguments, Reply> parse_rcpt(std::string_view text, bool utf8) {
  auto split = split_path(text, "TO:");
  if (!split || !split->address) return refuse(501, "5.1.3", "Write RCPT TO:<user@domain>");
  RcptArguments arguments{.recipient = std::move(*split->address), .parameters = {}};
  bool notify = false;
  bool wrong = false;
  while (const auto parameter = next_parameter(split->rest, wrong)) {
    if (is(*parameter, "NOTIFY")) {
      if (std::exchange(notify, true)) return twice();
      const auto bits = parameter->value ? parse_notify(*parameter->value) : std::nullopt;
      if (!bits) return bad_value();
      arguments.parameters.notify = *bits;
    } else if (is(*parameter, "ORCPT")) {
      if (!arguments.parameters.original.empty()) return twice();
      auto original = parameter->value ? parse_orcpt(*parameter->value) : std::nullopt;
      if (!original) return bad_value();
      arguments.parameters.original = std::move(*original);
    } else {
      return unknown();
    }
  }
  if (wrong) return refuse(501, "5.5.4", "That is not a parameter");
  if (!utf8 && !arguments.recipient.is_ascii()) return refuse(553, "5.6.7", "This address needs SMTPUTF8");
  return arguments;
}

}  // namespace facteur::smtp
