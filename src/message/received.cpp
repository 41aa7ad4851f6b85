#include "message/received.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/ascii.hpp"
#include "message/header.hpp"

namespace facteur::message {
namespace {

using ascii::equal_ignoring_case;
using ascii::starts_with_ignoring_case;

struct Token {
  Bytes text;
  bool comment = false;
};

// Words and comments in order; `date` is what stands behind the last ';' outside of comments.
std::vector<Token> split(Bytes line, Bytes& date) {
  std::vector<Token> tokens;
  std::size_t after_semicolon = Bytes::npos;
  std::size_t tokens_before = 0;
  for (std::size_t i = 0; i < line.size();) {
    const char c = line[i];
    if (ascii::is_space(c)) {
      ++i;
    } else if (c == ';') {
      after_semicolon = ++i;
      tokens_before = tokens.size();
    } else if (c == '(') {
      const std::size_t start = ++i;
      std::size_t depth = 1;
      for (; i < line.size(); ++i) {
        if (line[i] == '\\')
          ++i;
        else if (line[i] == '(')
          ++depth;
        else if (line[i] == ')' && --depth == 0)
          break;
      }
      i = std::min(i, line.size());
      tokens.push_back({line.substr(start, i - start), true});
      ++i;
    } else {
      const std::size_t start = i;
      bool quoted = false;
      while (i < line.size() && (quoted || (!ascii::is_space(line[i]) && line[i] != ';' && line[i] != '('))) {
        if (line[i] == '"') quoted = !quoted;
        if (line[i] == '\\' && quoted && i + 1 < line.size()) ++i;
        ++i;
      }
      tokens.push_back({line.substr(start, i - start), false});
    }
  }
  if (after_semicolon != Bytes::npos) {
    date = line.substr(after_semicolon);
    tokens.resize(tokens_before);
  }
  return tokens;
}

Bytes without_brackets(Bytes text) {
  while (!text.empty() && (text.back() == ',' || text.back() == '>')) text.remove_suffix(1);
  if (text.starts_with('<')) text.remove_prefix(1);
  return text;
}

// "[192.0.2.1]", "192.0.2.1", "[IPv6:2001:db8::1]", with a port or a name behind.
std::optional<IpAddress> ip_of(Bytes word) {
  while (!word.empty() && (word.back() == ',' || word.back() == ')')) word.remove_suffix(1);
  if (word.starts_with('[')) {
    word.remove_prefix(1);
    word = word.substr(0, word.find(']'));
  }
  if (starts_with_ignoring_case(word, "IPv6:")) word.remove_prefix(5);
  if (word.find('.') != Bytes::npos && std::ranges::count(word, ':') == 1) word = word.substr(0, word.find(':'));
  return IpAddress::parse(word);
}

std::vector<Bytes> words_of(Bytes text) {
  std::vector<Bytes> words;
  while (words.size() < 64) {
    const std::size_t start = text.find_first_not_of(" \t,");
    if (start == Bytes::npos) break;
    const std::size_t end = text.find_first_of(" \t,", start);
    words.push_back(text.substr(start, end == Bytes::npos ? end : end - start));
    if (end == Bytes::npos) break;
    text.remove_prefix(end);
  }
  return words;
}

// Exim before 4.94: "TLSv1:DES-CBC3-SHA:168".
void take_exim_cipher(Received& result, Bytes word) {
  const std::size_t colon = word.find(':');
  if (colon == Bytes::npos) {
    result.tls_cipher = word;
    return;
  }
  if (result.tls_version.empty()) result.tls_version = word.substr(0, colon);
  word.remove_prefix(colon + 1);
  result.tls_cipher = word.substr(0, word.find(':'));
}

// Postfix "using TLSv1.3 with cipher X (256/256 bits)", Gmail and Exchange "version=TLS1_3 cipher=X", Exim "TLS1.3".
bool take_tls(Received& result, Bytes comment) {
  const auto words = words_of(comment);
  bool found = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    Bytes word = words[i];
    if (starts_with_ignoring_case(word, "version=")) word.remove_prefix(8);
    const bool version = (starts_with_ignoring_case(word, "TLS") && word.size() > 3 && word.size() < 10 &&
                          word.find_first_of("123") != Bytes::npos && word.find(':') == Bytes::npos) ||
                         starts_with_ignoring_case(word, "SSLv");
    if (version) {
      if (result.tls_version.empty()) result.tls_version = word;
      found = true;
    } else if (starts_with_ignoring_case(word, "cipher=")) {
      if (result.tls_cipher.empty()) result.tls_cipher = word.substr(7);
      found = true;
    } else if ((equal_ignoring_case(word, "cipher") || equal_ignoring_case(word, "tls_cipher")) &&
               i + 1 < words.size()) {
      if (result.tls_cipher.empty()) take_exim_cipher(result, words[++i]);
      found = true;
    } else if (starts_with_ignoring_case(word, "TLS_") || starts_with_ignoring_case(word, "ECDHE")) {
      if (result.tls_cipher.empty()) result.tls_cipher = word;
      found = true;
    }
  }
  return found;
}

bool is_host_name(Bytes word) {
  return word.find('.') != Bytes::npos && word.find('=') == Bytes::npos && word.find('@') == Bytes::npos &&
         std::ranges::all_of(word, [](char c) { return ascii::is_alnum(c) || c == '.' || c == '-' || c == '_'; });
}

// A comment behind "from": reverse name and address, or the HELO name of qmail and Exim.
void take_from_comment(Received& result, Bytes comment) {
  if (result.from_comment.empty()) result.from_comment = comment;
  const auto words = words_of(comment);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const Bytes word = words[i];
    Bytes helo;
    if (starts_with_ignoring_case(word, "helo=") || starts_with_ignoring_case(word, "ehlo=")) helo = word.substr(5);
    if ((equal_ignoring_case(word, "helo") || equal_ignoring_case(word, "ehlo")) && i + 1 < words.size()) {
      helo = words[++i];
    }
    if (!helo.empty()) {
      // qmail and Exim put the reverse name in front and the HELO name into the comment.
      const auto literal = ip_of(result.from);
      if (!result.from_ip) result.from_ip = literal;
      if (result.from_reverse.empty() && is_host_name(result.from) && !literal) result.from_reverse = result.from;
      result.from = helo;
    } else if (const auto ip = ip_of(word)) {
      if (!result.from_ip) result.from_ip = ip;
    } else if (const std::size_t bracket = word.find('['); bracket != Bytes::npos && bracket > 0) {
      // "name[192.0.2.1]" and "user@[192.0.2.1]".
      if (!result.from_ip) result.from_ip = ip_of(word.substr(bracket));
      if (is_host_name(word.substr(0, bracket))) result.from_reverse = word.substr(0, bracket);
    } else if (result.from_reverse.empty() && is_host_name(word)) {
      result.from_reverse = word.ends_with('.') ? word.substr(0, word.size() - 1) : word;
    }
  }
}

