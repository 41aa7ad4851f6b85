// The commands of POP3: one row of the table each, with the states in which it is legal.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/ascii.hpp"
#include "base/base64.hpp"
#include "pop3/server_state.hpp"

namespace facteur::pop3 {
namespace {

constexpr std::size_t longest_name = 255;

struct Row {
  std::string_view verb;
  bool authorization;
  bool transaction;
  bool arguments;  // Whether it may have any.
  void (ServerSession::State::*run)(Bytes);
};

// RFC 1939 §3: an argument has no blank in it.
bool is_one_word(Bytes text) { return !text.empty() && text.find(' ') == Bytes::npos; }

// "{}" of a sentence filled in; the sentences are ours, never a peer's.
template <class... Values>
std::string fill(std::string_view sentence, const Values&... values) {
  return fmt::format(fmt::runtime(sentence), values...);
}

}  // namespace

void ServerSession::State::command(Bytes line) {
  static constexpr std::array<Row, 18> table = {{
      {"CAPA", true, true, false, &State::run_capa},   // RFC 2449 §5.
      {"USER", true, false, true, &State::run_user},   // RFC 1939 §7.
      {"PASS", true, false, true, &State::run_pass},   // RFC 1939 §7.
      {"APOP", true, false, true, &State::run_apop},   // RFC 1939 §7.
      {"AUTH", true, false, true, &State::run_auth},   // RFC 5034 §4.
      {"STLS", true, false, false, &State::run_stls},  // RFC 2595 §4.
      {"QUIT", true, true, false, &State::run_quit},   // RFC 1939 §4 and §6.
      {"UTF8", true, false, false, &State::run_utf8},  // RFC 6856 §2.
      {"LANG", true, true, true, &State::run_lang},    // RFC 6856 §3.
      {"NOOP", false, true, false, &State::run_noop},  // RFC 1939 §5.
      {"STAT", false, true, false, &State::run_stat},  // RFC 1939 §5.
      {"LIST", false, true, true, &State::run_list},   // RFC 1939 §5.
      {"UIDL", false, true, true, &State::run_uidl},   // RFC 1939 §7.
      {"RETR", false, true, true, &State::run_retr},   // RFC 1939 §5.
      {"TOP", false, true, true, &State::run_top},     // RFC 1939 §7.
      {"DELE", false, true, true, &State::run_dele},   // RFC 1939 §5.
      {"RSET", false, true, false, &State::run_rset},  // RFC 1939 §5.
      {"LAST", false, true, false, &State::run_last},  // RFC 1460 §5.
  }};
  const std::size_t space = line.find(' ');
  const Bytes verb = line.substr(0, space);
  const Bytes arguments = space == Bytes::npos ? Bytes() : line.substr(space + 1);
  const auto row = std::ranges::find_if(table, [&](const Row& r) { return ascii::equal_ignoring_case(r.verb, verb); });
  if (row == table.end()) return wrong(Say::unknown);
  const bool legal = phase == Phase::authorization ? row->authorization : row->transaction;
  if (!legal) return wrong(Say::not_here);
  // RFC 1939 §3: keyword and arguments as the command has them. What is not quite a command is not obeyed: it may be
  // meant for another protocol.
  if (!row->arguments && !ascii::trimmed(arguments).empty()) return wrong(Say::syntax);
  // A password may hold anything but NUL (S35); everything else is printable (RFC 1939 §3) or UTF-8 (RFC 6856 §2.1).
  const bool password = row->run == &State::run_pass;
  if (std::ranges::any_of(line, [&](char c) { return password ? c == '\0' : ascii::is_control(c); })) {
    return wrong(Say::syntax);
  }
  (this->*row->run)(arguments);
}

// ---- AUTHORIZATION

void ServerSession::State::run_capa(Bytes) {
  ok(Say::capabilities);
  std::string names;
  for (const auto mechanism : parameters.mechanisms) {
    if (!may_log_in()) break;  // RFC 8314 §4.1: no login in clear, whatever the mechanism.
    names.append(" ").append(sasl::name(mechanism));
  }
  out.append("TOP\r\nUIDL\r\nPIPELINING\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n");
  if (may_log_in()) out.append("USER\r\n");  // RFC 2449 §6.2: only if they are taken.
  if (!names.empty()) out.append("SASL").append(names).append("\r\n");
  if (parameters.stls && !parameters.tls && phase == Phase::authorization) out.append("STLS\r\n");
  out.append("EXPIRE NEVER\r\n");  // RFC 2449 §6.7: no message goes unless it is deleted.
  if (parameters.login_delay_seconds > 0) out.append(fmt::format("LOGIN-DELAY {}\r\n", parameters.login_delay_seconds));
  out.append("UTF8 USER\r\nLANG\r\n");
  if (phase == Phase::transaction) out.append("IMPLEMENTATION Facteur\r\n");  // RFC 2449 §6.9: not to strangers.
  out.append(".\r\n");
}

void ServerSession::State::run_user(Bytes arguments) {
  if (!may_log_in()) return error(Say::need_tls);
  const Bytes name = ascii::trimmed(arguments);
  if (!is_one_word(name) || name.size() > longest_name) return wrong(Say::syntax);
  user = name;
  ok(Say::user_taken);  // Whether there is such a user is not told.
}

void ServerSession::State::run_pass(Bytes arguments) {
  if (!may_log_in()) return error(Say::need_tls);
  if (user.empty()) return wrong(Say::need_user);
  // RFC 1939 §7: blanks are part of the password.
  sasl::Credentials credentials;
  credentials.login = std::exchange(user, {});
  credentials.password = arguments;
  ask(Asked::login, Authenticate{std::move(credentials)});
}

void ServerSession::State::run_apop(Bytes arguments) {
  const std::size_t space = arguments.rfind(' ');
  if (parameters.apop_challenge.empty()) return wrong(Say::unknown);
  if (!may_log_in()) return error(Say::need_tls);
  if (space == Bytes::npos || space == 0) return wrong(Say::syntax);
  const Bytes digest = arguments.substr(space + 1);
  const bool hex = digest.size() == 32 && std::ranges::all_of(digest, ascii::is_hex);
  if (!hex || space > longest_name || !is_one_word(arguments.substr(0, space))) return wrong(Say::syntax);
  ask(Asked::apop, CheckApop{std::string(arguments.substr(0, space)), parameters.apop_challenge, ascii::lower(digest)});
}

void ServerSession::State::run_auth(Bytes arguments) {
  if (!may_log_in()) return error(Say::need_tls);
  const Bytes rest = ascii::trimmed(arguments);
  const std::size_t space = rest.find(' ');
  if (rest.empty()) {
    // Before RFC 5034 clients asked so for the list; they still do.
    ok(Say::mechanisms);
    for (const auto mechanism : parameters.mechanisms) out.append(sasl::name(mechanism)).append("\r\n");
    out.append(".\r\n");
    return;
  }
  const auto mechanism = sasl::parse_mechanism(rest.substr(0, space));
  if (!mechanism || std::ranges::find(parameters.mechanisms, *mechanism) == parameters.mechanisms.end()) {
    return wrong(Say::no_mechanism);
  }
  std::optional<std::string> initial;
  if (space != Bytes::npos) {
    const Bytes encoded = ascii::trimmed(rest.substr(space + 1));
    initial = encoded == "=" ? std::string() : from_base64(encoded);  // RFC 5034 §4: "=" is the empty response.
    if (!initial) return wrong(Say::bad_base64);
  }
  exchange.emplace(
      sasl::ServerExchange::Parameters{parameters.hostname, sasl::fresh_nonce(parameters.nonce_seed, exchanges++)});
  step(exchange->start(*mechanism, initial ? std::optional<Bytes>(*initial) : std::nullopt));
}

void ServerSession::State::run_stls(Bytes) {
  if (parameters.tls) return wrong(Say::already_tls);
  if (!parameters.stls) return wrong(Say::no_tls);
  ok(Say::begin_tls);
  starting_tls = true;
  // What came behind STLS in the clear is forgotten (RFC 2595 §4; CVE-2011-0411).
  begin = end = 0;
  user.clear();
}

void ServerSession::State::run_quit(Bytes) {
  if (phase == Phase::authorization) {
    ok(Say::bye);
    return close_after_output();
  }
  phase = Phase::update;
  update_deleted.clear();
  update_retrieved.clear();
  for (std::size_t i = 0; i < deleted.size(); ++i) {
    if (deleted[i]) update_deleted.push_back(i);
  }
  for (std::size_t i = 0; i < retrieved.size(); ++i) {
    if (retrieved[i] && !is_deleted(i)) update_retrieved.push_back(i);
  }
  if (update_deleted.empty() && update_retrieved.empty()) {
    ok(Say::bye);
    return close_after_output();
  }
  ask(Asked::update, Update{&update_deleted, &update_retrieved});
}

void ServerSession::State::run_utf8(Bytes) {
  utf8 = true;  // Messages and logins are UTF-8 anyway: nothing is downgraded.
  ok(Say::utf8_on);
}

void ServerSession::State::run_lang(Bytes arguments) {
  const Bytes tag = ascii::trimmed(arguments);
  if (tag.empty()) {
    ok(Say::languages);
    out.append("en English\r\nfr Français\r\n.\r\n");
    return;
  }
  const auto found = find_language(tag);
  if (!found) return wrong(Say::no_language);
  language = *found;
  // RFC 6856 §3.2: the reply begins with the tag and is in the new language.
  ok(std::string(language == Language::french ? "fr " : "en ").append(text(Say::language_set)));
}

// ---- TRANSACTION

std::optional<std::size_t> ServerSession::State::message_index(Bytes number) {
  const auto value = ascii::number<std::size_t>(number);
  if (!value || *value == 0 || *value > maildrop->count()) {
    wrong(Say::no_message);
    return std::nullopt;
  }
  if (is_deleted(*value - 1)) {
    error(fill(text(Say::deleted_already), *value));
    return std::nullopt;
  }
  return *value - 1;
}

void ServerSession::State::run_noop(Bytes) { ok(Say::nothing_done); }

void ServerSession::State::run_stat(Bytes) {
  ok(fill(text(Say::maildrop), maildrop->count() - deleted_count, maildrop->octets() - deleted_octets));
}

void ServerSession::State::run_list(Bytes arguments) {
  const Bytes number = ascii::trimmed(arguments);
  if (number.empty()) {
    ok(fill(text(Say::listing), maildrop->count() - deleted_count, maildrop->octets() - deleted_octets));
    listing = Listing::sizes;
    listed = 0;
    return;
  }
  if (const auto index = message_index(number)) ok(fmt::format("{} {}", *index + 1, maildrop->size(*index)));
}

void ServerSession::State::run_uidl(Bytes arguments) {
  const Bytes number = ascii::trimmed(arguments);
  if (number.empty()) {
    ok(Say::unique_ids);
    listing = Listing::unique_ids;
    listed = 0;
    return;
  }
  if (const auto index = message_index(number)) {
    std::string line = fmt::format("{} ", *index + 1);
    append_unique_id(line, maildrop->unique(*index));
    ok(line);
  }
}

void ServerSession::State::run_retr(Bytes arguments) {
  const auto index = message_index(ascii::trimmed(arguments));
  if (!index) return;
  top = false;
  fetched = *index;
  ask(Asked::message, FetchMessage{*index});
}

void ServerSession::State::run_top(Bytes arguments) {
  const Bytes both = ascii::trimmed(arguments);
  const std::size_t space = both.find(' ');
  const auto lines = space == Bytes::npos ? std::nullopt : ascii::number(ascii::trimmed(both.substr(space + 1)));
  if (!lines) return wrong(Say::syntax);  // RFC 1939 §7: the number of lines is not optional.
  const auto index = message_index(both.substr(0, space));
  if (!index) return;
  top = true;
  top_lines = *lines;
  fetched = *index;
  ask(Asked::message, FetchMessage{*index});
}

void ServerSession::State::run_dele(Bytes arguments) {
  const auto index = message_index(ascii::trimmed(arguments));
  if (!index) return;
  if (deleted.empty()) deleted.resize(maildrop->count());
  deleted[*index] = true;
  ++deleted_count;
  deleted_octets += maildrop->size(*index);
  ok(fill(text(Say::deleted), *index + 1));
}

void ServerSession::State::run_rset(Bytes) {
  deleted = {};
  deleted_count = 0;
  deleted_octets = 0;
  last = 0;  // RFC 1460 §5.
  ok(fill(text(Say::reset), maildrop->count(), maildrop->octets()));
}

void ServerSession::State::run_last(Bytes) { ok(fill(text(Say::last), last)); }

void append_unique_id(std::string& out, std::uint64_t unique) {
  static constexpr std::string_view alphabet = "abcdefghijklmnopqrstuvwxyz234567";
  std::array<char, 13> digits{};
  std::size_t at = digits.size();
  do {
    digits[--at] = alphabet[unique & 31];
    unique >>= 5;
  } while (unique > 0);
  out.append(digits.data() + at, digits.size() - at);
}

}  // namespace facteur::pop3