enum class Clause : std::uint8_t { none, from, by, via, with, id, for_, tls, other };

Clause clause_of(Bytes word) {
  if (equal_ignoring_case(word, "from")) return Clause::from;
  if (equal_ignoring_case(word, "by")) return Clause::by;
  if (equal_ignoring_case(word, "via")) return Clause::via;
  if (equal_ignoring_case(word, "with")) return Clause::with;
  if (equal_ignoring_case(word, "id")) return Clause::id;
  if (equal_ignoring_case(word, "for")) return Clause::for_;
  if (equal_ignoring_case(word, "tls")) return Clause::tls;  // RFC 8314 §4.3.
  return Clause::none;
}

void take_word(Received& result, Clause clause, Bytes word) {
  const auto first = [&](std::string& slot) {
    if (slot.empty()) slot = word;
  };
  const auto phrase = [&](std::string& slot) {
    if (!slot.empty()) slot += ' ';
    slot.append(word);
  };
  switch (clause) {
    case Clause::from:
      // "name [192.0.2.1]": the address stands outside of the comment in some.
      if (!result.from.empty() && word.starts_with('[') && !result.from_ip) result.from_ip = ip_of(word);
      first(result.from);
      break;
    case Clause::by:
      first(result.by);
      break;
    case Clause::via:
      phrase(result.via);
      break;
    case Clause::with:
      phrase(result.with);
      break;
    case Clause::id:
      first(result.id);
      break;
    case Clause::for_:
      word = without_brackets(word);
      first(result.for_address);
      break;
    case Clause::tls:
      first(result.tls_cipher);
      break;
    case Clause::none:
    case Clause::other:
      break;
  }
}

void take_comment(Received& result, Clause clause, Bytes comment) {
  if (comment.find("invoked ") != Bytes::npos || comment.find("userid ") != Bytes::npos) {
    if (result.invoked.empty()) result.invoked = comment;
  }
  const bool tls = take_tls(result, comment);
  if (clause == Clause::from && !tls) take_from_comment(result, comment);
  if (clause == Clause::by && result.by_comment.empty()) result.by_comment = comment;
  if (clause == Clause::with && result.with_comment.empty()) result.with_comment = comment;
}

}  // namespace

std::optional<Received> parse_received(Bytes value) {
  std::string line = unfolded(value.substr(0, 65'536));
  std::ranges::replace(line, '\r', ' ');
  Received result;
  Bytes date;
  const auto tokens = split(line, date);
  Clause clause = Clause::none;
  bool wants_value = false;
  for (const Token& token : tokens) {
    if (token.comment) {
      take_comment(result, clause, token.text);
      wants_value = false;
      continue;
    }
    // A keyword right behind a keyword is its value: a host may be called "by".
    const Clause next = wants_value ? Clause::none : clause_of(token.text);
    if (next != Clause::none) {
      clause = next;
      wants_value = true;
    } else {
      take_word(result, clause, token.text);
      wants_value = false;
    }
  }
  if (!result.from_ip) result.from_ip = ip_of(result.from);
  result.by_ip = ip_of(result.by);
  result.date = parse_date(date);
  const bool clauses = !result.from.empty() || !result.by.empty() || !result.with.empty() || !result.invoked.empty();
  if (!clauses && !result.date) return std::nullopt;
  return result;
}

std::string with_keyword(const ReceivedBy& by) {
  if (!by.extended && !by.lmtp) return "SMTP";
  std::string word = by.utf8 ? "UTF8" : by.lmtp ? "" : "E";  // RFC 6531 §4.3: UTF8SMTP, UTF8LMTP; no ELMTP.
  word += by.lmtp ? "LMTP" : "SMTP";
  if (by.tls) word += 'S';
  if (by.authenticated) word += 'A';
  return word;
}

namespace {

// What a peer said: only what cannot break the field's syntax, and not too long.
std::string cleaned(std::string_view text, std::size_t most = 255) {
  std::string out;
  for (const char c : text.substr(0, most)) {
    const bool kept =
        (ascii::is_printable(c) && c != ' ' && c != '(' && c != ')' && c != ';' && c != '\\' && c != '"') ||
        static_cast<unsigned char>(c) >= 0x80;
    out += kept ? c : '_';
  }
  return out;
}

}  // namespace

std::string write_received(const ReceivedBy& by) {
  std::string out = "Received: ";
  if (!by.helo.empty() || by.peer) {
    // RFC 5321 §4.4: what EHLO said, and in the comment what TCP says: it is the only part that is not hearsay.
    out.append("from ").append(by.helo.empty() ? "unknown" : cleaned(by.helo));
    if (by.peer) {
      out.append(" (");
      if (!by.reverse_name.empty()) out.append(cleaned(by.reverse_name)).append(" ");
      out.append(to_address_literal(*by.peer)).append(")");
    }
    out.append("\r\n\t");
  }
  out.append("by ").append(cleaned(by.by)).append(" (Facteur) with ").append(with_keyword(by));
  const bool registered = by.tls_cipher.starts_with("TLS_");
  if (by.tls && !by.tls_version.empty()) {
    out.append(" (").append(cleaned(by.tls_version, 32));
    if (!registered && !by.tls_cipher.empty()) out.append(" cipher=").append(cleaned(by.tls_cipher, 64));
    out.append(")");
  }
  if (!by.id.empty()) out.append("\r\n\tid ").append(cleaned(by.id, 128));
  if (!by.for_address.empty()) {
    const auto valid = Address::parse(by.for_address);  // A quoted local part may hold any mark.
    const std::string address = valid ? valid->text() : cleaned(by.for_address, 512);
    out.append("\r\n\tfor <").append(address).append(">");
  }
  // RFC 8314 §4.3: the tls clause takes the registered name of the cipher suite, and stands last.
  if (by.tls && registered) out.append("\r\n\ttls ").append(cleaned(by.tls_cipher, 64));
  out.append(";\r\n\t").append(write_date(by.at, by.offset_minutes)).append("\r\n");
  return out;
}

std::string write_return_path(const std::optional<Address>& sender) {
  return fmt::format("Return-Path: <{}>\r\n", sender ? sender->text() : std::string());
}

}  // namespace facteur::message
